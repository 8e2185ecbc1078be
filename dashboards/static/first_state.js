// The document's first state comes with the page and is drawn while the connection is made. What the person does
// meanwhile is said then, and the server sends the document only if it has changed since
// (dashboards/live/session_process.py).
(() => {
  const { ClientConnection } = Bokeh.require("client/connection");
  const { ClientSession } = Bokeh.require("client/session");
  const { Document } = Bokeh.require("document");
  const connection = ClientConnection.prototype;
  const { connect, send, _repull_session_doc: pull, _steady_state_handler: hear } = connection;

  connection.connect = function () {
    const page = document.getElementById("first-state");
    if (page === null || this.session !== null) return connect.call(this);
    this.unsaid = [];
    connect.call(this).catch(() => document.dispatchEvent(new Event("atrium-unconnected")));
    this.answer = new Promise((resolve, reject) => {
      this._pending_replies.set("first-state", { resolve, reject });
    });
    this.answer.catch(() => {}); // the connection says it too
    const events = [];
    const doc = Document.from_json(JSON.parse(page.textContent), events);
    page.remove();
    this.session = new ClientSession(this, doc);
    for (const event of events) doc._trigger_on_change(event);
    return Promise.resolve(this.session);
  };

  connection.send = function (message) {
    if (this.unsaid) this.unsaid.push(message);
    else send.call(this, message);
  };

  connection._repull_session_doc = async function (resolve, reject) {
    if (!this.unsaid) return pull.call(this, resolve, reject);
    try {
      const { content, buffers } = await this.answer;
      this.unheard = [];
      if (content.doc !== null) await this._show(content.doc, buffers);
      const { unsaid, unheard } = this;
      this.unsaid = null;
      for (const message of unsaid) send.call(this, message);
      for (const message of unheard) this.session.handle(message);
      resolve(this.session);
    } catch (error) {
      reject(error);
    }
  };

  // Show this instead of what the page came with, once Bokeh has drawn that; with it goes what was done to it.
  connection._show = async function (state, buffers) {
    const doc = this.session.document;
    if (!doc.is_idle) await new Promise((drawn) => doc.idle.connect(() => drawn()));
    this.unsaid = [];
    doc._notified_idle = false; // it says once more that it is drawn, to the server too
    Document.from_json(state, [], buffers).destructively_move(doc);
  };

  connection._steady_state_handler = function (message) {
    if (!this.unsaid || this._pending_replies.has(message.reqid())) hear.call(this, message);
    else this.unheard?.push(message); // one that came before the answer is in the answer's document
  };

  // Panel looks whether there is WebGL, which takes longer than all else that it asks: after the drawing is soon enough.
  const info = Bokeh.Models.get("panel.models.browser.BrowserInfo")?.prototype.default_view?.prototype;
  const initialize = info?.initialize;
  if (initialize) {
    info.initialize = function () {
      const { WebGLRenderingContext } = window;
      window.WebGLRenderingContext = undefined;
      try {
        initialize.call(this);
      } finally {
        window.WebGLRenderingContext = WebGLRenderingContext;
      }
      const look = () => {
        this.model.webgl = Boolean(WebGLRenderingContext && document.createElement("canvas").getContext("webgl"));
      };
      this.model.document?.idle.connect(() => setTimeout(look, 2000)); // Safari tells of no idle moments
    };
  }
})();
