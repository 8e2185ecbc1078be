// Notes when a dashboard is drawn and when a moved slider is answered, in milliseconds since 1970.
//
// Live: the server has answered which document it has; a file from the disk has none.
// Drawn: that, and every root of the document has been laid out and painted, as Bokeh itself says.
// Answered: the server's new data have come and the frame that shows them has been drawn. Bokeh draws in the next
// one, before or after whoever else has asked for it; so the one after that is waited for.
(() => {
  if (window.top !== window || /^\/(hub|services)\//.test(location.pathname)) return;
  const now = () => performance.timeOrigin + performance.now();
  const clock = (window.clock = { live: location.protocol === "file:" ? now() : 0, drawn: 0, moved: 0, answered: 0 });

  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      let parts = 0; // of the answer that have come
      const heard = ({ data }) => {
        if (parts === 0 && !String(data).includes('"PULL-DOC-REPLY"')) return;
        parts += 1;
        if (parts < 3) return;
        clock.live ||= now();
        this.removeEventListener("message", heard);
      };
      this.addEventListener("message", heard);
    }
  };

  function answers(event) {
    return event.sync === false && (event.kind === "ColumnDataChanged" || event.model?.type === "ColumnDataSource");
  }

  function look() {
    const docs = window.Bokeh?.documents ?? [];
    if (!clock.live || !docs.length || !docs.every((doc) => doc.is_idle && doc.roots().length)) {
      setTimeout(look, 10); // no frames of its own: the page must not be busier than without it
      return;
    }
    clock.drawn = now();
    for (const doc of docs) {
      doc.on_change((event) => {
        if (!clock.moved || clock.answered || !answers(event)) return;
        requestAnimationFrame(() => requestAnimationFrame(() => { clock.answered ||= now(); }));
      });
    }
  }

  document.addEventListener("keydown", () => { clock.moved = now(); clock.answered = 0; }, true);
  look();
})();
