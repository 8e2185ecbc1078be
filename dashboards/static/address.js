// The address follows the widgets (dashboards/address_state.py), once they rest.
(() => {
  const LONGEST = 2000;
  const changed = new Map();
  let waiting;

  function write() {
    const here = new URL(location.href);
    for (const [name, values] of changed) {
      here.searchParams.delete(name);
      for (const value of values) here.searchParams.append(name, value);
      if (here.search.length > LONGEST) here.searchParams.delete(name);
    }
    changed.clear();
    history.replaceState(history.state, "", here);
  }

  document.addEventListener("atrium-document", ({ detail }) => {
    detail.on_message("atrium-address", ({ name, values }) => {
      changed.set(name, values);
      clearTimeout(waiting);
      waiting = setTimeout(write, 300);
    });
  });
  window.addEventListener("pagehide", () => { if (changed.size) write(); });
})();
