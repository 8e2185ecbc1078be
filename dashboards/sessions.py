"""The dashboards that are open on a person's server, each in a process of its own.

A session is one dashboard that one page has opened; it has nothing to do with signing in. What
`dashboards.session` has of it is the front's side, `dashboards.session_process` runs the notebook.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPServerRequest

from dashboards.addresses import address
from dashboards.catalog import Dashboard, visible
from dashboards.failure import SessionEnded
from dashboards.identity import CurrentUser
from dashboards.processes import Processes
from dashboards.session import Session
from dashboards.settings import Settings

if TYPE_CHECKING:
    from dashboards.site import Site

HEADERS = ("User-Agent", "Accept-Language", "Host")
"""What a notebook may know of the request: no cookie, no token."""

TOKEN_LIFETIME = 300
"""Seconds after which a page that was loaded can no longer open its WebSocket."""

_COMPONENT = 60  # seconds that a dashboard which computes gets to answer for its component's file

MOST = 30
"""So many dashboards can be open on a server; an admin has two servers."""


class Sessions:
    """Opens dashboards, and finds the session that a WebSocket belongs to.

    Args:
        site: what all handlers of the server share.
        processes: from which each dashboard gets its own.
    """

    def __init__(self, site: Site, processes: Processes) -> None:
        self.site = site
        self.processes = processes
        self._open: list[Session] = []
        self._expected: Session | None = None
        self._own_pages: set[tuple[str, int, int]] = set()

    def makes_own_page(self, dashboard: Dashboard) -> bool:
        """Whether this version is known to come with a page template of its own."""
        return dashboard.version in self._own_pages

    async def open(
        self,
        dashboard: Dashboard,
        order: Mapping[str, Any],
        begun: Callable[[Session], object],
    ) -> Session:
        """Run the notebook in a new session.

        Args:
            order: see `order_of`.
            begun: is given the session as soon as there is one.

        Raises OSError where there can be no process, or SessionEnded.
        """
        expected, self._expected = self._expected, None
        if expected is not None and expected.order == order and expected.is_fresh:
            session = expected
        else:
            if expected is not None:
                expected.end()
            session = self._begin(dashboard, order)
        begun(session)
        try:
            await session.opened()
        except asyncio.CancelledError:  # whoever asked has left
            session.end()
            raise
        if session.own_page:
            self._own_pages.add(dashboard.version)
        return session

    def open_expected(self, dashboard: Dashboard, order: Mapping[str, Any]) -> None:
        """Begin what `open` would do, for the very same request that is about to come."""
        if not self._open:
            self._expected = self._begin(dashboard, order)

    def _begin(self, dashboard: Dashboard, order: Mapping[str, Any]) -> Session:
        self._make_room()
        session = Session(self, dashboard, order)
        self._open.append(session)
        return session

    def order_of(
        self,
        dashboard: Dashboard,
        user: CurrentUser,
        request: HTTPServerRequest,
        files: str,
        given: Mapping[str, str],
    ) -> dict[str, Any]:
        """All that the process of a session is told.

        Args:
            dashboard: which it runs.
            user: for whom.
            request: of their browser.
            files: where its page finds the scripts and styles that are the same for everybody.
            given: what its environment has beside the server's own.
        """
        settings = self.site.settings
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        return {
            "environ": dict(os.environ),
            "secrets": dict(given),
            "dashboard": {**asdict(dashboard), "path": os.fspath(dashboard.path)},
            "shared": _shared(settings, dashboard),
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
        """Whoever loads a page again and again leaves sessions that nobody looks at any more.

        Raises SessionEnded when all are looked at.
        """
        lasting = [session for session in self._open if not session.is_ending]
        if len(lasting) >= MOST:
            unused = (session for session in lasting if not session.sockets)
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
        asked = [asyncio.create_task(session.component(path)) for session in self._open]
        try:
            for answer in asyncio.as_completed(asked, timeout=_COMPONENT):
                if file := await answer:
                    return file
        except TimeoutError:  # one of them computes
            pass
        finally:
            for task in asked:
                task.cancel()
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


def _shared(settings: Settings, dashboard: Dashboard) -> str:
    """Where the hub keeps what the viewers of a folder share, "" if it does not."""
    return os.fspath(settings.shared / dashboard.group) if settings.shared else ""


def _access(settings: Settings) -> dict[str, str]:
    """What the admin folder's notebooks may read the hub with (`dashboards.hub_api.Access`)."""
    return {
        "api_url": settings.api_url,
        "api_token": settings.api_token,
        "notebooks": os.fspath(settings.notebooks),
    }
