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
from typing import Final
from urllib.parse import urlparse

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from dashboards.files import (
    STATIC,
    FileHandler,
    file_routes,
    pack_usual_scripts,
    usual_scripts,
    usual_styles,
)
from dashboards.settings import drop_secrets

log = logging.getLogger(__name__)

#: Scripts and sheets from here, what Bokeh makes of them, and nothing else: no request, no form.
_FRAME_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src data:;"
    " img-src data:; base-uri 'none'; form-action 'none'"
)


def _log_failure(handler: RequestHandler) -> None:
    """No line for a file that was served: everybody asks for the same ones."""
    if handler.get_status() >= 500:
        log.error("%d %s %s", handler.get_status(), handler.request.method, handler.request.path)


class AheadHandler(RequestHandler):
    """For pages before a dashboard's: `ahead.js`, and `ahead.html`, the frame that it opens."""

    def get(self, name: str) -> None:
        """Answer with one of them."""
        scripts, text = usual_scripts(), (STATIC / name).read_text("utf-8")
        if name.endswith(".html"):
            self.set_header("Content-Security-Policy", _FRAME_POLICY)
            sources = "\n".join(f'<script src="{script}"></script>' for script in scripts)
            text = text.replace("<!-- scripts -->", sources)
        else:
            self.set_header("Content-Type", "text/javascript")
            text = text.replace("[]", json.dumps(scripts + usual_styles()), 1)
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Cross-Origin-Resource-Policy", "cross-origin")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(text)


class LogoHandler(FileHandler):
    """A logo, under a name that follows from what is in it; opened by itself it runs no script."""

    def set_extra_headers(self, path: str) -> None:
        """Called by Tornado."""
        super().set_extra_headers(path)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.set_header(
            "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        )


async def serve(address: str, prefix: str) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        address: where to listen, a URL.
        prefix: the path before all others, ending in "/".
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    logos = {"path": os.environ.get("ATRIUM_BRAND_FILES", ""), "for_all": True}
    routes = [
        (prefix + r"brand/([0-9a-f]{32}\.(?:svg|png))", LogoHandler, logos),
        (prefix + r"(ahead\.(?:js|html))", AheadHandler),
        *file_routes(prefix, for_all=True),
    ]
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
