"""`python -I -m dashboards.file_server`: scripts and styles for everybody, as a service of the hub.

A process of its own: people's servers are busy with notebooks while their browsers fetch these,
and what one address gives may be fetched before somebody's server runs, and kept for the next.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from urllib.parse import urlparse

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from dashboards.files import (
    STATIC,
    file_routes,
    pack_usual_scripts,
    usual_scripts,
    usual_styles,
)
from dashboards.settings import drop_secrets

log = logging.getLogger(__name__)


def _log_failure(handler: RequestHandler) -> None:
    """No line for a file that was served: everybody asks for the same ones."""
    if handler.get_status() >= 500:
        log.error("%d %s %s", handler.get_status(), handler.request.method, handler.request.path)


class AheadHandler(RequestHandler):
    """A script for pages before a dashboard's: the browser fetches what that will ask for."""

    def get(self) -> None:
        """Answer with the script."""
        self.set_header("Content-Type", "text/javascript")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.set_header("X-Content-Type-Options", "nosniff")
        script = (STATIC / "ahead.js").read_text("utf-8")
        self.finish(script.replace("[]", json.dumps(usual_scripts() + usual_styles())))


async def serve(address: str, prefix: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        address: where to listen, a URL.
        prefix: the path before all others, ending in "/".
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    routes = [(prefix + "ahead.js", AheadHandler), *file_routes(prefix, for_all=True)]
    application = Application(routes, log_function=_log_failure)
    server = HTTPServer(application)
    parts = urlparse(address)
    server.listen(parts.port or 0, parts.hostname or "127.0.0.1")
    await asyncio.to_thread(pack_usual_scripts)
    await stopped.wait()
    server.stop()


if __name__ == "__main__":
    logging.basicConfig(format="[files] %(message)s", level=logging.INFO)
    drop_secrets(os.environ)
    asyncio.run(
        serve(os.environ["JUPYTERHUB_SERVICE_URL"], os.environ["JUPYTERHUB_SERVICE_PREFIX"])
    )
