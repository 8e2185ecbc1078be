// A chosen light or dark goes before the system's; set before anything is drawn. A button with
// data-theme-switch changes it, and says what it would change to.
(() => {
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem("atrium-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch {
    // No storage here: the system's choice stands.
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const other = () => ((root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark" ? "light" : "dark");

  function label() {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.textContent = other() === "dark" ? "Dark" : "Light";
      button.hidden = false;
    }
  }

  // Once: a script that Panel brings sends this event a second time.
  const ready = () => {
    label();
    system.addEventListener("change", label);
    document.addEventListener("click", (event) => {
      if (!event.target.closest?.("[data-theme-switch]")) return;
      root.dataset.theme = other();
      label();
      try {
        localStorage.setItem("atrium-theme", root.dataset.theme);
      } catch {
        // It holds for this page only.
      }
    });
  };
  document.addEventListener("DOMContentLoaded", ready, { once: true });
})();
