// What stands behind the buttons of a dashboard's bar. Fetched after the first plot, or with the first click
// (dashboard.js), after download.js and print.js. The bar is the page's own, or, round a page that a notebook lays out
// itself, one in a shadow root.
(() => {
  const host = document.querySelector("atrium-frame");
  const root = host?.shadowRoot ?? document;
  const place = host ? root : document.body;
  const bar = root.querySelector(".bar");
  const told = bar.dataset;
  const title = bar.querySelector("h1").textContent;
  const target = bar.querySelector(".mark").target || "_self"; // in a page of others: a tab of its own
  const out = bar.querySelector("[data-sign-out]"); // which others cannot be
  const docs = () => window.Bokeh?.documents ?? [];

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
    shared.search = window.atriumShared();
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

  const { download, can_download, day } = window.atriumDownload({ bar, title, docs, element, button, dialog, status });

  const print_page = window.atriumPrint({ host, title, element, day, link });

  const full = () => document.documentElement.requestFullscreen().catch(() => {});

  // -- who may see this -------------------------------------------------------------------------------------------------

  function who() {
    const links = element("p", { className: "steps" });
    if (told.manage) links.append(element("a", { className: "button", href: told.manage, target, textContent: "People and groups" }));
    if (told.access) links.append(element("a", { className: "button", href: told.access, target, textContent: "Access" }));
    dialog("Who may see this", element("p", { textContent: told.audience }), ...(links.children.length ? [links] : []));
  }

  // -- the menu ---------------------------------------------------------------------------------------------------------

  const more = bar.querySelector('[data-act="more"]');
  const isNarrow = matchMedia("(max-width: 720px)");
  let menu = null;

  function items() {
    const narrow = isNarrow.matches;
    const colours = document.querySelector("[data-theme-switch]"); // says what it changes to
    return [
      narrow && ["Share", share],
      narrow && can_download() && ["Download", download],
      document.fullscreenEnabled && ["Full screen", full],
      ["Print", print_page],
      ["Who may see this", who],
      told.versions && ["Versions", () => { window.open(told.versions, target); }],
      narrow && colours && [colours.textContent, () => colours.click()],
      narrow && out && ["Sign out", () => { location.href = out.href; }],
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
    const attributeFilter = ["class", "style", "data-theme"];
    for (const one of [document.documentElement, document.body]) colours.observe(one, { attributeFilter });
  }

  look();
  for (const doc of docs()) doc.idle.connect(look);
  window.atriumFrame = true;
  const asked = window.atriumAsked?.dataset.act;
  if (asked) acts[asked]();
})();
