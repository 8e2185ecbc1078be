"""The process of one open dashboard: its notebook, its document, Bokeh's side of its WebSockets.

The front of the server (`dashboards.web.sessions`) has checked who comes, and passes on what the
page and the document say to each other. What this process must know of its person comes with the
order to open the dashboard; no token of the hub does, save for the notebooks of the admin folder.

Imports Panel: only `dashboards.forks.warm` may import this module, when it is time for that.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from bokeh.core.templates import FILE
from bokeh.core.types import ID
from bokeh.embed.bundle import extension_dirs
from bokeh.protocol.messages.pull_doc_reply import pull_doc_reply
from bokeh.server.contexts import ApplicationContext
from bokeh.server.session import ServerSession
from bokeh.util.token import generate_jwt_token, generate_session_id
from panel.io.server import ComponentResourceHandler
from panel.io.state import state
from tornado.ioloop import IOLoop

from dashboards import hub_api, identity
from dashboards.catalog import Dashboard
from dashboards.failure import give_secrets, on_noted
from dashboards.forks.this_process import leave
from dashboards.identity import CurrentUser
from dashboards.live import busy, callback_failure, data_download, local_only, page_socket
from dashboards.live.page_socket import PageSocket
from dashboards.live.rendering import dashboard_page, own_page, resources_at
from dashboards.running import outputs
from dashboards.running.notebook import NotebookApplication, NotebookHandler
from dashboards.running.shared import left_by_shared_cells
from dashboards.web.bare_request import request_from
from dashboards.web.session_link import Kind, Link

log = logging.getLogger(__name__)

FIRST_STATE = ID("first-state")
"""The question that a page with its document's first state need not ask; `first_state.js` waits for
the answer."""

_UNUSED = 60_000  # milliseconds: a page may be slow to fetch its scripts, and be late
_LOOK = 10  # seconds between two looks whether it is used


def install() -> None:
    """Make Panel answer as ours; to be called once, before processes are forked."""
    identity.install(type(state))
    local_only.install()
    callback_failure.install()
    page_socket.install()
    outputs.install()


def run(line: socket.socket) -> NoReturn:
    """Run the dashboard that is ordered on this socket; ends the process with it."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO)
    leave(asyncio.run(_serve(line)))


async def _serve(line: socket.socket) -> int:
    """Returns the exit status."""
    link = await Link.over(line)
    dashboard: OpenDashboard | None = None
    with suppress(EOFError, ConnectionError):  # the server has gone
        while True:
            kind, number, payload = await link.receive()
            if kind is Kind.OPEN:
                dashboard = OpenDashboard(link, json.loads(payload))
            elif dashboard is not None:
                dashboard.take(kind, number, payload)
    return 0


