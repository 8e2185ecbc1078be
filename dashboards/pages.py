"""Our own pages, and the handler that every page and address of a person's server stands on."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import jupyterhub
from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado.httputil import HTTPServerRequest, url_concat
from tornado.routing import PathMatches
from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from dashboards.addresses import admin_server_url, lab_url
from dashboards.site import Site
from dashboards.visitors import Visitor

if TYPE_CHECKING:
    from dashboards.revoking import Push

log = logging.getLogger(__name__)

_MOST_TOLD = 50
"""Pages of one kind, of one person, that are told what changes."""

_NOT_EXPECTED = 1008  # "policy violation", RFC 6455

# Bokeh makes functions out of text and writes its data into the page.
DASHBOARD_POLICY = (
    "default-src 'self' {files} data: blob:; "
    "script-src 'self' {files} 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' {files} 'unsafe-inline' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self' {embedded_by}"
)
PAGE_POLICY = (
    "default-src 'self' {files}; img-src 'self' {files} data:; "
    "style-src 'self' {files} 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A page with one thing on it: what happened, what it means, the next step."""

    title: str
    text: str
    next_words: str = "Back to my dashboards"
    next_url: str = ""
    ask_url: str = ""


NOT_HERE = Message(
    title="This dashboard is not here, or not shared with you",
    text="Check the address, or ask for access: those who look after the dashboard can "
    "share it with you.",
)
NOT_SIGNED_IN_HERE = Message(
    title="You are not signed in here",
    text="Open the dashboard in a tab of its own and sign in there. If it is still not shown here "
    "after that, your browser keeps the two sites apart.",
    next_words="Open the dashboard",
)
NOT_YOURS = Message(
    title="This page is somebody else’s",
    text="Everybody has a place of their own here. The same dashboard may be in yours.",
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
        site: Site = self.settings["site"]  # called before initialize
        policy = self.policy.format(
            files=site.files_origin, embedded_by=site.settings.embed_origins
        )
        self.set_header("Content-Security-Policy", policy.replace("  ", " ").strip())
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    @property
    def files_url(self) -> str:
        """Where this page finds scripts and styles; own_files.js asks for this server's own."""
        settings = self.site.settings
        return settings.prefix if self.get_cookie("atrium-own-files") else settings.files_url

    @property
    def is_embedded(self) -> bool:
        """Whether another page shows this one in a frame."""
        return self.request.headers.get("Sec-Fetch-Dest") in {"iframe", "frame", "embed", "object"}

    def page(self, template: str, **values: object) -> str:
        """One of our templates as a page."""
        return self.site.page(
            template,
            files=self.files_url,
            is_owners=self.visitor is not None and self.visitor.is_owner,
            is_embedded=self.is_embedded,
            **values,
        )

    def show(self, message: Message, status: int) -> None:
        """Answer with a message page."""
        self.set_status(status)
        name = self.visitor.name if self.visitor else ""
        self.finish(self.page("message.html", message=message, person=name))

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


class OwnerSocket(HubOAuthenticated, WebSocketHandler):
    """A WebSocket for the owner of this server and nobody else."""

    async def prepare(self) -> None:
        """The same checks as for a page; 403 for everybody else."""
        self.site: Site = self.settings["site"]
        self.hub_auth = self.site.hub.auth
        visitor = await self.site.hub.visitor(self)
        if visitor is None or not visitor.is_owner:
            raise HTTPError(403)
        self.visitor: Visitor = visitor

    def check_origin(self, origin: str) -> bool:
        """Pages of this very address, or of the hub's public one."""
        return self.site.is_own_origin(origin) or super().check_origin(origin)


class TellingSocket(OwnerSocket):
    """A WebSocket on which an open page is told something, and says nothing itself."""

    @property
    def told(self) -> set[Any]:
        """All of this kind that are open."""
        raise NotImplementedError

    async def prepare(self) -> None:
        """503 where so many are open already that they are no pages that somebody looks at."""
        await super().prepare()
        if len(self.told) >= _MOST_TOLD:
            raise HTTPError(503)

    def say(self, what: str) -> None:
        """Tell the page something."""
        with suppress(WebSocketClosedError):  # it is on the way out by itself, or was sent away
            self.write_message(what)

    def follow(self, push: Push) -> None:
        """Somebody who is signed out, or with whom nothing is shared any more, is told nothing."""
        if push.ended or not push.groups:
            self.close(push.code)

    def on_message(self, message: str | bytes) -> None:
        """No page of ours says anything."""
        self.close(_NOT_EXPECTED)

    def on_close(self) -> None:
        """Nobody looks any more."""
        self.told.discard(self)


class Upgrade(PathMatches):
    """An address that is asked for as a WebSocket; for all else it is none."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        return super().match(request) if is_socket else None


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


class LabHandler(NotHereHandler):
    """An address of the person's own lab, asked for while it does not run."""

    async def prepare(self) -> None:
        """An open page of JupyterLab goes on asking, and knows this answer of JupyterHub's: it
        offers to start the lab again."""
        if self.request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate":
            await super().prepare()
        else:
            self.set_status(424)
            self.finish({"message": "The lab does not run."})

    def get(self) -> None:
        if self.site.settings.lab and self.person.may_write:
            self.redirect(lab_url(self.site.settings, self.request.uri or ""))
        else:
            super().get()


class VersionHandler(PlainHandler):
    """`<prefix>api`: the hub asks it until a server that starts answers, and which JupyterHub it is
    made for (JupyterHub's `wait_for_http_server`); the hub itself tells that everybody."""

    def get(self) -> None:
        """As JupyterHub's own servers answer."""
        self.set_header("X-JupyterHub-Version", jupyterhub.__version__)
        self.finish({"version": jupyterhub.__version__})


class SignedInHandler(PlainHandler, HubOAuthCallbackHandler):
    """Where the hub sends the browser back to after signing in."""

    async def get(self) -> None:
        await super().get()
        self.site.hub.ask_ahead()

    def check_etag_header(self) -> bool:
        return False
