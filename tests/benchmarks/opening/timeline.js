// Notes when the WebSocket is open and when the document has come over it, in milliseconds since 1970.
(() => {
  if (window.top !== window) return;
  const now = () => performance.timeOrigin + performance.now();
  const marks = (window.marks = {});
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("open", () => { marks.open ??= now(); });
      let parts = 0; // of the document's message that have come
      this.addEventListener("message", ({ data }) => {
        if (parts === 0 && !String(data).includes('"PULL-DOC-REPLY"')) return;
        parts += 1;
        if (parts === 3) marks.document ??= now();
      });
    }
  };
})();
