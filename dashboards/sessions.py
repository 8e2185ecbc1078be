"""The dashboards that are open on a person's server, each in a process of its own.

What runs in such a process is `dashboards.session_process`. Code of notebooks is in there, so that
nothing that comes from it is trusted further than the page of the very dashboard.
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
from collections.abc import Collection, Mapping
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPServerRequest
from tornado.websocket import WebSocketClosedError

from dashboards.addresses import address
from dashboards.catalog import Dashboard, visible
from dashboards.failure import Failure, SessionEnded
from dashboards.identity import CurrentUser
from dashboards.processes import Process, Processes
from dashboards.session_link import Kind, Link
from dashboards.settings import Settings

if TYPE_CHECKING:
    from dashboards.dashboard_socket import DashboardSocket
    from dashboards.site import Site

log = logging.getLogger(__name__)

HEADERS = ("User-Agent", "Accept-Language", "Host")
"""What a notebook may know of the request: no cookie, no token."""

ENDED = 4410
"""The close code of a WebSocket whose dashboard's process has ended by itself."""

MOST = 30
"""So many dashboards a person can have open."""

TOKEN_LIFETIME = 300
"""Seconds after which a page that was loaded can no longer open its WebSocket."""

PATIENCE = 2
"""Seconds that the code of a dashboard gets to come to its end when it is closed."""


class Sessions:
    """Opens dashboards, and finds the session that a WebSocket belongs to.

    Args:
        site: what all handlers of the server share.
        processes: where it gets them from.
    """

    def __init__(self, site: Site, processes: Processes) -> None:
        self.site = site
        self.processes = processes
        self._open: list[Session] = []
        self._ahead: Session | None = None
        self._own_pages: set[tuple[str, int, int]] = set()

    def makes_own_page(self, dashboard: Dashboard) -> bool:
        """Whether this version is known to come with a page template of its own."""
        return dashboard.version in self._own_pages

    async def open(
        self, dashboard: Dashboard, user: CurrentUser, request: HTTPServerRequest, files: str
    ) -> Session:
        """Run the notebook in a new session.

        `files`: where its page finds the scripts and styles that are the same for everybody.

        Raises OSError where there can be no process, or SessionEnded.
        """
        order = self._order(dashboard, user, request, files)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead in self._open and ahead.order == order:
            session = ahead
        else:
            if ahead is not None:
                ahead.end()
            session = self._begin(dashboard, order)
        await session.opened()
        if session.own_page:
            self._own_pages.add(dashboard.version)
        return session

    def open_ahead(
        self, dashboard: Dashboard, user: CurrentUser, request: HTTPServerRequest, files: str
    ) -> None:
        """Begin what `open` would do, for the very same request that is about to come."""
        if not self._open:
            self._ahead = self._begin(dashboard, self._order(dashboard, user, request, files))

    def _begin(self, dashboard: Dashboard, order: Mapping[str, Any]) -> Session:
        self._make_room()
        session = Session(self, self.processes.take(), dashboard, order)
        self._open.append(session)
        return session

    def _order(
        self, dashboard: Dashboard, user: CurrentUser, request: HTTPServerRequest, files: str
    ) -> dict[str, Any]:
        """All that the process of a session is told."""
        settings = self.site.settings
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        return {
            "environ": dict(os.environ),
            "dashboard": {**asdict(dashboard), "path": os.fspath(dashboard.path)},
            "url": address(dashboard, settings).removeprefix(settings.prefix.rstrip("/")),
            "prefix": settings.prefix,
            "files": files,
            "user": {**vars(user), "claims": dict(user.claims)},
            "uri": request.uri,
            "protocol": request.protocol,
            "host": request.host,
            "headers": headers,
            "token_lifetime": TOKEN_LIFETIME,
            "hub": _access(settings) if settings.serves_admin else None,
        }

    def _make_room(self) -> None:
        """Whoever loads a page again and again leaves sessions that nobody looks at any more."""
        if len(self._open) >= MOST:
            unused = (session for session in self._open if not session.sockets)
            if (first := next(unused, None)) is None:
                told = f"You have {MOST} dashboards open: close one of them."
                raise SessionEnded("There are too many.", told)
            first.end()

    def of_socket(self, group: str, name: str, token: str) -> Session | None:
        """The session that a page's WebSocket is for; None when none of that name waits for it."""
        for session in self._open:
            if (session.dashboard.group, session.dashboard.name) == (group, name) and (
                session.token and secrets.compare_digest(session.token.encode(), token.encode())
            ):
                return session
        return None

    async def component(self, path: str) -> bytes:
        """A file of a component that an open dashboard uses, b"" where none does."""
        for session in tuple(self._open):
            if file := await session.component(path):
                return file
        return b""

    def extension_folder(self, package: str) -> str:
        """Where a package has what it brings for Bokeh, if an open dashboard has imported it."""
        folders = (session.extensions.get(package, "") for session in self._open)
        return next(filter(None, folders), "")

    async def keep_only(self, groups: Collection[str], code: int) -> bool:
        """End every session of a dashboard that is not for these groups, with this close code.

        False: one of them could not be ended.
        """
        ends = [
            session.come_to_end(code)
            for session in self._open
            if not visible([session.dashboard], groups)
        ]
        return all(await asyncio.gather(*ends))

    def forget(self, session: Session) -> None:
        """Called by a session that has ended."""
        if session in self._open:
            self._open.remove(session)


