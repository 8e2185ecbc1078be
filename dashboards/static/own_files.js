// Scripts and styles come from an address that is everybody's. Should it not answer, the page is
// loaded once more, with this server's own copies for a minute.
(() => {
  const { files, prefix } = document.currentScript.dataset;
  const common = new URL(files, location.href).href;
  window.addEventListener(
    "error",
    (event) => {
      const url = event.target.src || event.target.href || "";
      if (!String(url).startsWith(common)) return;
      document.cookie = `atrium-own-files=1; path=${prefix}; max-age=60; samesite=lax`;
      location.reload();
    },
    true, // such an error does not bubble
  );
})();
