// A chosen light or dark goes before the system's; set before anything is drawn.
try {
  const chosen = localStorage.getItem("atrium-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // No storage here: the system's choice stands.
}
