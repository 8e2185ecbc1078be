// A preview: the page of a viewer in a frame, made anew when the notebook is saved, with the values that its widgets had.
(() => {
  const { root, place, folder, name, start } = document.currentScript.dataset;
  const shown = document.getElementById("shown");
  const viewer = document.getElementById("viewer");
  const state = document.getElementById("state");
  const gone = document.getElementById("gone");
  const CHOSEN = "atrium-preview-viewer";
  let values = location.search;
  let version = "";

  const chosen = sessionStorage.getItem(CHOSEN);
  if ([...viewer.options].some((option) => option.value === chosen)) viewer.value = chosen;

  // The address of a dashboard follows its widgets; another page in the frame has nothing to say.
  function note_values() {
    const here = shown.contentWindow.location;
    if (here.pathname.startsWith(`${root}as/`) && here.pathname.endsWith(`/dashboards/${place}`)) values = here.search;
  }

  function show() {
    const whose = encodeURIComponent(viewer.value);
    shown.contentWindow.location.replace(`${root}as/${whose}/dashboards/${place}${values}`);
  }

  viewer.addEventListener("change", () => {
    sessionStorage.setItem(CHOSEN, viewer.value);
    note_values();
    show();
  });

  // Signing out, or asking somebody, is not for somebody who does not exist.
  shown.addEventListener("load", () => {
    shown.contentDocument?.addEventListener("click", (event) => {
      const link = event.composedPath().find((node) => node.tagName === "A" && node.href);
      if (!link || link.download || link.target === "_blank") return;
      const { origin, pathname } = new URL(link.href);
      if (origin === location.origin && pathname.startsWith(root)) return;
      event.preventDefault();
      state.textContent = "This leads out of the preview";
    }, true);
  });

  function lost() {
    gone.hidden = false;
    shown.hidden = true;
    document.getElementById("again").href = `${start}?next=${encodeURIComponent(location.pathname + values)}`;
    setTimeout(connect, 2000);
  }

  async function connect() {
    try {
      const { status } = await fetch(`${root}alive`, { redirect: "manual", cache: "no-store" });
      if (status !== 204) throw new Error("not the preview");
    } catch {
      lost();
      return;
    }
    const events = new EventSource(`${root}changes?${new URLSearchParams({ folder, name })}`);
    events.onmessage = ({ data }) => {
      if (!gone.hidden) {
        gone.hidden = true;
        shown.hidden = false;
        version = "";
      }
      if (data === version) return;
      state.textContent = data === "gone" ? "The notebook has been moved or removed" : "Follows when you save";
      if (data !== "gone") {
        note_values();
        show();
      }
      version = data;
    };
    events.onerror = () => {
      events.close();
      setTimeout(connect, 500);
    };
  }

  setInterval(() => { if (gone.hidden) note_values(); }, 500);
  connect();
})();
