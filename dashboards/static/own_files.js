// Scripts and styles come from an address that is everybody's. Should it not answer, the page is
// loaded once more, with this server's own copies for a minute; but not before the server answers:
// with the network away there would be no page at all.
(() => {
  const { files, prefix } = document.currentScript.dataset;
  const common = new URL(files, location.href).href;
  let isLoading = false;
  window.addEventListener(
    "error",
    (event) => {
      const url = event.target.src || event.target.href || "";
      if (!String(url).startsWith(common)) return;
      if (!isLoading) again();
      isLoading = true;
    },
    true, // such an error does not bubble
  );

  async function again() {
    try {
      await fetch(`${prefix}alive`, { redirect: "manual", cache: "no-store" });
    } catch {
      setTimeout(again, 1500);
      return;
    }
    document.dispatchEvent(new Event("atrium-again"));
    document.cookie = `atrium-own-files=1; path=${prefix}; max-age=60; samesite=lax`;
    location.reload();
  }
})();
