// A live dashboard: takes the skeleton away when the first view is drawn, and says so when the connection is lost.
(() => {
  // With subdomains the hub counts its redirects in the address; a link to pass on needs none.
  const here = new URL(location.href);
  if (here.searchParams.has("redirects")) {
    here.searchParams.delete("redirects");
    history.replaceState(history.state, "", here);
  }

  const later = document.currentScript.dataset;
  const waiting = document.getElementById("waiting");
  const own = document.querySelector("atrium-frame")?.shadowRoot; // round a page of the notebook's own
  let lost = false;
  let banner = null;

  // `act`: what a button does, by the words on it.
  function show(text, act) {
    banner?.remove();
    banner = document.createElement("div");
    banner.className = "lost panel";
    banner.setAttribute("role", "alert");
    const words = document.createElement("span");
    words.textContent = text;
    banner.append(words);
    for (const [label, press] of Object.entries(act)) {
      const button = document.createElement("button");
      button.className = "button primary";
      button.textContent = label;
      button.addEventListener("click", press);
      banner.append(button);
    }
    if (!waiting && !own) {
      banner.style.cssText =
        "position:fixed;left:50%;bottom:64px;transform:translateX(-50%);z-index:2001;padding:8px 16px;" +
        "border-radius:8px;background:#1d2528;color:#e9ecec;font:15px/1.5 system-ui,sans-serif;display:flex;gap:12px";
    }
    (own ?? document.body).append(banner);
  }

  const PATIENCE = 120000; // milliseconds until it is said that there is no answer at all; see kept.js for the way back
  let patient;
  const look = () => document.dispatchEvent(new Event("atrium-look"));
  const again = () => {
    document.dispatchEvent(new Event("atrium-again"));
    location.reload();
  };

  function lose(what) {
    if (lost || leaving) return false;
    lost = true;
    window.atriumLost = what; // for the scripts that come later
    document.dispatchEvent(new Event("atrium-lost"));
    busy(false);
    fetch_later();
    return true;
  }

  function say() {
    if (!lose("connection")) return;
    show("Connection lost. What you see may be out of date; it comes back by itself.", { "Try now": look });
    patient = setTimeout(() => {
      show(
        "Still no answer. Your network may be away, or the dashboards are being mended. It is tried again from time to " +
          "time, and what you have chosen is kept in this tab.",
        { "Try now": look },
      );
    }, PATIENCE);
  }

  // Its process has ended by itself; the person's other dashboards go on.
  function ended() {
    if (!lose("dashboard")) return;
    const text = "This dashboard has stopped; most likely it needed more memory than there is.";
    show(text, { "Open it again": again });
  }

  // -- what runs just now ---------------------------------------------------------------------------------------------

  let calm;
  function busy(is) {
    clearTimeout(calm);
    const line = (own ?? document).querySelector(".busy");
    const tell = () => {
      if (line) line.hidden = !is;
      (waiting?.parentElement ?? document.body).ariaBusy = is ? "true" : null;
    };
    if (is) calm = setTimeout(tell, 300);
    else tell();
  }

  function failed(sentence, reference) {
    console.error(`A callback failed, reference ${reference}`);
    if (lost) return;
    const what = sentence || "Something went wrong in this dashboard.";
    show(
      `${what} What you see may be out of date. If it happens again, tell an admin this reference: ${reference}`,
      { Close: () => banner.remove() },
    );
  }

  let isDrawn = false;
  function drawn() {
    document.dispatchEvent(new Event("atrium-drawn"));
    if (!isDrawn) {
      isDrawn = true;
      setTimeout(fetch_later, 300);
    }
    if (!waiting) return;
    waiting.hidden = true;
    const place = document.getElementById("dashboard");
    document.getElementById("empty").hidden = place.childElementCount > 0;
    setTimeout(fetch_for_later_plots, 2000); // not while the person takes the first slider
  }

  // What nobody needs before the first plot: what stands behind the buttons of the bar, and the way back from a lost
  // connection. It comes then, or with the first click.
  let fetched = false;
  function fetch_later() {
    if (fetched) return;
    fetched = true;
    const add = (kind, values) => document.head.append(Object.assign(document.createElement(kind), values));
    if (later.sheet) add("link", { rel: "stylesheet", href: later.sheet });
    if (later.print) add("link", { rel: "stylesheet", href: later.print, media: "print" });
    for (const src of later.scripts.split(" ")) add("script", { src, async: false }); // in this order
  }
  (own ?? document).addEventListener("click", ({ target }) => {
    const button = target.closest?.("[data-act]");
    if (!button || window.atriumFrame) return;
    window.atriumAsked = button;
    fetch_later();
  });

  // What only some plots need, if none of those that are drawn is one of them.
  function fetch_for_later_plots() {
    for (const later of document.querySelectorAll("script[data-drawn]")) {
      const script = document.createElement("script");
      script.src = later.dataset.drawn;
      later.replaceWith(script);
    }
  }

  // What browsers of some years ago need for components that are modules: fetched when the first one comes.
  function fetch_shim_when_needed() {
    const later = document.querySelector("script[data-later]");
    if (!later) return;
    const maps = [];
    let fetched;
    window.importShim = (...asked) => {
      fetched ??= new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.onload = () => {
          for (const map of maps) window.importShim.addImportMap(map);
          resolve(window.importShim);
        };
        script.onerror = reject;
        script.src = later.dataset.later;
        later.replaceWith(script);
      });
      return fetched.then((shim) => shim(...asked));
    };
    window.importShim.addImportMap = (map) => { maps.push(map); };
  }

  let leaving = false;
  window.addEventListener("pagehide", () => { leaving = true; });

  let patience = 1000; // tries of 20 ms, counted once all scripts are here

  function watch() {
    const docs = window.Bokeh?.documents ?? [];
    if (docs.length === 0) {
      if (document.readyState === "complete") patience -= 1;
      if (patience === 0) say();
      setTimeout(watch, 20);
      return;
    }
    for (const doc of docs) {
      document.dispatchEvent(new CustomEvent("atrium-document", { detail: doc }));
      doc.on_event("connection_lost", say);
      doc.on_message("atrium-busy", (told) => busy(told.busy));
      doc.on_message("atrium-failed", ({ sentence, reference }) => failed(sentence, reference));
    }
    const settle = () => {
      if (docs.every((doc) => doc.is_idle)) drawn();
    };
    for (const doc of docs) doc.idle.connect(settle);
    settle();
  }
  document.addEventListener("atrium-ended", ended);
  document.addEventListener("atrium-unconnected", say);
  document.addEventListener("atrium-does-not-hold", () => {
    clearTimeout(patient);
    show("The connection does not hold. Wait a moment, or tell an admin of your team.", {
      "Open it again": again,
    });
  });
  document.addEventListener("DOMContentLoaded", () => {
    fetch_shim_when_needed();
    if (!document.querySelector(".failed")) watch();
  });
})();
