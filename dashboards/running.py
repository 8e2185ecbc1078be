"""The sessions of a person's dashboards, on Bokeh's server.

Bokeh fixes its routes when it is built; here the notebook is looked up at each request, so that
notebooks come and go. A session keeps the version of the notebook that it was opened with.

Imports Panel: only `dashboards.warm` may import this module, when it is time for that.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from bokeh.application.handlers.document_lifecycle import DocumentLifecycleHandler
from bokeh.core.templates import FILE
from bokeh.core.types import ID
from bokeh.embed.bundle import extension_dirs
from bokeh.protocol.messages.pull_doc_reply import pull_doc_reply
from bokeh.server.contexts import ApplicationContext
from bokeh.server.session import ServerSession
from bokeh.server.tornado import BokehTornado
from bokeh.util.token import generate_jwt_token, generate_session_id
from jinja2 import Template
from jupyterhub.services.auth import HubOAuthenticated
from panel.io.application import Application
from panel.io.resources import Resources
from panel.io.server import ComponentResourceHandler, WSHandler
from panel.io.state import state
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler

from dashboards import callback_failure, identity, local_only
from dashboards.addresses import address
from dashboards.catalog import Dashboard, find, served_here, visible
from dashboards.failure import Failure
from dashboards.identity import CurrentUser
from dashboards.notebook import NotebookHandler
from dashboards.rendering import page_of, state_of
from dashboards.revoking import TAKEN
from dashboards.shared import left_by_shared_cells
from dashboards.site import Site, log_request

HEADERS = ("User-Agent", "Accept-Language", "Host")
"""What a notebook may know of the request: no cookie, no token."""

PATIENCE = 2
"""Seconds that the code of a dashboard gets to come to its end when it is closed."""

FIRST_STATE = ID("first-state")
"""The question that a page with its document's first state need not ask; `first_state.js` waits for
the answer."""

TOKEN_LIFETIME = 300
"""Seconds after which a page that was loaded can no longer open its WebSocket."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A dashboard that has run. With a failure it has nothing to show.

    `ignored`: what its address asked for in vain, `kind=foo`.
    """

    session: ServerSession
    failure: Failure | None
    own_page: bool
    ignored: Sequence[str] = ()


class Sessions(BokehTornado):
    """Bokeh's server without its routes: applications are added as they are asked for."""

    def __init__(self, site: Site) -> None:
        super().__init__(
            {},
            prefix=site.settings.prefix,
            secret_key=secrets.token_bytes(32),
            sign_sessions=True,
            include_headers=list(HEADERS),
            include_cookies=[],
            session_token_expiration=TOKEN_LIFETIME,
            # A page may be slow to fetch its scripts, and open its WebSocket late.
            unused_session_lifetime_milliseconds=60_000,
            check_unused_sessions_milliseconds=10_000,
            use_index=False,
            log_function=log_request,
            cookie_secret=site.cookie_secret,
            site=site,
        )
        self.contexts: dict[tuple[str, int, int], ApplicationContext] = {}
        #: Those whose page came with the first state of their document; whether it still is that.
        self.first_states: WeakKeyDictionary[ServerSession, bool] = WeakKeyDictionary()

    async def _cleanup_sessions(self) -> None:
        for version, context in list(self.contexts.items()):
            await context._cleanup_sessions(self._unused_session_lifetime_milliseconds)
            if not context._sessions and not context._pending_sessions:
                self.contexts.pop(version, None)


