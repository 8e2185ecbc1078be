// The gallery: search as one types, filters, favourites. What is searched for stands in the address, so that back and
// a link show it again. "/" goes to the search, Esc empties it, the arrow down goes on to what was found.
const { prefix, seen, xsrf } = document.currentScript.dataset;
const box = document.getElementById("search");
const chips = [...document.querySelectorAll("button.chip")];
const shortcuts = [...document.querySelectorAll("[data-shortcut]")];
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

const sections = [...document.querySelectorAll("[data-section]")].map((section) => ({
  section,
  count: section.querySelector("[data-count]"),
  cards: [...section.querySelectorAll("[data-card]")].map((card) => ({
    card,
    words: plain(card.dataset.words),
    folder: card.dataset.group,
    tags: [...card.querySelectorAll(".tag")].map((tag) => plain(tag.textContent)),
  })),
}));
const all = sections.flatMap(({ cards }) => cards);
const dashboards = (number) => `${number} dashboard${number === 1 ? "" : "s"}`;

// -- searching -------------------------------------------------------------------------------------------------------

// Any of the chosen folders; all of the chosen tags, and all of the words.
let asked = { text: "", folders: new Set(), tags: new Set() };

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const known = (name) => new Set(query.getAll(name).filter((value) => chips.some((chip) => chip.dataset[name] === value)));
  asked = { text: query.get("q") ?? "", folders: known("folder"), tags: known("tag") };
  box.value = asked.text;
}

function address() {
  const here = new URL(location.href);
  for (const name of ["q", "folder", "tag"]) here.searchParams.delete(name);
  if (asked.text.trim()) here.searchParams.set("q", asked.text.trim());
  for (const folder of asked.folders) here.searchParams.append("folder", folder);
  for (const tag of asked.tags) here.searchParams.append("tag", tag);
  here.search = here.search.replace(/=(?=&|$)/g, ""); // "?all", as it was
  return here;
}

let writing = 0; // browsers refuse an address that changes with each letter
function writeAddress() {
  clearTimeout(writing);
  if (address().href !== location.href) history.replaceState(null, "", address());
}

function show() {
  const words = plain(asked.text).split(/\s+/).filter(Boolean);
  const tags = [...asked.tags].map(plain);
  const isAsked = words.length + tags.length + asked.folders.size > 0;
  let found = 0;
  for (const { section, count, cards } of sections) {
    let here = 0;
    for (const { card, words: text, folder, tags: own } of cards) {
      const fits =
        (!asked.folders.size || asked.folders.has(folder)) &&
        tags.every((tag) => own.includes(tag)) &&
        words.every((word) => text.includes(word));
      card.hidden = !fits;
      here += fits;
    }
    section.hidden = !here;
    count.textContent = dashboards(here);
    found += here;
  }
  for (const shortcut of shortcuts) shortcut.hidden = isAsked || !shortcut.querySelector("[data-card]");
  for (const chip of chips) {
    const { folder, tag } = chip.dataset;
    const pressed = folder !== undefined ? asked.folders.has(folder)
      : tag !== undefined ? asked.tags.has(tag) : !asked.folders.size && !asked.tags.size;
    chip.setAttribute("aria-pressed", String(pressed));
  }
  document.getElementById("nothing").hidden = found > 0;
  document.getElementById("asked").textContent = found ? "" : nothing();
  document.getElementById("found").textContent = isAsked ? `${found} of ${dashboards(all.length)}` : "";
}

function nothing() {
  const chosen = chips.filter((chip) => !("all" in chip.dataset) && chip.getAttribute("aria-pressed") === "true");
  const names = chosen.map((chip) => chip.textContent).join(", ");
  const text = asked.text.trim().slice(0, 80);
  if (!text) return `None is under all that you chose: ${names}.`;
  return `None${names ? ` under ${names}` : ""} has “${text}” in it. Try fewer letters, or another word.`;
}

function clear() {
  asked = { text: "", folders: new Set(), tags: new Set() };
  box.value = "";
  history.pushState(null, "", address());
  show();
}

box.addEventListener("input", () => {
  asked.text = box.value;
  show();
  clearTimeout(writing);
  writing = setTimeout(writeAddress, 300);
});
document.addEventListener("click", writeAddress, true);
for (const chip of chips) {
  chip.addEventListener("click", () => {
    const { folder, tag } = chip.dataset;
    const [set, value] = folder !== undefined ? [asked.folders, folder] : [asked.tags, tag];
    if (value === undefined) asked = { ...asked, folders: new Set(), tags: new Set() };
    else if (!set.delete(value)) set.add(value);
    if (address().href !== location.href) history.pushState(null, "", address());
    show();
  });
}
document.getElementById("clear").addEventListener("click", () => {
  clear();
  box.focus();
});
addEventListener("popstate", () => {
  fromAddress();
  show();
});

