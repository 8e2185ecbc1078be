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
    note_values();
    const whose = encodeURIComponent(viewer.value);
    shown.contentWindow.location.replace(`${root}as/${whose}/dashboards/${place}${values}`);
  }

  viewer.addEventListener("change", () => {
    sessionStorage.setItem(CHOSEN, viewer.value);
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

  async function runs() {
    try {
      return (await fetch(`${root}alive`, { redirect: "manual", cache: "no-store" })).status === 204;
    } catch {
      return false;
    }
  }

  let events;

  function listen() {
    events = new EventSource(`${root}changes?${new URLSearchParams({ folder, name })}`);
    events.onmessage = ({ data }) => {
      if (data === version) return;
      version = data;
      state.textContent = data === "gone" ? "The notebook has been moved or removed" : "Follows when you save";
      if (data !== "gone") show();
    };
    events.onerror = () => { events.close(); };
  }

  // Whether the lab is there is asked: a proxy may hold a stream open that nobody writes to any more.
  async function watch() {
    const is_there = await runs();
    if (!is_there) {
      events?.close();
      events = undefined;
      version = "";
      document.getElementById("again").href = `${start}?next=${encodeURIComponent(location.pathname + values)}`;
    }
    gone.hidden = is_there;
    shown.hidden = !is_there;
    if (is_there && (!events || events.readyState === EventSource.CLOSED)) listen();
    setTimeout(watch, is_there ? 5000 : 2000);
  }

  setInterval(note_values, 1000); // when the lab is gone it is too late
  watch();
})();
