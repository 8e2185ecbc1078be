"""One open dashboard, as the front of the server sees it: its process, and its page's WebSockets.

Code of notebooks runs in the process, so what comes from there is taken for no more than what this
one dashboard may say to its own pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import time
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from tornado.websocket import WebSocketClosedError

from dashboards.catalog import Dashboard
from dashboards.failure import Failure, SessionEnded
from dashboards.web.close_codes import BROKEN, ENDED
from dashboards.web.session_link import Kind, Link

if TYPE_CHECKING:
    from dashboards.web.dashboard_socket import DashboardSocket
    from dashboards.web.sessions import Sessions

log = logging.getLogger(__name__)

_MOST_FAILURES = 20
"""So many references of one session the hub is told,"""
_REFERENCE = 8  # signs of each
_FRESH = 30  # seconds; a session to which nobody comes ends after sixty
_SLOW = 30  # seconds that a page may take to receive a message
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}
PATIENCE = 2
"""Seconds that the code of a dashboard gets to come to its end when it is closed."""


class Session:
    """A dashboard that is open, as the front knows it.

    Attributes:
        order: what its process has been told.
        progress: how far the notebook is, as words for people; "" when it has not begun.
        failure: why it has nothing to show, None if it has.
        own_page: whether it comes with a page template of its own.
        token: with it its page opens a WebSocket; "" until the notebook has run.
        extensions: the packages it has imported that bring files for Bokeh, and where those are.
        sockets: the WebSockets of its pages, by their numbers.
        is_ending: it is to come to its end, or has.

    Raises OSError where there can be no process.
    """

    def __init__(self, sessions: Sessions, dashboard: Dashboard, order: Mapping[str, Any]) -> None:
        self.dashboard = dashboard
        self.order = order
        self.progress = ""
        self.failure: Failure | None = None
        self.own_page = False
        self.token = ""
        self.extensions: dict[str, str] = {}
        self.sockets: dict[int, DashboardSocket] = {}
        self._page = ""
        self._sessions = sessions
        self._process = sessions.processes.fork()
        self._began = time.monotonic()
        self._link: Link | None = None
        self._is_open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._components: dict[int, asyncio.Future[bytes]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[bool] | None = None
        self._numbers = count(1)
        self._failures: set[str] = set()
        self.is_ending = False
        self._is_open.add_done_callback(_heard)
        self._process.ended.add_done_callback(self._let_go)
        self._life = asyncio.create_task(self._live())

    # -- its beginning ------------------------------------------------------------------------

    async def opened(self) -> None:
        """Wait until the notebook has run. Raises SessionEnded."""
        await asyncio.shield(self._is_open)

    def take_page(self) -> str:
        """The page that it has made; it is not kept."""
        page, self._page = self._page, ""
        return page

    async def _live(self) -> None:
        try:
            self._link = await Link.over(self._process.line)
            if not self.is_ending:
                self._link.send_json(Kind.OPEN, **self.order)
            while True:
                await self._take(*await self._link.receive())
        except (EOFError, ConnectionError):
            pass
        except Exception:
            log.exception("The process of a dashboard said what nobody understands")
        await self._has_ended()

    async def _take(self, kind: Kind, number: int, payload: bytes) -> None:
        """What comes was said by a notebook, or could have been."""
        match kind:
            case Kind.TEXT | Kind.BINARY:
                if page := self.sockets.get(number):
                    await self._pass_back(page, payload, binary=kind is Kind.BINARY)
            case Kind.CLOSE:
                if page := self.sockets.get(number):
                    page.close(BROKEN)
            case Kind.OPENED if not self.token:
                self._opened(json.loads(payload))
            case Kind.PAGE if not self._is_open.done():
                self._page = payload.decode()
                self._is_open.set_result(None)
            case Kind.SHARED if not self._is_open.done() and not self._asks:
                self._asking = asyncio.create_task(self._tell_shared())
            case Kind.FAILED:
                self.has_failed(payload[:_REFERENCE].decode(errors="replace"))
            case Kind.PROGRESS if not self._is_open.done():
                self.progress = _words_of(**json.loads(payload))
            case Kind.COMPONENT:
                answer = self._components.pop(number, None)
                if answer and not answer.done():
                    answer.set_result(payload)
            case _:
                raise ValueError(kind)

    @staticmethod
    async def _pass_back(page: DashboardSocket, payload: bytes, *, binary: bool) -> None:
        try:
            await asyncio.wait_for(page.write_message(payload, binary), _SLOW)
        except WebSocketClosedError:
            pass
        except TimeoutError:  # the other pages of this dashboard must not wait for it
            page.close(BROKEN)

    @property
    def _asks(self) -> bool:
        return self._asking is not None and not self._asking.done()

    def _opened(self, told: dict[str, Any]) -> None:
        self.own_page = bool(told["own_page"])
        self.extensions = {str(name): str(place) for name, place in told["extensions"].items()}
        if failure := told["failure"]:
            self.failure = Failure(**{name: str(text) for name, text in failure.items()})
        self.token = str(told["token"])
        if not self.token.isascii():
            raise ValueError("no token")

    async def _tell_shared(self) -> None:
        """What the hub says of the shared cells of this very notebook."""
        assert self._link is not None
        hub, dashboard = self._sessions.site.hub, self.dashboard
        try:
            answer = await hub.shared_data(dashboard.group, dashboard.name)
        except Exception as error:
            self._link.send_json(Kind.SHARED, error=f"{type(error).__name__}: {error}")
        else:
            self._link.send_json(Kind.SHARED, answer=answer)

    def has_failed(self, reference: str, cause: str = "") -> None:
        """Tell the hub that something went wrong in it, each reference once."""
        if reference not in self._failures and len(self._failures) < _MOST_FAILURES:
            self._failures.add(reference)
            self._sessions.site.hub.telling.failed(
                self.dashboard.group, self.dashboard.name, reference, cause
            )

    # -- its WebSockets -----------------------------------------------------------------------

    @property
    def can_be_connected(self) -> bool:
        """Whether its page may still open a WebSocket."""
        lasts_until = self._began + self.order["token_lifetime"]
        return time.monotonic() < lasts_until and not self.is_ending

    @property
    def is_fresh(self) -> bool:
        """Whether its page can still be handed out."""
        return self.can_be_connected and time.monotonic() < self._began + _FRESH

    def connect(self, socket: DashboardSocket, *, is_admin: bool) -> int:
        """A page has opened a WebSocket; returns the number of it, for `pass_on`."""
        assert self._link is not None
        number = next(self._numbers)
        self.sockets[number] = socket
        self._link.send(Kind.CONNECT, json.dumps({"is_admin": is_admin}), number)
        return number

    async def pass_on(self, number: int, message: str | bytes) -> None:
        """What a page says to its dashboard."""
        assert self._link is not None
        with contextlib.suppress(ConnectionError):
            self._link.send(Kind.TEXT if isinstance(message, str) else Kind.BINARY, message, number)
            await self._link.drained()

    def disconnect(self, number: int) -> None:
        """A page has closed its WebSocket."""
        if self.sockets.pop(number, None) and self._link:
            self._link.send(Kind.CLOSE, number=number)

    async def component(self, path: str) -> bytes:
        """A file of a component that this dashboard uses, b"" where it does not."""
        if self._link is None or not self.token:
            return b""
        number = next(self._numbers)
        answer = self._components[number] = asyncio.get_running_loop().create_future()
        self._link.send(Kind.COMPONENT, path, number)
        return await answer

    # -- its end ------------------------------------------------------------------------------

    async def come_to_end(self, code: int) -> bool:
        """Close its WebSockets with this code, let its callbacks end, and wait for the end of the
        process. False: it has not ended in time."""
        for page in tuple(self.sockets.values()):
            page.close(code)
        self.end()
        assert self._ending is not None
        return await asyncio.shield(self._ending)

    def end(self) -> None:
        """Begin to end it."""
        self.is_ending = True
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())

    async def _end(self) -> bool:
        if self._link is not None:
            self._link.send(Kind.END)
        for patience in (PATIENCE, PATIENCE / 2):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._process.ended), patience)
                return True
            self._sessions.processes.end(self._process)
        return False

    def _let_go(self, _: object) -> None:
        """The process has ended; something that it has left may still hold the other end."""
        asyncio.get_running_loop().call_later(1, self._close)

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()

    async def _has_ended(self) -> None:
        self._close()
        self._sessions.processes.end(self._process)
        status = await self._process.ended
        self._sessions.forget(self)
        for answer in self._components.values():
            if not answer.done():
                answer.set_result(b"")
        why = SessionEnded("It was closed.")
        if not self.is_ending:
            why = why_ended(self._process.error, status)
        if not self._is_open.done():
            self._is_open.set_exception(why)
        elif self.sockets and not self.is_ending:
            reference, place = secrets.token_hex(4), (self.dashboard.group, self.dashboard.name)
            log.error("%s/%s failed, reference %s: %s", *place, reference, why)
            self._sessions.site.hub.telling.failed(*place, reference, why.cause)
        self.is_ending = True
        for page in tuple(self.sockets.values()):
            page.close(ENDED)


def _words_of(step: int, count: int, percent: int | None) -> str:
    of_step = "" if percent is None else f" ({int(percent):d} %)"
    if int(count) > 1:
        return f"Working on step {int(step):d} of {count:d}{of_step}."
    return f"Still working on it{of_step}." if of_step else ""


def _heard(opened: asyncio.Future[None]) -> None:
    """It may be that nobody waits for one that was expected."""
    if not opened.cancelled():
        opened.exception()


def why_ended(error: str, status: int) -> SessionEnded:
    """Why a session has come to an end. `error`: why it never had a process, "" if it had."""
    if error:
        return SessionEnded(
            f"It got no process: {error}.",
            "There is no room for one more dashboard at the moment.",
            "no room",
        )
    if status == os.EX_SOFTWARE:
        return SessionEnded("It could not be shown; the log says why before this.")
    if status >= 0:
        return SessionEnded(
            f"Code of the notebook has ended the interpreter, with status {status}.", cause="exited"
        )
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    if status == -signal.SIGKILL:
        return SessionEnded(
            f"Its process was killed by {name}, most likely for want of memory.",
            "It was ended, most likely because it needs more memory than there is.",
            "killed",
        )
    if -status in _CRASHES:
        return SessionEnded(
            f"Its process crashed by {name}, in compiled code of a package most likely.",
            cause="crashed",
        )
    return SessionEnded(f"Its process was ended by {name}.", cause="ended")
