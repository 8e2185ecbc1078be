// Says once how many seconds there were between the click, which began this navigation with all its redirects, and the
// first view. Not for a page that was in the background meanwhile: browsers draw those late, or not at all.
(() => {
  const { prefix, opening, xsrf } = document.currentScript.dataset;
  let seen = !document.hidden;
  document.addEventListener("visibilitychange", () => { seen = false; }, { once: true });
  document.addEventListener("atrium-drawn", () => {
    const seconds = performance.now() / 1000;
    if (!seen || !opening) return;
    fetch(`${prefix}opened`, {
      method: "POST",
      keepalive: true,
      headers: { "Content-Type": "application/json", "X-XSRFToken": xsrf },
      body: JSON.stringify({ opening, seconds }),
    }).catch(() => {}); // nobody waits for it
  }, { once: true });
})();
