// What a dashboard kept in this tab, to come back with it: not for whoever signs in here next.
try {
  sessionStorage.removeItem("atrium-kept");
} catch {
  // No storage here: nothing is kept.
}
