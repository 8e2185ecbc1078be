// When the hub closes what somebody looks at, the page goes away at once, and the hub says why.
// Before any WebSocket is opened: Bokeh keeps the close code to itself.
(() => {
  const { hub, prefix, dashboard } = document.currentScript.dataset;
  const codes = new Map([[4401, "signed-out"], [4403, "taken"]]);

  window.atriumClosed = (why) => {
    document.documentElement.hidden = true;
    const page = new URL(`${hub}closed`, location.href);
    page.searchParams.set("why", why);
    if (dashboard) page.searchParams.set("dashboard", dashboard);
    location.replace(page);
  };

  // A server that blocked was ended without a word; then its address is the hub's.
  async function gone(tries) {
    if (tries === 0) return;
    try {
      const answer = await fetch(`${prefix}alive`, { redirect: "manual", cache: "no-store" });
      if (answer.status !== 204 && answer.status < 500) window.atriumClosed("stopped");
    } catch {
      // Nobody answers: the network, or the hub itself.
      setTimeout(gone, 3000, tries - 1);
    }
  }

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("close", ({ code }) => {
        if (codes.has(code)) window.atriumClosed(codes.get(code));
        else setTimeout(gone, 1500, 20);
      });
    }
  };
})();
