"""What Jupyter's server gets of ours: it lets go of pages when the hub says so, and works on for a
kernel that computes."""

from __future__ import annotations

import gc
import json
import os
import secrets
from datetime import UTC, datetime
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler, Template404
from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback
from tornado.web import HTTPError, RequestHandler, authenticated
from tornado.websocket import WebSocketHandler

from dashboards.addresses import place_of
from dashboards.close_codes import SIGNED_OUT
from dashboards.lab import PLACE, folder_name

_LOOK = 60  # seconds between two looks whether a kernel computes


def _load_jupyter_server_extension(app: Any) -> None:
    """Called by Jupyter's server as it starts."""
    key = os.environ.pop("ATRIUM_PUSH_KEY", "")  # before any kernel is started
    keep_others_out(app.identity_provider.hub_auth, os.environ["JUPYTERHUB_USER"])
    routes = [
        ("groups", EndedHandler, {"app": app, "key": key}),
        (r"panel-preview/(layout|render)/(.+)\.ipynb", PanelsPreviewHandler),
        # jupyter-server-proxy leads to any port of this machine, and asks no XSRF token of who
        # comes; nothing but the preview is needed. The first handler of an address counts.
        (r"proxy/.*", Template404),
    ]
    places = [(url_path_join(app.base_url, one), *rest) for one, *rest in routes]
    app.web_app.add_handlers(".*$", places)
    notice = PeriodicCallback(lambda: note_kernels(app), 1000 * _LOOK)
    notice.start()
    app.web_app.settings["atrium_notice"] = notice


def keep_others_out(hub_auth: Any, owner: str) -> None:
    """Let nobody in but the owner. A full admin of the hub can hold access to all servers: that is
    no reason to look over somebody's shoulder, and what is opened here could use their browser."""
    check = hub_auth.check_scopes

    def check_owner(required: Any, user: dict[str, Any]) -> Any:
        is_owner = user.get("kind") == "user" and user["name"] == owner
        return check(required, user) if is_owner else frozenset()

    hub_auth.check_scopes = check_owner


def note_kernels(app: Any) -> None:
    """A kernel that computes is use of the lab, though it says nothing for hours."""
    if any(kernel["execution_state"] == "busy" for kernel in app.kernel_manager.list_kernels()):
        app.web_app.settings["last_activity_times"]["kernels"] = datetime.now(UTC)


class EndedHandler(RequestHandler):
    """`PUT <prefix>groups`, as of a dashboard server (`dashboards.revoking`): the person has been
    signed out. Their kernels go on; no page of theirs does."""

    def initialize(self, app: Any, key: str) -> None:
        """Called by Tornado with what the route carries."""
        self.app, self.key = app, key

    def check_xsrf_cookie(self) -> None:
        """No browser calls this: the hub's key is not in a cookie."""

    @allow_unauthenticated
    def put(self) -> None:
        """Close every WebSocket, and forget who was let in."""
        given = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self.key or not secrets.compare_digest(given.encode(), self.key.encode()):
            raise HTTPError(403)
        if json.loads(self.request.body).get("ended") is True:
            cache = self.app.identity_provider.hub_auth.cache
            cache.timestamps.clear()
            cache.values.clear()
            for one in gc.get_objects():  # of kernels, terminals, previews; nobody lists them all
                if isinstance(one, WebSocketHandler) and one.ws_connection is not None:
                    one.close(SIGNED_OUT)
        self.set_status(204)


class PanelsPreviewHandler(JupyterHandler):
    """`<prefix>panel-preview/…`: what the button of Panel's own extension of JupyterLab asks for is
    our preview, beside the notebook; Panel's runs as nobody's dashboard."""

    @authenticated
    def get(self, what: str, path: str) -> None:
        """Where a notebook is shown, and how it is laid out: as it says itself."""
        if what == "layout":
            self.finish("{}")
            return
        *below, name = path.split("/")
        place = place_of(folder_name(*below), name)
        self.redirect(url_path_join(self.base_url, PLACE, "show", place))
