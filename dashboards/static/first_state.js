// The document's first state comes with the page: the server is asked for it only if it has changed since.
(() => {
  const { ClientConnection } = Bokeh.require("client/connection");
  const { Message } = Bokeh.require("protocol/message");
  ClientConnection.prototype._pull_doc_json = async function () {
    const message = Message.create("PULL-DOC-REQ", {}, { unless_in_page: true });
    const reply = await this.send_with_reply(message);
    const state = document.getElementById("first-state");
    return { doc_json: reply.content.doc ?? JSON.parse(state.textContent), buffers: reply.buffers };
  };
})();
