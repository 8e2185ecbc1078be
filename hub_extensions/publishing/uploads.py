"""How much a request to the hub may bring: more if it brings a file, whose sender is known first.

Tornado keeps a body in memory before anybody asks whose it is, up to 100 MB and for as long as it
takes. So here all others are small. Who may send no file, or sends too much, is refused before it
is read: with `stream_request_body`, `prepare` runs when the headers are there.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.user import User
from tornado import web
from tornado.httpserver import HTTPServer

from .checks import LARGEST_SENT

#: Bytes of a request, and seconds that its body may take.
_LARGEST_OTHER: Final = 1 << 20
_LONGEST: Final = 600.0
#: Files that are on their way, or being looked at: a person's, and everybody's.
_OF_ONE: Final = 2
_OF_ALL: Final = 8
_under_way: Final[Counter[int]] = Counter()


def set_up() -> None:
    """Bound what the hub's server takes. Called by the configuration, before there is one."""
    HTTPServer.configure(None, max_body_size=_LARGEST_OTHER, body_timeout=_LONGEST)


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
        """Refuse by what the headers say.

        Raises:
            web.HTTPError: 413, it is too long; 429 or 503, there are too many of one or of all.
        """
        self._parts: list[bytes] = []
        await super().prepare()
        if self._finished:
            return
        if int(self.request.headers.get("Content-Length", 0)) > LARGEST_BODY:
            raise web.HTTPError(413, "This file is too large to be published")
        self._begin()
        connection: Any = self.request.connection
        connection.set_max_body_size(LARGEST_BODY)  # of one that does not say how long it is

    def _begin(self) -> None:
        user = self.current_user
        if not isinstance(user, User):
            return  # who may come refuses them
        if _under_way[user.id] >= _OF_ONE:
            raise web.HTTPError(429, "Other files of yours are on their way. Try again after them.")
        if _under_way.total() >= _OF_ALL:
            raise web.HTTPError(503, "Many files are on their way just now. Try again in a moment.")
        self._counted = user.id
        _under_way[user.id] += 1

    _counted = 0  # the id of whose it is

    def _end(self) -> None:
        if self._counted:
            _under_way[self._counted] -= 1
            self._counted = 0

    def on_finish(self) -> None:
        """Called by Tornado when it is answered."""
        self._end()
        super().on_finish()

    def on_connection_close(self) -> None:
        """Called by Tornado when its sender has gone."""
        self._end()
        super().on_connection_close()

    def data_received(self, chunk: bytes) -> None:
        """Called by Tornado, with each part of the body."""
        self._parts.append(chunk)

    def take_body(self) -> bytes:
        """All of the body, once."""
        body = b"".join(self._parts)
        self._parts.clear()
        return body
