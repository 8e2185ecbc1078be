"""A request that brings a file: who may send none, or sends too much, is refused before it is read.

Tornado, `stream_request_body`: `prepare` runs when the headers are there.
"""

from __future__ import annotations

from typing import Any, Final

from jupyterhub.handlers.base import BaseHandler
from tornado import web

from .checks import LARGEST_SENT

#: Of a file, and what a form has beside it.
LARGEST_BODY: Final = LARGEST_SENT + 16 * 1024


@web.stream_request_body
class TakesFile(BaseHandler):
    """Stands before the class that says in its `prepare` who may come."""

    def set_default_headers(self) -> None:
        """The proxy is to send nothing more by this connection: Tornado closes it when it has not
        read all of a body, and what came next would be lost."""
        super().set_default_headers()
        self.set_header("Connection", "close")

    async def prepare(self) -> None:
        """Refuse by what the headers say. Raises web.HTTPError: 413, it is too long."""
        self._parts: list[bytes] = []
        await super().prepare()
        if self._finished:
            return
        if int(self.request.headers.get("Content-Length", 0)) > LARGEST_BODY:
            raise web.HTTPError(413, "This file is too large to be published")
        connection: Any = self.request.connection
        connection.set_max_body_size(LARGEST_BODY)  # of one that does not say how long it is

    def data_received(self, chunk: bytes) -> None:
        """Called by Tornado, with each part of the body."""
        self._parts.append(chunk)

    def take_body(self) -> bytes:
        """All of the body, once."""
        body = b"".join(self._parts)
        self._parts.clear()
        return body
