// What stands behind the buttons of a dashboard's bar. Fetched after the first plot, or with the first click
// (dashboard.js). The bar is the page's own, or, round a page that a notebook lays out itself, one in a shadow root.
(() => {
  const host = document.querySelector("atrium-frame");
  const root = host?.shadowRoot ?? document;
  const place = host ? root : document.body;
  const bar = root.querySelector(".bar");
  const told = bar.dataset;
  const title = bar.querySelector("h1").textContent;
  const docs = () => window.Bokeh?.documents ?? [];
  let isLost = window.atriumIsLost === true;
  document.addEventListener("atrium-lost", () => { isLost = true; });

  function element(kind, values = {}, ...children) {
    const { data, ...others } = values;
    const made = Object.assign(document.createElement(kind), others);
    Object.assign(made.dataset, data);
    made.append(...children);
    return made;
  }
  const button = (words, act, className = "button") => {
    const made = element("button", { type: "button", className, textContent: words });
    made.addEventListener("click", act);
    return made;
  };

  // -- a dialog: the browser's own, which keeps the focus, closes with Esc and gives the focus back ---------------------

  function dialog(heading, ...children) {
    const name = element("h2", { id: "atrium-dialog", textContent: heading });
    const made = element("dialog", { className: "asked panel" }, name, ...children);
    made.setAttribute("aria-labelledby", name.id);
    made.append(button("Close", () => made.close(), "button close"));
    made.addEventListener("click", (event) => { if (event.target === made) made.close(); }); // beside it
    made.addEventListener("close", () => made.remove());
    place.append(made);
    made.showModal();
    return made;
  }
  const status = (words = "") => {
    const made = element("p", { className: "soft small", textContent: words });
    made.setAttribute("role", "status");
    return made;
  };

  // -- share ------------------------------------------------------------------------------------------------------------

  // The same for everybody: the hub leads each to their own server. It names nobody.
  function link() {
    document.dispatchEvent(new Event("atrium-write"));
    const shared = new URL(`${told.hub}user-redirect/dashboards/${told.path}`, location.href);
    shared.search = location.search;
    return shared.href;
  }

  async function share() {
    const field = element("input", { className: "field", readOnly: true, value: link() });
    field.setAttribute("aria-label", "Link");
    const said = status();
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(field.value);
        said.textContent = "Link copied.";
      } catch {
        field.focus();
        field.select();
        said.textContent = "Your browser does not let this page copy: copy the link by hand.";
      }
    };
    const steps = element("p", { className: "steps" }, button("Copy the link", copy, "button primary"));
    if (navigator.share) {
      steps.append(button("Send…", () => navigator.share({ title, url: field.value }).catch(() => {})));
    }
    const words = "Whoever may see this dashboard sees it by this link as you see it now.";
    dialog("Share", element("p", { className: "soft", textContent: words }), field, said, steps);
    await copy();
  }

  // -- download ---------------------------------------------------------------------------------------------------------

  const ANSWER = 30000; // milliseconds

  // The session answers: it has all rows, and knows dates from numbers.
  function ask(name, what) {
    const { MessageSentEvent } = Bokeh.require("document/events");
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("late")), ANSWER);
      for (const doc of docs()) {
        const hear = (answer) => {
          clearTimeout(late);
          doc.remove_on_message(name, hear);
          resolve(answer);
        };
        doc.on_message(name, hear);
        doc._trigger_on_change(new MessageSentEvent(doc, name, what));
      }
    });
  }

  const SHOWS_DATA = /(Figure|GridPlot|DataTable|DataTabulator|Perspective|Vega|Plotly)/;
  const has_data = () => !isLost && docs().some((doc) => [...doc.all_models].some(({ type }) => SHOWS_DATA.test(type)));

  function save(blob, ...names) {
    const words = names.filter((one, n) => one && names.indexOf(one) === n).join(" – ");
    const address = URL.createObjectURL(blob);
    const name = words.replace(/[\\/:*?"<>|\x00-\x1f]+/g, " ").trim().slice(0, 120);
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  }

  async function download() {
    const said = status();
    const choices = element("div", { className: "choices" });
    if (pictures().length) {
      const take = async () => {
        said.textContent = "";
        const blob = await picture();
        if (blob) save(blob, `${title}.png`);
        else said.textContent = "Your browser could not make a picture of this.";
      };
      choices.append(choice("Picture", "PNG, the plots as they look now", take));
    }
    dialog("Download", choices, said);
    choices.querySelector("button")?.focus();
    if (!has_data()) return;
    said.textContent = "Looking for data…";
    try {
      const { tables } = await ask("atrium-tables", null);
      said.textContent = "";
      tables.forEach((table, number) => {
        const rows = `CSV, ${table.rows.toLocaleString("en")} row${table.rows === 1 ? "" : "s"}`;
        choices.append(choice(table.title, rows, () => save_table(number, said)));
      });
      if (!choices.children.length) said.textContent = "There is nothing to download just now.";
    } catch {
      said.textContent = "The dashboard does not answer just now. Try again in a moment.";
    }
  }

  function choice(words, kind, act) {
    const made = button("", act, "button choice");
    made.append(element("span", { textContent: words }), element("span", { className: "soft small", textContent: kind }));
    return made;
  }

  async function save_table(number, said) {
    said.textContent = "One moment…";
    try {
      const answer = await ask("atrium-data", number);
      said.textContent = answer.problem ?? "";
      // With a mark of its encoding, by which spreadsheets read more than English.
      if (answer.csv) save(new Blob(["\ufeff", answer.csv], { type: "text/csv;charset=utf-8" }), title, `${answer.title}.csv`);
    } catch {
      said.textContent = "The dashboard does not answer just now. Try again in a moment.";
    }
  }

  // -- the picture ------------------------------------------------------------------------------------------------------

  const SMALLEST = 60; // pixels: what is smaller is an icon

  // What draws on the page: Bokeh's plots by themselves, and canvases, pictures and drawings of others.
  function pictures() {
    const found = [];
    const is_plot = (view) => /Figure|Plot$/.test(view.model.type) && view.canvas_view;
    for (const view of window.Bokeh?.index?.all_views?.() ?? []) {
      if (is_plot(view)) found.push({ element: view.el, draw: async () => view.export("png").canvas });
    }
    const plots = new Set(found.map((one) => one.element));
    const walk = (node) => {
      if (plots.has(node)) return;
      if (/^(canvas|img)$/i.test(node.localName)) found.push({ element: node, draw: async () => node });
      else if (node.localName === "svg") found.push({ element: node, draw: () => drawing(node) });
      else for (const child of [...(node.shadowRoot?.children ?? []), ...node.children]) walk(child);
    };
    walk(document.getElementById("dashboard") ?? document.body);
    return found.filter((one) => {
      one.box = one.element.getBoundingClientRect();
      return one.box.width >= SMALLEST && one.box.height >= SMALLEST;
    });
  }

  function drawing(svg) {
    const { width, height } = svg.getBoundingClientRect();
    const copy = svg.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = reject;
      image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
    });
  }

  const day = () => new Date().toLocaleDateString("en-GB", { dateStyle: "long" });

  // Each where it stands on the page, below the title. null: the browser refuses.
  async function picture() {
    const shown = pictures();
    const left = Math.min(...shown.map(({ box }) => box.left)), top = Math.min(...shown.map(({ box }) => box.top));
    const right = Math.max(...shown.map(({ box }) => box.right)), bottom = Math.max(...shown.map(({ box }) => box.bottom));
    const EDGE = 24, HEAD = 64, scale = Math.max(2, devicePixelRatio);
    const canvas = element("canvas");
    canvas.width = (right - left + 2 * EDGE) * scale;
    canvas.height = (bottom - top + HEAD + 2 * EDGE) * scale;
    const draw = canvas.getContext("2d");
    const look = getComputedStyle(bar);
    draw.scale(scale, scale);
    draw.fillStyle = look.backgroundColor;
    draw.fillRect(0, 0, canvas.width, canvas.height);
    draw.fillStyle = look.color;
    draw.font = `600 20px ${look.fontFamily}`;
    draw.fillText(title, EDGE, EDGE + 20, right - left);
    draw.font = `13px ${look.fontFamily}`;
    draw.fillText(day(), EDGE, EDGE + 44);
    for (const { box, draw: made } of shown) {
      try {
        draw.drawImage(await made(), box.left - left + EDGE, box.top - top + EDGE + HEAD, box.width, box.height);
      } catch (error) {
        console.warn("left out of the picture:", error);
      }
    }
    try {
      return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    } catch {
      return null; // drawn with a picture of another host
    }
  }

  // -- full screen, print -----------------------------------------------------------------------------------------------

  const full = () => document.documentElement.requestFullscreen().catch(() => {});

  // Light, with title, day and address; as wide as it is, made to fit the paper.
  let printed = null;
  const PAPER = 700; // pixels
  function before_print() {
    if (printed) return;
    const { style } = document.documentElement;
    style.setProperty("--print-width", `${innerWidth}px`);
    style.setProperty("--print-scale", Math.min(1, PAPER / innerWidth));
    const head = element(
      "div",
      { className: "atrium-printed", style: "display: none" },
      element("b", { textContent: title }),
      element("span", { textContent: `${day()} · ${link()}` }),
    );
    printed = { head, theme: document.documentElement.dataset.theme };
    document.body.prepend(head);
    if (!host) document.documentElement.dataset.theme = "light";
  }
  function after_print() {
    if (!printed) return;
    printed.head.remove();
    if (printed.theme === undefined) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = printed.theme;
    printed = null;
  }
  function print_page() {
    before_print();
    // Plots are drawn in the light colours first.
    requestAnimationFrame(() => setTimeout(() => window.print(), 150));
  }
  window.addEventListener("beforeprint", before_print);
  window.addEventListener("afterprint", after_print);
  window.addEventListener("keydown", (event) => {
    if (event.key !== "p" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    print_page();
  });

  // -- who may see this -------------------------------------------------------------------------------------------------

  function who() {
    const links = element("p", { className: "steps" });
    if (told.manage) links.append(element("a", { className: "button", href: told.manage, textContent: "People and groups" }));
    if (told.access) links.append(element("a", { className: "button", href: told.access, textContent: "Access" }));
    dialog("Who may see this", element("p", { textContent: told.audience }), ...(links.children.length ? [links] : []));
  }

  // -- the menu ---------------------------------------------------------------------------------------------------------

  const more = bar.querySelector('[data-act="more"]');
  const isNarrow = matchMedia("(max-width: 720px)");
  let menu = null;

  function items() {
    const narrow = isNarrow.matches;
    const dark = (document.documentElement.dataset.theme ?? "") === "dark"
      || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    return [
      narrow && ["Share", share],
      narrow && can_download() && ["Download", download],
      document.fullscreenEnabled && ["Full screen", full],
      ["Print", print_page],
      ["Who may see this", who],
      narrow && !host && [dark ? "Light" : "Dark", () => document.querySelector("[data-theme-switch]").click()],
      narrow && ["Sign out", () => { location.href = `${told.hub}logout`; }],
    ].filter(Boolean);
  }

  function open_menu(last = false) {
    menu = element("div", { className: "menu panel", popover: "auto", id: "atrium-menu" });
    menu.setAttribute("role", "menu");
    menu.setAttribute("aria-label", "More");
    if (isNarrow.matches) menu.append(element("p", { className: "soft small", textContent: told.person }));
    for (const [words, act] of items()) {
      const item = button(words, () => {
        close_menu();
        act();
      }, "item");
      item.setAttribute("role", "menuitem");
      item.tabIndex = -1;
      menu.append(item);
    }
    menu.querySelector("p")?.setAttribute("role", "presentation");
    menu.addEventListener("keydown", keys);
    menu.addEventListener("toggle", ({ newState }) => { if (newState === "closed") forget_menu(); });
    place.append(menu);
    menu.showPopover({ source: more });
    const under = more.getBoundingClientRect();
    menu.style.top = `${under.bottom + 4}px`;
    menu.style.right = `${Math.max(8, document.documentElement.clientWidth - under.right)}px`;
    more.setAttribute("aria-expanded", "true");
    const all = [...menu.querySelectorAll(".item")];
    all.at(last ? -1 : 0).focus();
  }

  function close_menu() {
    menu?.hidePopover();
    more.focus();
  }

  function forget_menu() {
    menu?.remove();
    menu = null;
    more.setAttribute("aria-expanded", "false");
  }

  function keys(event) {
    const all = [...menu.querySelectorAll(".item")];
    const now = all.indexOf(root.activeElement);
    const to = {
      ArrowDown: (now + 1) % all.length,
      ArrowUp: (now + all.length - 1) % all.length,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (to !== undefined) all[to].focus();
    else if (event.key === "Escape") close_menu();
    else if (event.key === "Tab") return close_menu();
    else return;
    event.preventDefault();
  }

  // -- the bar ----------------------------------------------------------------------------------------------------------

  const can_download = () => has_data() || pictures().length > 0;
  const look = () => { bar.querySelector('[data-act="download"]').hidden = !can_download(); };

  const acts = { share, download, more: () => (menu ? close_menu() : open_menu()) };
  // Pressed while its menu is open, the button would close it and open it again.
  let wasOpen = false;
  more.addEventListener("pointerdown", () => { wasOpen = menu !== null; });
  root.addEventListener("click", ({ target }) => {
    const act = target.closest?.("[data-act]")?.dataset.act;
    const closes = act === "more" && wasOpen;
    wasOpen = false;
    if (act && !closes) acts[act]();
  });
  more.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    if (!menu) open_menu(event.key === "ArrowUp");
  });

  // Round a page with colours of its own the bar is dark where that is dark.
  function follow_colours() {
    const [r, g, b, a = 1] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number);
    host.dataset.theme = a > 0.5 && 0.299 * r + 0.587 * g + 0.114 * b < 110 ? "dark" : "light";
  }
  if (host) {
    follow_colours();
    const colours = new MutationObserver(follow_colours);
    for (const one of [document.documentElement, document.body]) colours.observe(one, { attributeFilter: ["class", "style", "data-theme"] });
  }

  look();
  for (const doc of docs()) doc.idle.connect(look);
  window.atriumFrame = true;
  const asked = window.atriumAsked?.dataset.act;
  if (asked) acts[asked]();
})();
