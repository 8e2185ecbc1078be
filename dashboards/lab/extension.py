"""What Jupyter's server gets of ours: it lets go of pages when the hub says so, and works on for a
kernel that computes."""

from __future__ import annotations

import gc
import json
import os
import secrets
from typing import Any

from jupyter_server._tz import utcnow as _now
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback
from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from dashboards.close_codes import SIGNED_OUT

_LOOK = 60  # seconds between two looks whether a kernel computes


def _load_jupyter_server_extension(app: Any) -> None:
    """Called by Jupyter's server as it starts."""
    key = os.environ.pop("ATRIUM_PUSH_KEY", "")  # before any kernel is started
    place = url_path_join(app.base_url, "groups")
    app.web_app.add_handlers(".*$", [(place, EndedHandler, {"app": app, "key": key})])
    notice = PeriodicCallback(lambda: note_kernels(app), 1000 * _LOOK)
    notice.start()
    app.web_app.settings["atrium_notice"] = notice


def note_kernels(app: Any) -> None:
    """A kernel that computes is use of the lab, though it says nothing for hours."""
    if any(kernel["execution_state"] == "busy" for kernel in app.kernel_manager.list_kernels()):
        app.web_app.settings["last_activity_times"]["kernels"] = _now()


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
