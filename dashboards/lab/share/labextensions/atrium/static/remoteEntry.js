// Two buttons in a notebook's toolbar: Preview and Publish. A prebuilt extension of JupyterLab is a container of
// modules (webpack's module federation); this one has a single module, and is written by hand: nothing is built.
(() => {
  let packages; // JupyterLab's own, which it shares: name, then version

  async function shared(name) {
    const [first] = Object.values(packages[name]);
    return (await first.get())();
  }

  // As dashboards/lab/__init__.py names the folder of a notebook.
  function place_of(path) {
    const parts = path.split("/");
    const name = parts.pop().replace(/\.ipynb$/, "");
    return { folder: ["work", ...parts].join(" · "), name };
  }

  function preview(root, context) {
    const { folder, name } = place_of(context.path);
    window.open(`${root}show/${encodeURIComponent(folder)}/${encodeURIComponent(name)}`, `preview ${context.path}`);
    if (context.model.dirty) context.save(); // the preview follows
  }

  async function publish(root, context) {
    if (context.model.dirty) await context.save();
    if (context.model.dirty) return; // JupyterLab has said why
    const form = document.createElement("form");
    Object.assign(form, { method: "post", action: `${root}publish`, target: "_blank", hidden: true });
    for (const [key, value] of Object.entries(place_of(context.path))) {
      const field = document.createElement("input");
      Object.assign(field, { name: key, value });
      form.append(field);
    }
    document.body.append(form);
    form.submit();
    form.remove();
  }

  async function load() {
    const { ToolbarButton } = await shared("@jupyterlab/apputils");
    const { PageConfig } = await shared("@jupyterlab/coreutils");
    const root = `${PageConfig.getBaseUrl()}preview/`;
    const buttons = [
      ["preview", "Preview", "See it as its viewers will", preview],
      ["publish", "Publish", "Check it, and put it before its viewers", publish],
    ];

    function createNew(panel, context) {
      buttons.forEach(([key, label, tooltip, act], place) => {
        const button = new ToolbarButton({ label, tooltip, onClick: () => act(root, context) });
        panel.toolbar.insertItem(10 + place, `atrium-${key}`, button);
      });
    }

    const plugin = {
      id: "atrium:notebook",
      description: "Preview and Publish in a notebook's toolbar",
      autoStart: true,
      activate: (app) => { app.docRegistry.addWidgetExtension("Notebook", { createNew }); },
    };
    return () => ({ __esModule: true, default: plugin });
  }

  (window._JUPYTERLAB ??= {}).atrium = { init: (scope) => { packages = scope; }, get: load };
})();
