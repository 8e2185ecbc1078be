"""Our own pages, and the handler that every page and address of a person's server stands on."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlparse

import jinja2
from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.httputil import url_concat
from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from dashboards.activity import Activity
from dashboards.addresses import admin_server_url
from dashboards.catalog import Dashboard, dashboards_in, visible
from dashboards.hub import Hub, Visitor
from dashboards.settings import ADMIN, Settings

if TYPE_CHECKING:
    from dashboards.revoking import ChangesSocket, Push
    from dashboards.running import Running

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
STATIC = HERE / "static"

# Bokeh makes functions out of text and writes its data into the page.
DASHBOARD_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A page with one thing on it: what happened, what it means, the next step."""

    title: str
    text: str
    detail: str = ""
    next_words: str = "Back to my dashboards"
    next_url: str = ""
    ask_url: str = ""


NOT_HERE = Message(
    title="This dashboard is not here, or not shared with you",
    text="Check the address, or ask for access: those who look after the dashboard can "
    "share it with you.",
)
NOT_YOURS = Message(
    title="This page is somebody else’s",
    text="Everybody has a place of their own here. The same dashboard may be in yours.",
)


class Site:
    """What all handlers of one server share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.hub = Hub(settings)
        self.activity = Activity(settings)
        self.cookie_secret = secrets.token_bytes(32)
        self.galleries: set[ChangesSocket] = set()
        self._running: asyncio.Future[Running] = asyncio.get_running_loop().create_future()

    @property
    def running_now(self) -> Running | None:
        """What runs dashboards, None while its packages are still being imported."""
        future = self._running
        return future.result() if future.done() and not future.exception() else None

    async def running(self) -> Running:
        """What runs dashboards, as soon as it can. Raises what its import raised."""
        return await asyncio.shield(self._running)

    def can_run(self, outcome: Running | BaseException) -> None:
        """The imports are done, or have failed for good."""
        if isinstance(outcome, BaseException):
            self._running.set_exception(outcome)
        else:
            self._running.set_result(outcome)

    async def groups_changed(self, push: Push) -> bool:
        """The owner has these groups from now on. False: code of a notebook cannot be stopped."""
        self.hub.told(push.groups)
        running = self.running_now
        closed = running is None or await running.keep_only(push.groups, push.code)
        for gallery in tuple(self.galleries):
            gallery.tell(push)
        return closed

    def is_own_origin(self, origin: str) -> bool:
        """Whether a WebSocket comes from a page at the hub's public address."""
        public = urlparse(self.settings.public_url).netloc
        return bool(public) and urlparse(origin).netloc.lower() == public.lower()

    @staticmethod
    def template(name: str) -> jinja2.Template:
        """One of our templates, to be filled by somebody else."""
        return _templates().get_template(name)

    def dashboards(self) -> tuple[Dashboard, ...]:
        """All dashboards there are now; a folder that went away has none."""
        try:
            return dashboards_in(self.settings.notebooks)
        except OSError as error:
            log.error("The folder of notebooks cannot be read: %s", error.strerror)
            return ()

    async def shared_with(self, visitor: Visitor) -> tuple[Dashboard, ...]:
        """What somebody may know of. Where the admin folder cannot be read, the hub tells of it."""
        found = self.dashboards()
        if visitor.is_admin and not os.access(self.settings.notebooks / ADMIN, os.R_OK | os.X_OK):
            found += await self.hub.admin_dashboards()
        return visible(found, visitor.groups)

    def page(self, template: str, **values: object) -> str:
        """One of our templates as a page."""
        return (
            _templates()
            .get_template(template)
            .render(
                prefix=self.settings.prefix,
                home=self.settings.own_prefix,
                hub=self.settings.hub_prefix,
                asset=self.asset,
                **values,
            )
        )

    def asset(self, name: str) -> str:
        """The address of a file of ours, with its version, so that a browser may keep it."""
        version = StaticFileHandler.get_version({"static_path": str(STATIC)}, name)
        return f"{self.settings.prefix}static/atrium/{name}?v={version}"


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


class PlainHandler(HubOAuthenticated, RequestHandler):
    """Safe headers, our error pages, and no query of an address in a log line."""

    site: Site
    visitor: Visitor | None = None
    policy: ClassVar[str] = PAGE_POLICY

    def initialize(self, site: Site) -> None:
        """Called by Tornado with what the route carries."""
        self.site = site
        self.hub_auth = site.hub.auth

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", self.policy)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def show(self, message: Message, status: int) -> None:
        """Answer with a message page."""
        self.set_status(status)
        name = self.visitor.name if self.visitor else ""
        self.finish(self.site.page("message.html", message=message, person=name))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == 404:
            self.show(NOT_HERE, 404)
            return
        again = Message(
            title="That did not work",
            text="You may not be let in just now, or the page could not be made. "
            "Try again in a moment; if it stays, tell an admin of your team.",
            next_words="Try again",
            next_url=self.site.settings.prefix,
        )
        self.show(again, status_code)

    def _request_summary(self) -> str:
        return f"{self.request.method} {self.request.path}"


class PersonHandler(PlainHandler):
    """An address for the owner of this server and nobody else."""

    async def prepare(self) -> None:
        """Answers itself, and so ends the request, for everybody but the owner."""
        self.visitor = await self.site.hub.visitor(self)
        if self.visitor is None:
            self._send_to_sign_in()
        elif not self.visitor.is_owner:
            log.warning("Somebody else was refused at %s", self.request.path[:200])
            self.show(NOT_YOURS, 403)
        else:
            self.site.activity.noticed()

    @property
    def person(self) -> Visitor:
        """The owner, who is known once `prepare` has let them in."""
        if self.visitor is None:
            raise HTTPError(403)
        return self.visitor

    def _send_to_sign_in(self) -> None:
        headers = self.request.headers
        is_page = headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
        if self.request.method in {"GET", "HEAD"} and is_page and "Upgrade" not in headers:
            # Should they be somebody else, the hub leads them to this page of their own.
            self.redirect(url_concat(self.get_login_url(), {"dashboard": self.request.path}))
        else:
            raise HTTPError(403)


class NotHereHandler(PersonHandler):
    """Every address that is none."""

    def get(self) -> None:
        """The same answer as for what is not shared."""
        self.show(NOT_HERE, 404)

    head = post = put = delete = patch = get


class AdminServerHandler(NotHereHandler):
    """An address of an admin's own server for the admin folder, asked for while it does not run."""

    def get(self) -> None:
        if not self.person.is_admin:
            super().get()
            return
        self.redirect(admin_server_url(self.site.settings, self.request.uri or ""))


class SignedInHandler(PlainHandler, HubOAuthCallbackHandler):
    """Where the hub sends the browser back to after signing in."""

    def check_etag_header(self) -> bool:
        return False


Routes = list[tuple[str, type[RequestHandler], dict[str, Any]]]
LogFunction = Callable[[RequestHandler], None]


def log_request(handler: RequestHandler) -> None:
    """One line per answer, without the query: the way back from signing in carries a code there."""
    status = handler.get_status()
    if status == 304 or "/static/" in handler.request.path:
        return
    level = logging.ERROR if status >= 500 else logging.INFO
    milliseconds = 1000 * handler.request.request_time()
    path = handler.request.path[:200]
    log.log(level, "%d %s %s %.0f ms", status, handler.request.method, path, milliseconds)
