// For pages before a dashboard's, where people wait or type: fetches what that will ask for. Where people take their
// time (data-run), the scripts are also run in a frame that nobody sees: of what has run twice, browsers keep the
// compiled code.
(() => {
  const { src, dataset } = document.currentScript;
  for (const name of []) {
    const link = document.createElement("link");
    link.rel = "prefetch";
    link.href = new URL(name, src);
    document.head.append(link);
  }

  const RUNS = "atrium-runs";
  const soon = window.requestIdleCallback ?? ((done) => setTimeout(done, 200));

  function run() {
    const runs = Number(sessionStorage.getItem(RUNS));
    if (runs >= 2) return;
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.src = new URL("ahead.html", src);
    frame.addEventListener("load", () => {
      setTimeout(() => {
        sessionStorage.setItem(RUNS, runs + 1);
        frame.remove();
        soon(run);
      }, 300); // meanwhile the browser puts the code aside
    });
    document.body.append(frame);
  }

  if (!("run" in dataset) || navigator.connection?.saveData) return;
  if (document.readyState === "complete") soon(run);
  else window.addEventListener("load", () => soon(run));
})();