class Running:
    """Opens dashboards, and finds the session that a WebSocket belongs to."""

    def __init__(self, site: Site) -> None:
        self.site = site
        identity.install(type(state))
        local_only.install()
        callback_failure.install()
        self.sessions = Sessions(site)
        self.sessions.initialize(IOLoop.current())
        self.sessions.start()
        self._own_pages: set[tuple[str, int, int]] = set()

    def stop(self) -> None:
        """End the periodic work of Bokeh's server."""
        self.sessions.stop()

    def makes_own_page(self, dashboard: Dashboard) -> bool:
        """Whether this version is known to come with a page template of its own."""
        return dashboard.version in self._own_pages

    async def open(
        self, dashboard: Dashboard, user: CurrentUser, request: HTTPServerRequest
    ) -> Opened:
        """Run the notebook in a new session. Raises OSError or ValueError for a bad file."""
        context = self._context(dashboard)
        sessions = self.sessions
        session_id = generate_session_id(secret_key=sessions.secret_key, signed=True)
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        token = generate_jwt_token(
            session_id,
            secret_key=sessions.secret_key,
            signed=True,
            expiration=TOKEN_LIFETIME,
            extra_payload={"headers": headers, "cookies": {}, "arguments": request.arguments},
        )
        identity.remember(session_id, user)
        if _notebook(context).has_shared_cells:
            left = await left_by_shared_cells(self.site.hub, dashboard)
            if left is not None:
                _notebook(context).left[session_id] = left
        session = await context.create_session_if_needed(session_id, _bare(request, headers), token)
        failure = _notebook(context).failures.get(session_id)
        own_page = session.document.template is not FILE
        if own_page:
            self._own_pages.add(dashboard.version)
        if failure:
            session.request_expiration()
        return Opened(
            session=session,
            failure=failure,
            own_page=own_page and not failure,
            ignored=_notebook(context).ignored.get(session_id, ()),
        )

    def render(
        self,
        opened: Opened,
        files: str,
        template: Template | None = None,
        values: Mapping[str, object] = MappingProxyType({}),
    ) -> str:
        """The page of a session: its own, or a template of ours filled with its parts.

        `files`: where it finds the scripts and styles that are the same for everybody.
        """
        resources = Resources.from_bokeh(self.sessions.resources())
        return page_of(opened.session, resources, files, template, values)

    def first_state(self, opened: Opened, files: str) -> str:
        """The document as JSON that may stand in a script element of its page, rendered before.

        The WebSocket then need not bring it. `files`: as for `render`.
        """
        session, first_states = opened.session, self.sessions.first_states
        first_states[session] = True

        def changed(_: object) -> None:
            if session in first_states:
                first_states[session] = False

        session.document.on_change(changed)
        return state_of(session.document, files)

    def socket(self, request: HTTPServerRequest, group: str, name: str) -> Any:
        """Tornado's delegate for a WebSocket; None when no session of that name waits for it."""
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        token = offered[1].strip() if len(offered) == 2 else ""
        for context in self.sessions.contexts.values():
            dashboard = _notebook(context).dashboard
            if (dashboard.group, dashboard.name) == (group, name) and any(
                session.token == token for session in context.sessions
            ):
                values = {"application_context": context, "bokeh_websocket_path": request.path}
                return self.sessions.get_handler_delegate(request, PersonSocket, values)
        return None

    def component(self, request: HTTPServerRequest, path: str) -> Any:
        """Tornado's delegate for a file of a component that a notebook uses."""
        return self.sessions.get_handler_delegate(request, PersonComponent, {}, [path.encode()], {})

    async def keep_only(self, groups: Collection[str], code: int) -> bool:
        """Close every session of a dashboard that is not for these groups, with this close code.

        False: the code of one of them did not come to its end, and goes on.
        """
        ends = []
        for context in list(self.sessions.contexts.values()):
            if not visible([_notebook(context).dashboard], groups):
                ends += [_end(context, session, code) for session in list(context.sessions)]
        try:
            await asyncio.wait_for(asyncio.gather(*ends), PATIENCE)
        except TimeoutError:
            return False
        return True

    def _context(self, dashboard: Dashboard) -> ApplicationContext:
        context = self.sessions.contexts.get(dashboard.version)
        if context is None:
            application = Application(NotebookHandler(dashboard))
            application.add(DocumentLifecycleHandler())
            url = address(dashboard, self.site.settings).removeprefix(self.sessions.prefix)
            context = ApplicationContext(application, io_loop=IOLoop.current(), url=url)
            self.sessions.contexts[dashboard.version] = context
        return context


async def _end(context: ApplicationContext, session: ServerSession, code: int) -> None:
    """Close a session's connections, and end its callbacks and its document.

    Another may do the same just now, and a WebSocket may be opened meanwhile.
    """
    while not session.destroyed:
        for connection in list(session._subscribed_connections):
            connection._socket.close(code)
            session.unsubscribe(connection)
        session._callbacks.remove_all_callbacks()
        await context._discard_session(session, lambda one: not one.connection_count)
        await asyncio.sleep(0.01)  # it is kept as long as something waits for its turn, or writes


