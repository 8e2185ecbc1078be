// For pages before a dashboard's: the browser fetches what that will ask for. Where people wait, and do not type, it also
// draws a sample in a frame that nobody sees (ahead.html): what has been compiled for that is compiled no more.
{
  const here = document.currentScript.src;
  const DRAWN = "atrium-sample-drawn";
  const PATIENCE = 500; // milliseconds: whoever is led on at once is not held up

  for (const name of []) {
    const link = document.createElement("link");
    link.rel = "prefetch";
    link.href = new URL(name, here);
    document.head.append(link);
  }

  function draw() {
    if (performance.getEntriesByName(DRAWN).length || document.querySelector("input:not([type=hidden])")) return;
    const frame = document.createElement("iframe");
    frame.inert = true;
    frame.ariaHidden = "true";
    frame.style.cssText = "position:fixed;inset:0;width:100%;height:100%;border:0;opacity:0;pointer-events:none;z-index:-1";
    frame.src = new URL("ahead.html", here);
    addEventListener("message", ({ source, data }) => {
      if (source !== frame.contentWindow || data !== "drawn") return;
      performance.mark(DRAWN);
      frame.remove();
    });
    document.body.append(frame);
  }

  const wait = () => setTimeout(draw, PATIENCE);
  if (document.readyState === "complete") wait();
  else addEventListener("load", wait);
}
