// The address follows the widgets (dashboards/live/address_state.py) once they rest, and the widgets follow the address when
// somebody goes back or forward.
(() => {
  const LONGEST = 2000;
  const REST = 400; // milliseconds
  const GO = "atrium-go";
  const changed = new Map();
  const docs = [];
  let waiting, held = false, acted = false, returning = false, isLost = false;
  let shown = location.search;
  let ignored; // "kind=foo", as the note says

  function is_ignored(name) {
    ignored ??= JSON.parse(document.querySelector("[data-ignored]")?.dataset.ignored ?? "[]");
    return ignored.some((asked) => asked.startsWith(`${name}=`));
  }

  // What of the address a link to others carries: the widgets' values, and nothing of those who count visits.
  window.atriumShared = () => {
    const shared = new URLSearchParams(location.search);
    for (const name of new Set(shared.keys())) {
      if (is_ignored(name) || /^(redirects|utm_\w+)$/.test(name)) shared.delete(name);
    }
    return shared.toString();
  };

  // What a person has done is a step to go back to; what a dashboard does by itself is none.
  for (const kind of ["pointerdown", "keydown", "input", "change", "wheel"]) {
    window.addEventListener(kind, () => { acted = true; }, { capture: true, passive: true });
  }
  window.addEventListener("pointerdown", () => { held = true; }, true);
  for (const kind of ["pointerup", "pointercancel", "blur"]) {
    window.addEventListener(kind, () => { held = false; }, true);
  }

  function write() {
    clearTimeout(waiting);
    const here = new URL(location.href);
    for (const [name, values] of changed) {
      here.searchParams.delete(name);
      for (const value of values) here.searchParams.append(name, value);
      if (here.search.length > LONGEST) here.searchParams.delete(name);
    }
    changed.clear();
    if (here.href === location.href) return;
    if (acted && !returning) history.pushState(null, "", here);
    else history.replaceState(history.state, "", here);
    acted = false;
    shown = location.search;
  }

  function write_when_at_rest() {
    clearTimeout(waiting);
    // A slider that is held is not at rest, however long somebody looks.
    waiting = setTimeout(() => (held ? write_when_at_rest() : write()), REST);
  }

  function go() {
    if (location.search === shown) return; // another place in the page
    shown = location.search;
    if (isLost || docs.length === 0) return location.reload();
    changed.clear();
    returning = true;
    note([]);
    const { MessageSentEvent } = Bokeh.require("document/events");
    for (const doc of docs) doc._trigger_on_change(new MessageSentEvent(doc, GO, location.search.slice(1)));
  }

  // The sentence stands in the page, as of the address that it was opened by.
  function note(asked_in_vain) {
    ignored = asked_in_vain;
    const words = document.getElementById("ignored");
    if (!words) return; // a page of the notebook's own
    words.hidden = ignored.length === 0;
    const codes = ignored.slice(0, 5).map((asked) => Object.assign(document.createElement("code"), { textContent: asked }));
    words.querySelector("span").replaceChildren(...codes.flatMap((code, n) => (n ? [", ", code] : [code])));
  }

  document.addEventListener("atrium-document", ({ detail: doc }) => {
    docs.push(doc);
    doc.on_message("atrium-address", ({ name, values }) => {
      changed.set(name, values);
      if (is_ignored(name)) ignored = ignored.filter((asked) => !asked.startsWith(`${name}=`));
      write_when_at_rest();
    });
    doc.on_message(GO, ({ ignored }) => {
      write(); // what the notebook has changed by itself is of this step
      returning = false;
      note(ignored);
    });
  });
  document.addEventListener("atrium-lost", () => { isLost = true; });
  document.addEventListener("atrium-write", () => { if (changed.size) write(); });
  window.addEventListener("popstate", go);
  window.addEventListener("pagehide", () => { if (changed.size) write(); });
})();