class PersonSocket(HubOAuthenticated, WSHandler):
    """The WebSocket of a dashboard, for the owner of this server while it is shared with them."""

    async def prepare(self) -> None:
        """The same checks as for the page; 403 for everybody else."""
        site: Site = self.settings["site"]
        self.hub_auth = site.hub.auth
        visitor = await site.hub.visitor(self)
        dashboard = _notebook(self.application_context).dashboard
        if (
            visitor is not None
            and visitor.is_owner
            and served_here(dashboard, serves_admin=site.settings.serves_admin)
        ):
            shared = await site.shared_with(visitor)
            if find(shared, dashboard.group, dashboard.name):
                self.current_user = visitor
                return
        self.set_status(403)
        self.finish()

    async def _async_open(self, token: str) -> None:
        """Called by Bokeh, some time after the checks of `prepare`: for a session that was closed
        meanwhile it would make a new one."""
        if not self._is_still_shared():
            self.close(TAKEN)
            return
        await super()._async_open(token)
        if not self._is_still_shared():
            context = self.application_context
            ends = [_end(context, session, TAKEN) for session in list(context.sessions)]
            with suppress(TimeoutError):  # the hub, whose word it was, ends a server that holds one
                await asyncio.wait_for(asyncio.gather(*ends), PATIENCE)
            self.close(TAKEN)
        elif self.connection is not None and self.connection._session is not None:
            await self._tell_first_state()

    def _is_still_shared(self) -> bool:
        dashboard = _notebook(self.application_context).dashboard
        left = self.settings["site"].hub.left_of(self.current_user.groups)
        return bool(visible([dashboard], left))

    def check_origin(self, origin: str) -> bool:
        """Pages of this very address, or of the hub's public one."""
        site: Site = self.settings["site"]
        return site.is_own_origin(origin) or WebSocketHandler.check_origin(self, origin)

    def on_close(self) -> None:
        """Called by Tornado; of a session that has been ended there is nothing to notify."""
        if self.connection is not None and self.connection.session.destroyed:
            self.application.client_lost(self.connection)
        else:
            super().on_close()

    async def send_message(self, message: Any) -> Any:
        """Called by Bokeh for each message; what went wrong in a callback is for admins."""
        if message.msgtype == "ERROR" and not self.current_user.is_admin:
            message.content.update(text="Something went wrong", traceback="")
        return await super().send_message(message)

    async def _handle(self, message: Any) -> Any:
        # What a person does comes as a patch; the rest is the machine's own talk.
        if message.msgtype == "PATCH-DOC":
            self.settings["site"].activity.noticed()
        folder = _notebook(self.application_context).dashboard.path.parent
        if folder.is_dir():
            os.chdir(folder)
        return await super()._handle(message)

    async def _tell_first_state(self) -> None:
        """Say unasked, if the page came with the document's first state, whether it still is that;
        if not, what it is now. Said once: a page that lost its connection asks by itself."""
        assert self.connection is not None
        session, first_states = self.connection.session, self.application.first_states

        def answer() -> Any:
            if first_states.pop(session):
                header = pull_doc_reply.create_header(request_id=FIRST_STATE)
                return pull_doc_reply(header, {}, {"doc": None})  # pyright: ignore[reportArgumentType]
            return pull_doc_reply.create(FIRST_STATE, session.document)

        if session in first_states:
            await self.send_message(await session.with_document_locked(answer))  # type: ignore[misc]


class PersonComponent(HubOAuthenticated, ComponentResourceHandler):
    """Scripts and styles that components bring; Panel's own handler asks nobody who they are."""

    async def prepare(self) -> None:
        """The owner only, and nothing that is not imported yet."""
        site: Site = self.settings["site"]
        self.hub_auth = site.hub.auth
        visitor = await site.hub.visitor_of_resource(self)
        if visitor is None or not visitor.is_owner:
            raise HTTPError(403)
        # Panel imports what the address names.
        if self.path_args[0].partition("/")[0] not in sys.modules:
            raise HTTPError(404)

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")


def extension_folder(name: str) -> str | None:
    """Where a package that brings models for Bokeh has its scripts and styles."""
    folder = extension_dirs.get(name)
    return os.fspath(folder) if folder else None


def _notebook(context: ApplicationContext) -> NotebookHandler:
    handler = context.application.handlers[0]
    assert isinstance(handler, NotebookHandler)
    return handler


def _bare(request: HTTPServerRequest, headers: dict[str, str]) -> HTTPServerRequest:
    """The request as notebook code may see it."""
    bare = HTTPServerRequest(
        method="GET", uri=request.uri, headers=HTTPHeaders(headers), host=request.host
    )
    bare.protocol = request.protocol
    return bare
