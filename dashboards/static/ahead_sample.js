// Draws what many dashboards show, as a dashboard's page does, and tells the page around it.
(() => {
  const { Document } = Bokeh.require("document");
  const make = (name, attributes = {}) => new (Bokeh.Models.get(name))(attributes);

  // The font of dashboards/live/theme.py: to look for one takes a browser's process some milliseconds, once.
  const text_font = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif';
  const x = Array.from({ length: 200 }, (_, day) => 1.6e12 + day * 86_400_000);
  const data_source = make("ColumnDataSource", { data: { x, y: x.map((_, day) => Math.sin(day / 9)) } });

  function renderer(name) {
    const glyph = (look) => make(name, { x: { field: "x" }, y: { field: "y" }, ...look });
    return make("GlyphRenderer", {
      data_source,
      glyph: glyph(),
      selection_glyph: glyph(),
      nonselection_glyph: glyph({ line_alpha: 0.1 }),
      muted_glyph: glyph({ line_alpha: 0.2 }),
    });
  }

  function figure() {
    const renderers = [renderer("Line"), renderer("Scatter")];
    const labels = { major_label_text_font: text_font, major_label_text_font_size: "13px", axis_label_text_font: text_font };
    const axes = [make("DatetimeAxis", labels), make("LinearAxis", labels)];
    const tools = ["WheelZoomTool", "SaveTool", "PanTool", "BoxZoomTool", "ResetTool"].map((name) => make(name));
    const hover = make("HoverTool", { renderers, tooltips: [["y", "@y"]] });
    return make("Figure", {
      ...wide,
      height: 420,
      title: make("Title", { text: "Sample", text_font, text_font_size: "15px", text_font_style: "bold" }),
      x_range: make("Range1d", { start: x.at(0), end: x.at(-1) }),
      y_range: make("Range1d", { start: -1, end: 1 }),
      below: [axes[0]],
      left: [axes[1]],
      center: axes.map((axis, dimension) => make("Grid", { axis, dimension })),
      renderers,
      toolbar: make("Toolbar", { tools: [hover, ...tools] }),
    });
  }

  const wide = { sizing_mode: "stretch_width", margin: [5, 10] };
  const format = make("PrintfTickFormatter", { format: "%d" });
  const controls = [
    make("panel.models.widgets.CustomSelect", { ...wide, title: "Select", options: ["a", "b"], value: "a" }),
    make("Slider", { ...wide, title: "Days", start: 0, end: 9, value: 3, format }),
    make("Slider", { ...wide, title: "Share", start: 0, end: 1, step: 0.1, value: 0.5, format: "0.0" }),
    make("panel.models.markup.HTML", { ...wide, text: "&lt;b&gt;Sample&lt;/b&gt;" }),
    make("panel.models.widgets.FileDownload", { ...wide, label: "Download" }),
  ];
  const column = (children) => make("panel.models.layout.Column", { ...wide, children });
  const sample = new Document();
  sample.add_root(make("Row", { ...wide, children: [column(controls), column([figure()])] }));
  sample.add_root(make("panel.models.browser.BrowserInfo"));

  // By way of its JSON, as it would come from a server.
  const roots = Object.fromEntries(sample.roots().map(({ id }) => [id, "sample"]));
  Bokeh.embed.embed_items({ sample: sample.to_json() }, [{ docid: "sample", roots }]).then(() => {
    const drawn = Bokeh.documents.find((doc) => doc !== sample);
    const tell = () => parent.postMessage("drawn", "*");
    if (drawn.is_idle) tell();
    else drawn.idle.connect(tell);
  });
})();
