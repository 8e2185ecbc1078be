// What is downloaded from a dashboard's page: its data by its session (dashboards/live/data_download.py), and a picture of its
// plots. Takes from frame.js what dialogs are made of.
window.atriumDownload = ({ bar, title, docs, element, button, dialog, status }) => {
  const ANSWER = 30000; // milliseconds

  // The session answers: it has all rows, and knows dates from numbers.
  function ask(name, what) {
    const { MessageSentEvent } = Bokeh.require("document/events");
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("late")), ANSWER);
      for (const doc of docs()) {
        const hear = (answer) => {
          clearTimeout(late);
          doc.remove_on_message(name, hear);
          resolve(answer);
        };
        doc.on_message(name, hear);
        doc._trigger_on_change(new MessageSentEvent(doc, name, what));
      }
    });
  }

  const SHOWS_DATA = /(Figure|GridPlot|DataTable|DataTabulator|Perspective|Vega|Plotly)/;
  const shows_data = (doc) => [...doc.all_models].some(({ type }) => SHOWS_DATA.test(type));
  const has_data = () => !window.atriumLost && docs().some(shows_data);

  // Named by these words; however long they are, the file keeps its ending.
  function save(blob, ending, ...names) {
    const words = names.filter((one, n) => one && names.indexOf(one) === n).join(" – ");
    const address = URL.createObjectURL(blob);
    const name = words.replace(/[\\/:*?"<>|\x00-\x1f]+/g, " ").trim().slice(0, 110).trim() + ending;
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  }

  async function download() {
    const said = status();
    const choices = element("div", { className: "choices" });
    if (pictures().length) {
      const take = async () => {
        said.textContent = "";
        const blob = await picture();
        if (blob) save(blob, ".png", title);
        else said.textContent = "Your browser could not make a picture of this.";
      };
      choices.append(choice("Picture", "PNG, the plots as they look now", take));
    }
    dialog("Download", choices, said);
    choices.querySelector("button")?.focus();
    const NOTHING = "There is nothing to download just now.";
    if (!has_data()) {
      if (!choices.children.length) said.textContent = NOTHING;
      return;
    }
    said.textContent = "Looking for data…";
    try {
      const { tables } = await ask("atrium-tables", null);
      said.textContent = "";
      tables.forEach((table, number) => {
        const rows = `CSV, ${table.rows.toLocaleString("en")} row${table.rows === 1 ? "" : "s"}`;
        choices.append(choice(table.title, rows, () => save_table(number, said)));
      });
      if (!choices.children.length) said.textContent = NOTHING;
    } catch {
      said.textContent = "The dashboard does not answer just now. Try again in a moment.";
    }
  }

  function choice(words, kind, act) {
    const made = button("", act, "button choice");
    made.append(element("span", { textContent: words }), element("span", { className: "soft small", textContent: kind }));
    return made;
  }

  async function save_table(number, said) {
    said.textContent = "One moment…";
    try {
      const answer = await ask("atrium-data", number);
      said.textContent = answer.problem ?? "";
      // With a mark of its encoding, by which spreadsheets read more than English.
      if (answer.csv) save(new Blob(["\ufeff", answer.csv], { type: "text/csv;charset=utf-8" }), ".csv", title, answer.title);
    } catch {
      said.textContent = "The dashboard does not answer just now. Try again in a moment.";
    }
  }

  // -- the picture ------------------------------------------------------------------------------------------------------

  const SMALLEST = 60; // pixels: what is smaller is an icon

  // What draws on the page: Bokeh's plots by themselves, and canvases, pictures and drawings of others.
  function pictures() {
    const found = [];
    const is_plot = (view) => /Figure|Plot$/.test(view.model.type) && view.canvas_view;
    for (const view of window.Bokeh?.index?.all_views?.() ?? []) {
      if (is_plot(view)) found.push({ element: view.el, draw: async () => view.export("png").canvas });
    }
    const plots = new Set(found.map((one) => one.element));
    const walk = (node) => {
      if (plots.has(node)) return;
      if (/^(canvas|img)$/i.test(node.localName)) found.push({ element: node, draw: async () => node });
      else if (node.localName === "svg") found.push({ element: node, draw: () => drawing(node) });
      else for (const child of [...(node.shadowRoot?.children ?? []), ...node.children]) walk(child);
    };
    walk(document.getElementById("dashboard") ?? document.body);
    return found.filter((one) => {
      one.box = one.element.getBoundingClientRect();
      return one.box.width >= SMALLEST && one.box.height >= SMALLEST;
    });
  }

  function drawing(svg) {
    const { width, height } = svg.getBoundingClientRect();
    const copy = svg.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = reject;
      image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
    });
  }

  const day = () => new Date().toLocaleDateString("en-GB", { dateStyle: "long" });

  // Each where it stands on the page, below the title. null: the browser refuses.
  async function picture() {
    const shown = pictures();
    const left = Math.min(...shown.map(({ box }) => box.left)), top = Math.min(...shown.map(({ box }) => box.top));
    const right = Math.max(...shown.map(({ box }) => box.right)), bottom = Math.max(...shown.map(({ box }) => box.bottom));
    const EDGE = 24, HEAD = 64, scale = Math.max(2, devicePixelRatio);
    const canvas = element("canvas");
    canvas.width = (right - left + 2 * EDGE) * scale;
    canvas.height = (bottom - top + HEAD + 2 * EDGE) * scale;
    const draw = canvas.getContext("2d");
    const look = getComputedStyle(bar);
    draw.scale(scale, scale);
    draw.fillStyle = look.backgroundColor;
    draw.fillRect(0, 0, canvas.width, canvas.height);
    draw.fillStyle = look.color;
    draw.font = `600 20px ${look.fontFamily}`;
    draw.fillText(title, EDGE, EDGE + 20, right - left);
    draw.font = `13px ${look.fontFamily}`;
    draw.fillText(day(), EDGE, EDGE + 44);
    for (const { box, draw: made } of shown) {
      try {
        draw.drawImage(await made(), box.left - left + EDGE, box.top - top + EDGE + HEAD, box.width, box.height);
      } catch (error) {
        console.warn("left out of the picture:", error);
      }
    }
    try {
      return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    } catch {
      return null; // drawn with a picture of another host
    }
  }

  const can_download = () => has_data() || pictures().length > 0;
  return { download, can_download, day };
};
