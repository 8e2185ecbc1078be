// A live dashboard: takes the skeleton away when the first view is drawn, and says so when the connection is lost.
(() => {
  // With subdomains the hub counts its redirects in the address; a link to pass on needs none.
  const here = new URL(location.href);
  if (here.searchParams.has("redirects")) {
    here.searchParams.delete("redirects");
    history.replaceState(history.state, "", here);
  }

  const waiting = document.getElementById("waiting");
  let lost = false;
  let banner = null;

  function show(text, label, act) {
    banner?.remove();
    banner = document.createElement("div");
    banner.className = "lost panel";
    banner.setAttribute("role", "alert");
    const words = document.createElement("span");
    words.textContent = text;
    const button = document.createElement("button");
    button.className = "button primary";
    button.textContent = label;
    button.addEventListener("click", act);
    banner.append(words, button);
    if (!waiting) {
      banner.style.cssText =
        "position:fixed;left:50%;bottom:64px;transform:translateX(-50%);z-index:2001;padding:8px 16px;" +
        "border-radius:8px;background:#1d2528;color:#e9ecec;font:15px/1.5 system-ui,sans-serif;display:flex;gap:12px";
    }
    document.body.append(banner);
  }

  function say() {
    if (lost) return;
    lost = true;
    show("Connection lost. What you see may be out of date.", "Reload", () => location.reload());
  }

  // Its process has ended by itself; the person's other dashboards go on.
  function ended() {
    if (lost || leaving) return;
    lost = true;
    show(
      "This dashboard has stopped; most likely it needed more memory than there is.",
      "Open it again",
      () => location.reload(),
    );
  }

  function failed(sentence, reference) {
    console.error(`A callback failed, reference ${reference}`);
    if (lost) return;
    const what = sentence || "Something went wrong in this dashboard.";
    show(
      `${what} What you see may be out of date. If it happens again, tell an admin this reference: ${reference}`,
      "Close",
      () => banner.remove(),
    );
  }

  function drawn() {
    document.dispatchEvent(new Event("atrium-drawn"));
    if (!waiting) return;
    waiting.hidden = true;
    const place = document.getElementById("dashboard");
    document.getElementById("empty").hidden = place.childElementCount > 0;
    setTimeout(fetch_for_later_plots, 2000); // not while the person takes the first slider
  }

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
      doc.on_event("connection_lost", () => { if (!leaving) say(); });
      doc.on_message("atrium-failed", ({ sentence, reference }) => failed(sentence, reference));
    }
    const settle = () => {
      if (docs.every((doc) => doc.is_idle)) drawn();
    };
    for (const doc of docs) doc.idle.connect(settle);
    settle();
  }
  document.addEventListener("atrium-ended", ended);
  document.addEventListener("atrium-unconnected", () => { if (!leaving) say(); });
  document.addEventListener("DOMContentLoaded", () => {
    fetch_shim_when_needed();
    if (!document.querySelector(".failed")) watch();
  });
})();
