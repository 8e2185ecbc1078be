// When the hub closes what somebody looks at, the page goes away at once, and the hub says why. When a connection is
// lost for another reason, the server is asked until it answers. Before any WebSocket is opened: Bokeh keeps the close
// code to itself.
(() => {
  const { hub, prefix, dashboard } = document.currentScript.dataset;
  const codes = new Map([[4401, "signed-out"], [4403, "taken"]]);
  const FIRST = 1500, LONGEST = 60000, ASLEEP = 60000, UNHEARD = 8000, PATIENCE = 10000; // milliseconds

  // Whoever signs out in this very page is on the way to another one already.
  let leaving = false;
  window.addEventListener("beforeunload", () => {
    leaving = true;
    setTimeout(() => { leaving = false; }, 10000);
  });

  function close(why) {
    if (leaving) return;
    document.dispatchEvent(new CustomEvent("atrium-closed", { detail: why }));
    document.documentElement.style.visibility = "hidden";
    const page = new URL(`${hub}closed`, location.href);
    page.searchParams.set("why", why);
    if (dashboard) page.searchParams.set("dashboard", dashboard);
    page.searchParams.set("values", location.search.slice(1));
    location.replace(page);
  }

  // Whoever comes back to a page whose server was stopped meanwhile asks for it by that: the hub starts it again.
  let beat = Date.now(), woke = 0;
  setInterval(() => {
    if (Date.now() - beat > ASLEEP) woke = Date.now();
    beat = Date.now();
  }, 5000);

  function stopped() {
    const slept = Math.max(Date.now() - beat, 0) > ASLEEP || Date.now() - woke < ASLEEP;
    if (!dashboard || !(document.hidden || slept)) return close("stopped");
    const again = () => {
      if (document.hidden) return;
      document.dispatchEvent(new Event("atrium-again"));
      const path = dashboard.split("/").map(encodeURIComponent).join("/");
      location.replace(new URL(`${hub}user-redirect/dashboards/${path}${location.search}`, location.href));
    };
    document.addEventListener("visibilitychange", again);
    again();
  }

  const asked = () =>
    fetch(`${prefix}alive`, { redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });

  let wait = 0, timer, isAsking = false;
  // A server that did not answer the hub was ended without a word; then its address is the hub's.
  async function ask() {
    clearTimeout(timer);
    if (isAsking) return;
    isAsking = true;
    try {
      const { status } = await asked();
      if (status === 204) {
        wait = 0;
        return document.dispatchEvent(new Event("atrium-reachable"));
      }
      if (status === 401) return close("signed-out");
      if (status < 500) return stopped();
    } catch {
      // Nobody answers: the network, or the hub itself.
    } finally {
      isAsking = false;
    }
    // 5xx: the hub has not noticed yet. Not all pages at once, when it comes back.
    wait = Math.min(wait * 1.6, LONGEST);
    timer = setTimeout(ask, wait * (0.7 + 0.6 * Math.random()));
  }

  function look() {
    if (wait === 0) return;
    wait = FIRST;
    ask();
  }
  // A WebSocket does not notice that the network is away, and what is typed then goes nowhere.
  function lost() {
    if (!dashboard || leaving) return;
    document.dispatchEvent(new Event("atrium-unconnected"));
    if (wait !== 0) return;
    wait = FIRST;
    timer = setTimeout(ask, FIRST);
  }
  window.addEventListener("offline", lost);
  window.addEventListener("online", look);
  document.addEventListener("visibilitychange", back);
  window.addEventListener("focus", back);
  document.addEventListener("atrium-look", () => { wait ||= FIRST; look(); });

  // Nor that nothing comes through any more. A dashboard that computes is silent too; but its server answers.
  async function doubt() {
    if (wait !== 0) return;
    const is_there = await asked().then(({ status }) => status === 204, () => false);
    if (!is_there) lost();
  }

  // Whoever comes back to a page learns it before they do anything.
  let heard = Date.now();
  function back() {
    if (document.hidden) return;
    look();
    if (dashboard && Date.now() - heard > ASLEEP) doubt();
  }

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    #unheard;

    send(data) {
      super.send(data);
      this.#unheard ??= setInterval(doubt, UNHEARD);
    }

    #heard() {
      heard = Date.now();
      clearInterval(this.#unheard);
      this.#unheard = undefined;
    }

    constructor(...given) {
      super(...given);
      this.addEventListener("message", () => this.#heard());
      this.addEventListener("close", () => this.#heard());
      this.addEventListener("close", ({ code }) => {
        if (codes.has(code)) close(codes.get(code));
        else if (code === 4410) document.dispatchEvent(new Event("atrium-ended"));
        else if (wait === 0) {
          wait = FIRST;
          timer = setTimeout(ask, FIRST);
        }
      });
    }
  };
})();