// -- keys ------------------------------------------------------------------------------------------------------------

const first = () => [...document.querySelectorAll("main a.card")].find((card) => card.offsetParent);

box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    box.value = asked.text = "";
    show();
    writeAddress();
    box.blur();
  } else if (event.key === "ArrowDown" && first()) {
    event.preventDefault();
    first().focus();
  } else if (event.key === "Enter" && all.filter(({ card }) => !card.hidden).length === 1) {
    first()?.click();
  }
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  box.focus();
});

// -- favourites ------------------------------------------------------------------------------------------------------

const favourites = document.getElementById("favourites");
const list = favourites.querySelector(".cards");
const id = ({ group, name }) => `${group}/${name}`;
const kept = new Set([...list.children].map((card) => id(card.dataset))); // as the server has it
const turns = new Map(); // one after the other of one dashboard; others at once, for the person may leave
let message;

// Everywhere where the card stands; its copy is the last of the favourites.
function draw(key, wanted) {
  const same = [...document.querySelectorAll("[data-card]")].filter((card) => id(card.dataset) === key);
  for (const card of same) card.querySelector(".star")?.setAttribute("aria-pressed", String(wanted));
  const there = [...list.children].find((card) => id(card.dataset) === key);
  if (wanted && !there) {
    const copy = same[0].cloneNode(true);
    copy.hidden = false;
    list.append(copy);
  } else if (!wanted && there) {
    const isLeft = there.contains(document.activeElement);
    const next = there.nextElementSibling ?? there.previousElementSibling ?? same.find((card) => card !== there);
    there.remove();
    if (isLeft) next?.querySelector(".star")?.focus();
  }
  favourites.querySelector("[data-count]").textContent = dashboards(list.children.length);
  show();
}

function say(words) {
  message?.remove();
  message = document.createElement("div");
  message.className = "lost panel";
  message.setAttribute("role", "alert");
  const close = document.createElement("button");
  close.className = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => message.remove());
  message.append(Object.assign(document.createElement("span"), { textContent: words }), close);
  document.body.append(message);
}

async function tell({ group, name }, title, wanted) {
  const key = id({ group, name });
  let sentence = "";
  try {
    const answer = await fetch(`${prefix}favourite`, {
      method: "POST",
      keepalive: true,
      headers: { "Content-Type": "application/json", "X-XSRFToken": xsrf },
      body: JSON.stringify({ group, dashboard: name, favourite: wanted }),
    });
    if (answer.ok) {
      if (wanted) kept.add(key);
      else kept.delete(key);
      return;
    }
    sentence = (await answer.json().catch(() => ({}))).message;
  } catch {
    // Nobody answers; what was drawn is taken back all the same.
  }
  draw(key, kept.has(key));
  say(`“${title}” could not be ${wanted ? "kept as a favourite" : "taken out of your favourites"}. ${sentence || "Try again in a moment."}`);
}

document.addEventListener("click", ({ target }) => {
  const star = target.closest?.(".star");
  if (!star) return;
  const card = star.closest("[data-card]");
  const { group, name } = card.dataset;
  const key = id({ group, name });
  const wanted = star.getAttribute("aria-pressed") !== "true";
  const title = card.querySelector("h3").textContent;
  const before = turns.get(key);
  const now = before ? before.then(() => tell({ group, name }, title, wanted)) : tell({ group, name }, title, wanted);
  turns.set(key, now);
  now.then(() => { if (turns.get(key) === now) turns.delete(key); });
  draw(key, wanted);
});

// What a dashboard kept in this tab, to come back with it (kept.js): whoever is here did not.
try {
  sessionStorage.removeItem("atrium-kept");
} catch {
  // No storage here: nothing is kept.
}

// -- opening, and what changes meanwhile -----------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const card = event.target.closest?.("a.card");
  if (card && !event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.shiftKey) card.setAttribute("aria-busy", "true");
});
addEventListener("pageshow", () => {
  for (const card of document.querySelectorAll(".card[aria-busy]")) card.removeAttribute("aria-busy");
});

const changes = new URL(`${prefix}changes`, location.href);
changes.searchParams.set("seen", seen);
changes.protocol = changes.protocol.replace("http", "ws");

let leaving = false; // a click must not be lost to a reload
addEventListener("beforeunload", () => { leaving = true; });
addEventListener("pageshow", () => { leaving = false; });

function follow(wait) {
  const socket = new WebSocket(changes);
  socket.addEventListener("open", () => { wait = 1000; });
  socket.addEventListener("message", () => {
    if (leaving) return;
    writeAddress();
    location.reload();
  });
  socket.addEventListener("close", ({ code }) => {
    // What the hub has closed for good (see closed.js) is not opened again.
    if (code < 4400) setTimeout(follow, wait, Math.min(2 * wait, 60000));
  });
}

follow(1000);
fromAddress();
show();
