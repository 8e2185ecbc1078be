// For pages before a dashboard's, where people wait or type: fetches what that will ask for.
for (const name of []) {
  const link = document.createElement("link");
  link.rel = "prefetch";
  link.href = new URL(name, document.currentScript.src);
  document.head.append(link);
}
