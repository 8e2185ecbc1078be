// A dashboard on paper: light, with title, day and address, as wide as it is and made to fit, its tables whole (print.css).
// Takes from frame.js what it is made of.
window.atriumPrint = ({ host, title, element, day, link }) => {
  const PAPER = 700; // pixels
  const MOST = 1000; // rows of a table
  let printed = null;

  function before_print() {
    if (printed) return;
    const { style } = document.documentElement;
    style.setProperty("--print-width", `${innerWidth}px`);
    style.setProperty("--print-scale", Math.min(1, PAPER / innerWidth));
    const head = element(
      "div",
      { className: "atrium-printed", style: "display: none" },
      element("b", { textContent: title }),
      element("span", { textContent: `${day()} · ${link()}` }),
    );
    document.body.prepend(head);
    printed = { added: [head], broken: [], theme: document.documentElement.dataset.theme };
    tables();
    if (host) return;
    document.documentElement.dataset.theme = "light";
    window.atriumPaint?.(); // the browser's own menu does not wait
  }

  function after_print() {
    if (!printed) return;
    for (const one of printed.added) one.remove();
    for (const one of printed.broken) one.style.breakInside = "";
    if (printed.theme === undefined) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = printed.theme;
    printed = null;
  }

  // A Tabulator has no rows on the page but those in its box: a plain table of all that are here takes its place.
  function tables() {
    for (const view of window.Bokeh?.index?.all_views?.() ?? []) {
      const box = view.shadow_el?.querySelector(".tabulator");
      if (!box || !view.tabulator?.modules?.export) continue;
      try {
        const table = whole(view);
        box.before(table);
        printed.added.push(table);
        // It begins where there is room, and goes on on the next page.
        for (let around = view.el; around; around = around.parentElement ?? around.getRootNode().host) {
          around.style.breakInside = "auto";
          printed.broken.push(around);
        }
      } catch (error) {
        console.warn("a table is printed as it is:", error);
      }
    }
  }

  function whole({ tabulator, model }) {
    const rows = tabulator.getRows("active");
    const table = tabulator.modules.export.generateTable({}, false, () => rows.slice(0, MOST), "print");
    const pages = model.pagination === "remote" && model.max_page > 1;
    const less = pages ? `Page ${model.page} of ${model.max_page}.` : rows.length > MOST ? `The first ${MOST} of ${rows.length} rows.` : "";
    const made = element("div", { className: "whole" }, element("style", { textContent: STYLE }), table);
    if (less) made.append(element("p", { textContent: `${less} Download has them all.` }));
    return made;
  }

  const STYLE = `
    .whole { display: none; color: var(--ink, #1d2528); font: 12px/1.4 var(--font, system-ui, sans-serif); }
    .whole table { width: 100%; border-collapse: collapse; }
    .whole :is(th, td) { padding: 3px 8px; border-bottom: 1px solid #d5d5d5; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
    @media print {
      :host { height: auto !important; max-height: none !important; }
      .whole { display: block; }
      .whole ~ .tabulator { display: none !important; }
    }`;

  function print_page() {
    before_print();
    // What others draw follows the light colours first.
    requestAnimationFrame(() => setTimeout(() => window.print(), 150));
  }
  window.addEventListener("beforeprint", before_print);
  window.addEventListener("afterprint", after_print);
  window.addEventListener("keydown", (event) => {
    if (event.key !== "p" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    print_page();
  });
  return print_page;
};