class OpenDashboard:
    """A dashboard with its one session.

    Args:
        link: to the front of the server.
        order: what `dashboards.web.sessions.Sessions` has made of a request.
    """

    def __init__(self, link: Link, order: Mapping[str, Any]) -> None:
        kept = {name: os.environ[name] for name in outputs.ENVIRONMENT}
        os.environ.clear()
        os.environ.update(order["environ"] | kept)
        give_secrets(order["secrets"])
        time.tzset()
        if order["hub"]:
            hub_api.configure(hub_api.Access(**order["hub"]))
        self.link = link
        self.dashboard = Dashboard(
            **{**order["dashboard"], "path": Path(order["dashboard"]["path"])}
        )
        self.pages: dict[int, PageSocket] = {}
        self.session: ServerSession | None = None
        self._order = order
        self._shared: asyncio.Future[dict[str, Any]] | None = None
        #: Whether the page came with the first state of the document, and it still is that.
        self._is_first_state: bool | None = None
        loop = asyncio.get_running_loop()
        on_noted(lambda reference: loop.call_soon_threadsafe(link.send, Kind.FAILED, reference))
        self._life = asyncio.create_task(self._live())
        self._end: asyncio.Task[None] | None = None

    def take(self, kind: Kind, number: int, payload: bytes) -> None:
        """A frame from the front."""
        match kind:
            case Kind.CONNECT:
                is_admin = json.loads(payload)["is_admin"]
                self.pages[number] = PageSocket(self, number, is_admin=is_admin)
            case Kind.TEXT | Kind.BINARY | Kind.CLOSE:
                if page := self.pages.get(number):
                    page.take(kind, payload)
            case Kind.SHARED:
                if self._shared:
                    self._shared.set_result(json.loads(payload))
            case Kind.COMPONENT:
                self.link.send(Kind.COMPONENT, _component(payload.decode()), number)
            case Kind.END:
                if self.session is None:
                    self._life.cancel()
                self._end = asyncio.create_task(self._come_to_end())

    # -- its beginning --------------------------------------------------------------------------

    async def _live(self) -> None:
        try:
            await self._open()
            while self.context.sessions:
                await asyncio.sleep(_LOOK)
                await self.context._cleanup_sessions(_UNUSED)
        except Exception:
            log.exception("%s/%s failed", self.dashboard.group, self.dashboard.name)
            await self._exit(os.EX_SOFTWARE)
        await self._exit(0)

    async def _exit(self, status: int) -> NoReturn:
        with suppress(ConnectionError):
            await self.link.emptied()
        leave(status)

    async def _open(self) -> None:
        order, key = self._order, secrets.token_bytes(32)
        shared = Path(order["shared"]) if order["shared"] else None
        notebook = NotebookHandler(self.dashboard, shared)
        notebook.progressed = self._progressed
        application = NotebookApplication(notebook)
        self.context = ApplicationContext(application, io_loop=IOLoop.current(), url=order["url"])
        session_id = generate_session_id(secret_key=key, signed=True)
        request = request_from(order)
        token = generate_jwt_token(
            session_id,
            secret_key=key,
            signed=True,
            expiration=order["token_lifetime"],
            extra_payload={
                "headers": order["headers"],
                "cookies": {},
                "arguments": request.arguments,
            },
        )
        user = {**order["user"], "claims": MappingProxyType(order["user"]["claims"])}
        for name in ("groups", "roles", "permissions"):
            user[name] = tuple(user[name])
        identity.remember(CurrentUser(**user))
        if notebook.has_shared_cells:
            notebook.left = await left_by_shared_cells(self._ask_shared, self.dashboard)
        self.session = await self.context.create_session_if_needed(session_id, request, token)
        self._tell(self.session, token, notebook)
        if notebook.failure:
            self.session.request_expiration()
            await self.context._cleanup_sessions(_UNUSED)
        else:
            document = self.session.document
            busy.follow(document, lambda: list(self.pages.values()))
            data_download.offer(document)

    def _tell(self, session: ServerSession, token: str, notebook: NotebookHandler) -> None:
        document, files, failure = session.document, self._order["files"], notebook.failure
        resources = resources_at(self._order["prefix"])
        makes_own_page = document.template is not FILE and not failure
        page = ""
        if makes_own_page:
            page = own_page(session, resources, files, notebook.ignored)
        elif not failure:
            page = dashboard_page(session, resources, files, {"ignored": notebook.ignored})
            self._is_first_state = True
            document.on_change(self._document_changed)
        self.link.send_json(
            Kind.OPENED,
            token=token,
            own_page=makes_own_page,
            failure=vars(failure) if failure else None,
            extensions={name: os.fspath(folder) for name, folder in extension_dirs.items()},
        )
        self.link.send(Kind.PAGE, page)

    def _progressed(self, step: int, count: int, percent: int | None) -> None:
        self.link.send_json(Kind.PROGRESS, step=step, count=count, percent=percent)

    def _document_changed(self, _: object) -> None:
        if self._is_first_state:
            self._is_first_state = False

    async def _ask_shared(self) -> dict[str, str] | None:
        self._shared = asyncio.get_running_loop().create_future()
        self.link.send(Kind.SHARED)
        told = await self._shared
        if "error" in told:
            raise OSError(told["error"])
        return told["answer"]

    # -- its WebSockets -------------------------------------------------------------------------

    def first_state_answer(self) -> Any:
        """What is said unasked to a page that came with the document's first state: whether it
        still is that; if not, what it is now. None if it was said before: a page that lost its
        connection asks by itself."""
        is_first, self._is_first_state = self._is_first_state, None
        if is_first is None:
            return None
        if is_first:
            header = pull_doc_reply.create_header(request_id=FIRST_STATE)
            return pull_doc_reply(header, {}, {"doc": None})  # pyright: ignore[reportArgumentType]
        assert self.session is not None
        return pull_doc_reply.create(FIRST_STATE, self.session.document)

    # -- its end --------------------------------------------------------------------------------

    async def _come_to_end(self) -> None:
        """Let the notebook's callbacks for the end run; the front does not wait for long."""
        if self.session is not None:
            await end(self.context, self.session)
        await self._exit(0)


async def end(context: ApplicationContext, session: ServerSession) -> None:
    """End a session's connections, its callbacks and its document.

    Another may do the same just now, and a WebSocket may be opened meanwhile.
    """
    while not session.destroyed:
        for connection in list(session._subscribed_connections):
            session.unsubscribe(connection)
        session._callbacks.remove_all_callbacks()
        await context._discard_session(session, lambda one: not one.connection_count)
        await asyncio.sleep(0.01)  # it is kept as long as something waits for its turn, or writes


def _component(path: str) -> bytes:
    """A file of a component that is imported already; b"" for all else."""
    # Panel imports what the address names.
    if path.partition("/")[0] not in sys.modules:
        return b""
    try:
        finder = ComponentResourceHandler.__new__(ComponentResourceHandler)
        return Path(finder.parse_url_path(path)).read_bytes()
    except Exception:  # the address is anybody's words, and Panel does what they say
        return b""
