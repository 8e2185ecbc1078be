// The search box of the gallery: every word typed must be in a card's words. "/" goes to it, Esc empties it.
const box = document.getElementById("search");
const cards = [...document.querySelectorAll("[data-card]")];

function search() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const card of cards) {
    const text = card.dataset.words.toLowerCase();
    card.hidden = !words.every((word) => text.includes(word));
  }
  for (const section of document.querySelectorAll("[data-section]")) {
    section.hidden = !section.querySelector("[data-card]:not([hidden])");
  }
  document.getElementById("nothing").hidden = cards.some((card) => !card.hidden);
}

box.addEventListener("input", search);
box.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  box.value = "";
  search();
  box.blur();
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  box.focus();
});

// What is shared may change while the gallery is open; then it is loaded again, as it was left.
const KEPT = "atrium-search";
box.value ||= sessionStorage.getItem(KEPT) ?? "";
sessionStorage.removeItem(KEPT);
const changes = new URL(`${document.currentScript.dataset.prefix}changes`, location.href);
changes.searchParams.set("seen", document.currentScript.dataset.seen);
changes.protocol = changes.protocol.replace("http", "ws");

let leaving = false; // a click must not be lost to a reload
addEventListener("beforeunload", () => { leaving = true; });
addEventListener("pageshow", () => { leaving = false; });

function follow(wait) {
  const socket = new WebSocket(changes);
  socket.addEventListener("open", () => { wait = 1000; });
  socket.addEventListener("message", () => {
    if (leaving) return;
    sessionStorage.setItem(KEPT, box.value);
    location.reload();
  });
  socket.addEventListener("close", ({ code }) => {
    // What the hub has closed for good (see closed.js) is not opened again.
    if (code < 4400) setTimeout(follow, wait, Math.min(2 * wait, 60000));
  });
}

follow(1000);
search();