class Session:
    """A dashboard that is open. With a failure it has nothing to show.

    `ignored`: what its address asked for in vain, `kind=foo`.
    """

    def __init__(
        self,
        sessions: Sessions,
        process: Process,
        dashboard: Dashboard,
        order: Mapping[str, Any],
    ) -> None:
        self.dashboard = dashboard
        self.order = order
        self.failure: Failure | None = None
        self.own_page = False
        self.token = ""
        self.extensions: dict[str, str] = {}
        self.sockets: dict[int, DashboardSocket] = {}
        self._page = ""
        self._sessions = sessions
        self._process = process
        self._until = time.monotonic() + TOKEN_LIFETIME
        self._link: Link | None = None
        self._is_open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._components: dict[int, asyncio.Future[bytes]] = {}
        self._numbers = count(1)
        self.is_ending = False
        self._is_open.add_done_callback(_heard)
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
        self._link = link = await Link.over(self._process.line)
        link.send_json(Kind.OPEN, **self.order)
        await self._listen(link)

    async def _listen(self, link: Link) -> None:
        try:
            while True:
                await self._take(link, *await link.receive())
        except (EOFError, ConnectionError):
            pass
        except Exception:
            log.exception("The process of a dashboard said what nobody understands")
        link.close()
        await self._has_ended()

    async def _take(self, link: Link, kind: Kind, number: int, payload: bytes) -> None:
        match kind:
            case Kind.TEXT | Kind.BINARY:
                if page := self.sockets.get(number):
                    with contextlib.suppress(WebSocketClosedError):
                        await page.write_message(payload, binary=kind is Kind.BINARY)
            case Kind.CLOSE:
                if page := self.sockets.get(number):
                    page.close(1011)
            case Kind.OPENED:
                self._opened(json.loads(payload))
            case Kind.PAGE:
                self._page = payload.decode()
                if not self._is_open.done():
                    self._is_open.set_result(None)
            case Kind.SHARED:
                self._beside = asyncio.create_task(self._tell_shared(link))
            case Kind.COMPONENT:
                if answer := self._components.pop(number, None):
                    answer.set_result(payload)
            case _:
                raise ValueError(kind)

    def _opened(self, told: dict[str, Any]) -> None:
        self.token = str(told["token"])
        self.own_page = bool(told["own_page"])
        self.extensions = {str(name): str(place) for name, place in told["extensions"].items()}
        if failure := told["failure"]:
            self.failure = Failure(**{name: str(text) for name, text in failure.items()})

    async def _tell_shared(self, link: Link) -> None:
        """What the hub says of the shared cells of this very notebook."""
        hub, dashboard = self._sessions.site.hub, self.dashboard
        try:
            answer = await hub.shared_data(dashboard.group, dashboard.name)
        except Exception as error:
            link.send_json(Kind.SHARED, error=f"{type(error).__name__}: {error}")
        else:
            link.send_json(Kind.SHARED, answer=answer)

    # -- its WebSockets -----------------------------------------------------------------------

    @property
    def can_be_connected(self) -> bool:
        """Whether its page may still open a WebSocket."""
        return time.monotonic() < self._until and not self.is_ending

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
        self.is_ending = True
        for page in tuple(self.sockets.values()):
            page.close(code)
        if self._link is not None:
            self._link.send(Kind.END)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._process.ended), PATIENCE)
            return True
        self._sessions.processes.end(self._process)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._process.ended), PATIENCE / 2)
            return True
        return False

    def end(self) -> None:
        """Let it come to its end; nobody looks at it."""
        self._sessions.forget(self)
        self._beside = asyncio.create_task(self.come_to_end(1000))

    async def _has_ended(self) -> None:
        self._sessions.forget(self)
        self._sessions.processes.end(self._process)
        status = await self._process.ended
        for answer in self._components.values():
            answer.set_result(b"")
        if not self._is_open.done():
            self._is_open.set_exception(_end_of(self._process.error, status))
        elif self.sockets and not self.is_ending:
            names = self.dashboard.group, self.dashboard.name
            log.error("%s/%s: %s", *names, _end_of(self._process.error, status))
        for page in tuple(self.sockets.values()):
            page.close(ENDED)


def _heard(opened: asyncio.Future[None]) -> None:
    """It may be that nobody waits for a session that was opened ahead."""
    if not opened.cancelled():
        opened.exception()


def _access(settings: Settings) -> dict[str, str]:
    """What the admin folder's notebooks may read the hub with (`dashboards.hub_api.Access`)."""
    return {
        "api_url": settings.api_url,
        "api_token": settings.api_token,
        "notebooks": os.fspath(settings.notebooks),
    }


def _end_of(error: str, status: int) -> SessionEnded:
    if error:
        return SessionEnded(
            f"It got no process: {error}.",
            "There is no room for one more dashboard at the moment.",
        )
    if status == -signal.SIGKILL:
        return SessionEnded(
            "Its process was killed, most likely for want of memory.",
            "It was ended, most likely because it needs more memory than there is.",
        )
    return SessionEnded(f"Its process has ended with status {status}.")
