// What admins tell everybody, below the bar of a page, until it is dismissed or another one comes.
// A page with data-prefix hears of it while it is open.
(() => {
  const script = document.currentScript;
  const { prefix, announcement } = script.dataset;
  const KEY = "atrium-announcement"; // of the one that was dismissed last
  let note = null;

  function dismissed(key) {
    try {
      return localStorage.getItem(KEY) === key;
    } catch {
      return false; // no storage here: it comes back with the next page
    }
  }

  function show(told) {
    note?.remove();
    note = null;
    if (!told || dismissed(told.key)) return;
    note = document.createElement("aside");
    note.className = `note${told.kind === "warn" ? " warn" : ""}`;
    note.setAttribute("role", "status");
    note.style.cssText =
      "display:flex;align-items:center;justify-content:center;gap:8px;border-radius:0;padding-block:2px;overflow-wrap:anywhere";
    const words = document.createElement("span");
    words.textContent = told.text;
    const button = document.createElement("button");
    button.className = "button quiet";
    button.textContent = "Dismiss";
    button.addEventListener("click", () => {
      note.remove();
      try {
        localStorage.setItem(KEY, told.key);
      } catch {
        // It is gone from this page only.
      }
    });
    note.append(words, button);
    if ("own" in script.dataset) {
      // A page with a look of its own has none of our sheet.
      note.style.cssText +=
        ";position:fixed;left:50%;top:8px;transform:translateX(-50%);z-index:2000;width:max-content;max-width:calc(100vw - 32px);" +
        "padding:4px 4px 4px 16px;border-radius:8px;background:#1d2528;color:#e9ecec;font:15px/1.5 system-ui,sans-serif";
      button.style.cssText = "min-height:36px;padding:0 12px;border:0;background:none;color:inherit;font:inherit;text-decoration:underline;cursor:pointer";
    }
    script.after(note);
  }

  show(JSON.parse(announcement ?? "null"));
  if (!prefix) return;

  const address = new URL(`${prefix}announcement`, location.href);
  address.protocol = address.protocol.replace("http", "ws");

  function follow(wait) {
    const socket = new WebSocket(address);
    socket.addEventListener("open", () => { wait = 1000; });
    socket.addEventListener("message", ({ data }) => show(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => {
      if (code < 4400) setTimeout(follow, wait, Math.min(2 * wait, 60000));
    });
  }

  // Not while the page is made and its first plot drawn.
  addEventListener("load", () => setTimeout(follow, 3000, 1000));
})();
