// When the hub closes what somebody looks at, the page goes away at once, and the hub says why.
// Before any WebSocket is opened: Bokeh keeps the close code to itself.
(() => {
  const { hub, prefix, dashboard } = document.currentScript.dataset;
  const codes = new Map([[4401, "signed-out"], [4403, "taken"]]);

  // Whoever signs out in this very page is on the way to another one already.
  let leaving = false;
  window.addEventListener("beforeunload", () => {
    leaving = true;
    setTimeout(() => { leaving = false; }, 10000);
  });

  function close(why) {
    if (leaving) return;
    document.documentElement.style.visibility = "hidden";
    const page = new URL(`${hub}closed`, location.href);
    page.searchParams.set("why", why);
    if (dashboard) page.searchParams.set("dashboard", dashboard);
    page.searchParams.set("values", location.search.slice(1));
    location.replace(page);
  }

  // A server that did not answer the hub was ended without a word; then its address is the hub's.
  async function gone(tries) {
    if (tries === 0) return;
    try {
      const { status } = await fetch(`${prefix}alive`, { redirect: "manual", cache: "no-store" });
      if (status === 204) return;
      if (status < 500) return close("stopped");
    } catch {
      // Nobody answers: the network, or the hub itself.
    }
    setTimeout(gone, 3000, tries - 1);  // 5xx: the hub has not noticed yet
  }

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("close", ({ code }) => {
        if (codes.has(code)) close(codes.get(code));
        else if (code === 4410) document.dispatchEvent(new Event("atrium-ended"));
        else setTimeout(gone, 1500, 20);
      });
    }
  };
})();
