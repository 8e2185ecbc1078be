// The way back from a lost connection: once the server answers, the page is loaded anew, and what the person had chosen
// or typed is set again. It is kept in this tab, for this address.
(() => {
  const KEPT = "atrium-kept", FRESH = 3600000; // milliseconds
  const TRIES = "atrium-tries", MOST = 3, HOLDS = 30000;
  const touched = new Set();
  const docs = window.Bokeh?.documents ?? [];

  function stored(key) {
    try {
      return JSON.parse(sessionStorage.getItem(key));
    } catch {
      return null;
    }
  }

  function store(key, value) {
    try {
      if (value === null) sessionStorage.removeItem(key);
      else sessionStorage.setItem(key, JSON.stringify(value));
    } catch {
      // No storage here, or too much: the address alone keeps what it can.
    }
  }

  const place = () => location.pathname + location.search;
  const scroller = () => (document.querySelector("atrium-frame") ? document.body : document.scrollingElement);

  // What a person can set, with a name that finds it in another page of the same notebook. No password, no file.
  function* widgets() {
    const counted = new Map();
    for (const doc of docs) {
      for (const model of doc.all_models) {
        const { value, active, disabled, title, label } = model.properties;
        if (!disabled || !(value ?? active) || /Password|File/.test(model.type)) continue;
        const words = [title, label].find((one) => one && !one.is_unset)?.get_value();
        const name = `${model.type} ${typeof words === "string" ? words : ""}`;
        counted.set(name, (counted.get(name) ?? 0) + 1);
        yield { name: `${name} ${counted.get(name)}`, model, attr: value ? "value" : "active" };
      }
    }
  }

  // By the page alone, as it loads itself anew: whoever goes elsewhere, or signs out, leaves nothing in the tab.
  function keep() {
    const values = [];
    for (const { name, model, attr } of widgets()) {
      if (touched.has(model)) values.push([name, model[attr]]);
    }
    store(KEPT, { at: Date.now(), place: place(), scroll: scroller().scrollTop, values });
  }

  // As if the person had: the session hears of it.
  function set_again() {
    const kept = stored(KEPT);
    store(KEPT, null);
    if (kept?.place !== place() || Date.now() - kept.at > FRESH) return;
    const values = new Map(kept.values);
    for (const { name, model, attr } of widgets()) {
      const value = values.get(name);
      if (value === undefined || model.disabled || JSON.stringify(model[attr]) === JSON.stringify(value)) continue;
      try {
        model.setv({ [attr]: value });
      } catch (error) {
        console.warn("A value could not be set again:", error);
      }
    }
    scroller().scrollTop = kept.scroll;
  }

  // A page that nobody sees waits until somebody does. Where the connection does not hold, and where the dashboard itself
  // has stopped, a person decides.
  let isComing = false;
  function come_back() {
    if (isComing || window.atriumLost !== "connection") return;
    if (document.hidden) {
      document.addEventListener("visibilitychange", come_back, { once: true });
      return;
    }
    const tries = stored(TRIES) ?? 0;
    if (tries >= MOST) {
      document.dispatchEvent(new Event("atrium-does-not-hold"));
      return;
    }
    isComing = true;
    store(TRIES, tries + 1);
    keep();
    location.reload();
  }

  for (const doc of docs) {
    doc.on_change(({ kind, sync, attr, model }) => {
      if (kind === "ModelChanged" && sync !== false && (attr === "value" || attr === "active")) touched.add(model);
    });
  }
  set_again();
  setTimeout(() => { if (!window.atriumLost) store(TRIES, null); }, HOLDS);
  document.addEventListener("atrium-reachable", come_back);
  document.addEventListener("atrium-again", keep);
  // Taken away, or signed out: then nothing of it stays in this tab.
  document.addEventListener("atrium-closed", ({ detail }) => { if (detail === "stopped") keep(); else store(KEPT, null); });
  // Lost before this script was there: the answer may have come before it too.
  if (window.atriumLost === "connection") setTimeout(() => document.dispatchEvent(new Event("atrium-look")), 1500);
})();
