// What Bokeh draws follows the page's light and dark, live.
//
// A canvas knows no CSS variables. So each colour of a plot that is one of our tokens, in its
// light or its dark value, is replaced by what the token says on this page now. Colours that
// are nobody's token stay what the notebook's author chose. Nothing is sent to the server.
// The values are those of atrium.css and dashboards/live/theme.py; a test holds them together.
(() => {
  "use strict";

  const TOKENS = {
    "--ink": ["#1d2528", "#e9ecec", "black", "#000000"],
    "--ink-soft": ["#566064", "#a6b1b4", "#444444", "#5b5b5b"],
    "--line": ["#e3e0d8", "#303a3e", "#e5e5e5"],
    "--line-strong": ["#8b8f8b", "#6d797d"],
    "--surface": ["#ffffff", "#1c2326", "#fff", "white"],
    "--data-1": ["#0072b2", "#56b4e9", "#1f77b4"], // the last is Bokeh's own first colour
    "--data-2": ["#d55e00", "#ff9a57"],
    "--data-3": ["#009e73", "#3ccfa0"],
    "--data-4": ["#cc79a7", "#e6a3c8"],
    "--data-5": ["#5a3e00", "#f0dc5a"],
    "--data-6": ["#6b3fd4", "#8a5cf0"],
  };

  const token_of = new Map();
  for (const [token, values] of Object.entries(TOKENS)) {
    for (const value of values) token_of.set(value, token);
  }

  let now = {};
  function read_tokens() {
    const style = getComputedStyle(document.documentElement);
    now = {};
    for (const token of Object.keys(TOKENS)) {
      const value = style.getPropertyValue(token).trim();
      if (!value) continue; // a page without the sheet keeps the colours as they came
      now[token] = value;
      token_of.set(value.toLowerCase(), token);
    }
  }

  // the colour to show instead, or undefined where the value is none of ours
  function shown(value) {
    if (typeof value === "string") {
      const colour = now[token_of.get(value.toLowerCase())];
      return colour === undefined || colour === value ? undefined : colour;
    }
    if (Array.isArray(value)) {
      const colours = value.map((one) => shown(one) ?? one);
      return colours.some((one, i) => one !== value[i]) ? colours : undefined;
    }
    if (value !== null && typeof value === "object" && typeof value.value === "string") {
      const colour = shown(value.value);
      return colour === undefined ? undefined : { ...value, value: colour };
    }
    return undefined;
  }

  const colour_names = new Map(); // type of model -> names of its colour properties
  function names_of(model) {
    let names = colour_names.get(model.type);
    if (names === undefined) {
      names = Object.keys(model.properties).filter((name) => /(color|palette)$/.test(name));
      colour_names.set(model.type, names);
    }
    return names;
  }

  function paint(doc) {
    for (const model of doc.all_models) {
      if (!model.syncable) continue; // a tool's own rubber band, no part of the plot
      const changes = {};
      for (const name of names_of(model)) {
        const property = model.properties[name];
        const colour = property === undefined || property.is_unset ? undefined : shown(property.get_value());
        if (colour !== undefined) changes[name] = colour;
      }
      if (Object.keys(changes).length > 0) model.setv(changes, { sync: false });
    }
  }

  const due = new Set();
  function paint_soon(doc) {
    if (due.has(doc)) return;
    due.add(doc);
    // a microtask: after the change is complete, before the browser draws it
    queueMicrotask(() => {
      due.delete(doc);
      try {
        paint(doc);
      } catch (error) {
        console.warn("plots keep their colours:", error);
      }
    });
  }

  function follow(doc) {
    doc.on_change((event) => {
      // columns of data hold no models; they change with every step of a slider
      if (!["ColumnDataChanged", "ColumnsStreamed", "ColumnsPatched"].includes(event.kind)) paint_soon(doc);
    });
    paint_soon(doc);
  }

  // What is shown at the pointer stands outside of all shadow roots that Python can style.
  const TOOLTIP =
    ":host { --tooltip-color: var(--surface); --tooltip-text: var(--ink); --tooltip-border: var(--line-strong);" +
    " --tooltip-arrow-color: var(--line-strong); padding: 8px 12px; border-radius: 6px; font-family: var(--font); }" +
    " .bk-tooltip-row-label { color: var(--ink-soft); padding-right: 4px; }";

  function adjust_models() {
    Bokeh.Models.get("Tooltip")?.override({ stylesheets: [TOOLTIP] });
    // A slider's handle has the role and the keys of a slider, and no name, as a picker of dates: they get their title.
    after("Slider", "render", ({ shadow_el, model }) => name(shadow_el, ".noUi-handle", model.title));
    after("DatePicker", "render", ({ shadow_el, model }) => name(shadow_el, "input", model.title));
    // To those who hear it a table is its head and its rows, without the buttons below.
    after("panel.models.tabulator.DataTabulator", "tableBuilt", ({ shadow_el }) => {
      const [table, head, body] = [".tabulator", ".tabulator-header", ".tabulator-tableholder"].map((one) => shadow_el.querySelector(one));
      if (!table || !head || !body) return;
      for (const attribute of ["role", "aria-owns"]) table.removeAttribute(attribute);
      head.id = "table-head";
      body.setAttribute("role", "grid");
      body.setAttribute("aria-owns", head.id);
      body.setAttribute("aria-label", "Table");
    });
  }

  function name(place, selector, title) {
    for (const found of place.querySelectorAll(selector)) found.setAttribute("aria-label", title || "Value");
  }

  // Do something with each view of a model after a method of its has run.
  function after(model, method, act) {
    let view = Bokeh.Models.get(model)?.prototype.default_view.prototype;
    while (view && !Object.hasOwn(view, method)) view = Object.getPrototypeOf(view);
    if (!view) return;
    const own = view[method];
    view[method] = function (...args) {
      const result = own.apply(this, args);
      act(this);
      return result;
    };
  }

  function start() {
    const documents = window.Bokeh?.documents;
    if (documents === undefined) return false;
    try {
      adjust_models();
    } catch (error) {
      console.warn("plots keep Bokeh's own tooltips:", error);
    }
    read_tokens();
    documents.forEach(follow);
    const push = documents.push;
    documents.push = function (...added) {
      const length = push.apply(this, added);
      // the document adds itself first thing in its constructor: wait until it is whole
      for (const doc of added) queueMicrotask(() => follow(doc));
      return length;
    };
    const again = () => { read_tokens(); documents.forEach(paint_soon); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    // At once, for paper: before a browser prints it waits for microtasks, of which Bokeh needs some, and for nothing else.
    window.atriumPaint = async () => {
      read_tokens();
      documents.forEach(paint);
      for (let turn = 0; turn < 100; turn++) await null;
      for (const view of Bokeh.index.all_views()) {
        if (!view.invalidate_painters) continue;
        view.invalidate_painters();
        view.repaint();
      }
    };
    return true;
  }

  if (!start()) document.addEventListener("DOMContentLoaded", start);
})();
