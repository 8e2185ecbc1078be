"""The simplest server of a person that a stock JupyterHub can start and that holds a WebSocket.

It stands for `panel serve` behind jupyter-server-proxy (`jupyter standaloneproxy`) and does what
that does: JupyterHub's own `HubOAuthenticated` looks at who asks when a page or a WebSocket is
opened, and nobody looks again while it is open. It is kinder than that proxy, which does not look
at groups at all: it asks for the group of the dashboard, keeps what the hub says for 10 s only, and
reports to the hub every 10 s. What is drawn in it costs nothing.
"""

import os
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.web import Application, HTTPError, RequestHandler, authenticated
from tornado.websocket import WebSocketHandler

PREFIX = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
EVERY = 10


class Page(HubOAuthenticated, RequestHandler):
    """Where the browser gets its cookie."""

    @authenticated
    def get(self) -> None:
        self.finish("<html>")


class Dashboard(HubOAuthenticated, WebSocketHandler):
    """`ws/<group>`: a WebSocket for members of the group."""

    @authenticated
    async def get(self, group: str) -> None:
        if group != "everybody" and group not in self.get_current_user()["groups"]:
            raise HTTPError(403)
        await super().get(group)

    def open(self, *_args: Any) -> None:
        self.write_message("open")

    def on_message(self, message: str | bytes) -> None:
        """A notebook that holds up its server."""
        while message == "block":
            time.sleep(60)


def report(auth: HubOAuth) -> None:
    """Say that somebody is here, as jupyterhub-singleuser does."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    requests.post(
        os.environ["JUPYTERHUB_ACTIVITY_URL"],
        headers={"Authorization": f"token {auth.api_token}"},
        json={"servers": {os.environ["JUPYTERHUB_SERVER_NAME"]: {"last_activity": now}}},
        timeout=5,
    )


def main() -> None:
    auth = HubOAuth.instance(cache_max_age=EVERY)
    handlers = [
        (f"{PREFIX}oauth_callback", HubOAuthCallbackHandler),
        (f"{PREFIX}ws/([a-z]+)", Dashboard),
        (f"{PREFIX}.*", Page),
    ]
    server = HTTPServer(Application(handlers, cookie_secret=os.urandom(32)))
    address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    server.listen(address.port or 0, address.hostname or "")
    PeriodicCallback(lambda: report(auth), EVERY * 1000).start()
    IOLoop.current().start()


if __name__ == "__main__":
    main()
