"""The WebSocket of a dashboard, and the files of components that it uses."""

from __future__ import annotations

import mimetypes
from typing import Any

from jupyterhub.services.auth import HubOAuthenticated
from tornado.web import HTTPError, RequestHandler

from dashboards.catalog import find, served_here, visible
from dashboards.web.close_codes import TAKEN
from dashboards.web.pages import OwnerSocket, Upgrade
from dashboards.web.session import Session
from dashboards.web.site import Site


class DashboardSocket(OwnerSocket):
    """While the dashboard is shared with the owner.

    What comes is passed on to the session's process, and what it says to the page.
    """

    number = 0  # until it is connected

    async def prepare(self) -> None:
        """The same checks as for the page; 403 for everybody else."""
        await super().prepare()
        shared = await self.site.shared_with(self.visitor, *self.path_args)
        session = self._asked_for()
        serves_admin = self.site.settings.serves_admin
        if (
            session is None
            or not served_here(session.dashboard, serves_admin=serves_admin)
            or not find(shared, session.dashboard.group, session.dashboard.name)
        ):
            raise HTTPError(403)
        self.session: Session = session

    def _asked_for(self) -> Session | None:
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        if len(offered) != 2:
            return None
        group, name = self.path_args
        session = self.site.sessions.of_socket(group, name, offered[1].strip())
        return session if session and session.can_be_connected else None

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Bokeh's, which stands before the token."""
        return subprotocols[0]

    def open(self, *_: str) -> None:
        """Some time after the checks of `prepare`: what was taken meanwhile stays closed."""
        left = self.site.hub.left_of(self.visitor.groups)
        if not self.session.can_be_connected or not visible([self.session.dashboard], left):
            self.close(TAKEN)
            return
        self.number = self.session.connect(self, is_admin=self.visitor.is_admin)

    async def on_message(self, message: str | bytes) -> None:
        """What a person does comes as a patch; the rest is the machine's own talk."""
        if isinstance(message, str) and '"PATCH-DOC"' in message[:200]:
            self.site.activity.noticed()
        await self.session.pass_on(self.number, message)

    def on_close(self) -> None:
        """The page is gone, or was sent away."""
        self.session.disconnect(self.number)


class ComponentHandler(HubOAuthenticated, RequestHandler):
    """`<prefix>components/…`: scripts and styles of components that notebooks bring."""

    async def get(self, path: str) -> None:
        """For the owner only."""
        site: Site = self.settings["site"]
        self.hub_auth = site.hub.auth
        visitor = await site.hub.visitor_of_resource(self)
        if visitor is None or not visitor.is_owner:
            raise HTTPError(403)
        file = await site.sessions.component(path)
        if not file:
            raise HTTPError(404)
        kind = mimetypes.guess_type(path)[0]
        self.set_header("Content-Type", kind or "application/octet-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(file)


def socket_routes(prefix: str) -> list[tuple[Any, type[Any]]]:
    """The addresses of this module. `prefix`: as a regular expression."""
    return [
        (Upgrade(prefix + r"dashboards/([^/]+)/([^/]+)/ws"), DashboardSocket),
        (prefix + r"components/(.+)", ComponentHandler),
    ]
