"""Who is signed in, and signing somebody out everywhere: for admins, as a page and by the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from jupyterhub import orm
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import url_path_join
from sqlalchemy import func, select
from tornado import web
from tornado.httputil import url_concat

from .. import audit, grants
from ..access.group_api import FULL_ADMIN_SCOPE
from ..roles import SIGN_OUT
from . import identity_notices, sign_out
from .sessions import Session

#: People on one page; the search finds the others.
_MOST: Final = 50
_LONGEST: Final = 255
_SERVERS: Final = {"": "dashboards"}


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """Somebody who is signed in. Times are UTC."""

    name: str
    since: datetime
    confirmed: datetime
    servers: tuple[str, ...]
    #: Whether who looks may sign this person out.
    may_end: bool


class _SignsOut(BaseHandler):
    """What page and API share."""

    def check_may_look(self) -> None:
        """Refuse everybody but admins, with JupyterHub's answer."""
        if not (self.has_scope(SIGN_OUT) or self.has_scope(FULL_ADMIN_SCOPE)):
            raise web.HTTPError(403)

    def may_end(self, person: orm.User) -> bool:
        """Full admins are signed out by full admins only."""
        return not person.admin or self.has_scope(FULL_ADMIN_SCOPE)

    async def end(self, name: str) -> None:
        """Sign somebody out everywhere.

        Raises:
            web.HTTPError: there is nobody of this name, or they are not to be signed out by this
                admin.
        """
        user = self.find_user(name)
        if user is None:
            raise web.HTTPError(404)
        if not self.may_end(user.orm_user):
            raise web.HTTPError(403, "A full admin is signed out by full admins only.")
        by = str(self.current_user.name)
        await sign_out.sign_out_everywhere(self.app, user, lab=True)
        audit.record("signed-out", user=user.name, by=by)
        self.log.info("%s signed out %s", by, user.name)


class SignOutApiHandler(_SignsOut, APIHandler):
    """`POST /hub/api/users/{name}/sign-out`."""

    async def post(self, name: str) -> None:
        self.check_may_look()
        await self.end(name)
        self.set_status(204)


class SessionsHandler(_SignsOut):
    """`/hub/sessions`: "Who is signed in". A post signs out whom its form names."""

    @web.authenticated
    async def get(self) -> None:
        self.check_may_look()
        asked = self.get_query_argument("q", "")[:_LONGEST].strip().casefold()
        people, count = self._signed_in(asked)
        html = await self.render_template(
            "sessions.html",
            people=people,
            count=count,
            asked=asked,
            done=self.get_query_argument("done", "")[:_LONGEST],
            notices=identity_notices.open_notices(self.db),
            full_admin=self.has_scope(FULL_ADMIN_SCOPE),
            action=url_path_join(self.hub.base_url, "sessions"),
        )
        self.finish(html)

    @web.authenticated
    async def post(self) -> None:
        self.check_may_look()
        name = self.get_body_argument("name", "")
        await self.end(name)
        self.redirect(url_concat(url_path_join(self.hub.base_url, "sessions"), {"done": name}))

    def _signed_in(self, asked: str) -> tuple[list[SignedIn], int]:
        """Those whose name has these letters, and how many they are in all."""
        matching = (
            select(orm.User, grants.Identity, Session)
            .join(grants.Identity, grants.Identity.user_id == orm.User.id)
            .join(Session, Session.user_id == orm.User.id)
            .where(orm.User.name.contains(asked, autoescape=True))
        )
        count = self.db.scalar(select(func.count()).select_from(matching.subquery())) or 0
        found = self.db.execute(matching.order_by(orm.User.name).limit(_MOST)).all()
        return [self._shown(*row) for row in found], count

    def _shown(self, person: orm.User, identity: grants.Identity, session: Session) -> SignedIn:
        running = (str(spawner.name) for spawner in person.orm_spawners.values() if spawner.server)
        return SignedIn(
            name=str(person.name),
            since=session.signed_in_at,
            confirmed=identity.confirmed_at,
            servers=tuple(_SERVERS.get(name, name) for name in sorted(running)),
            may_end=self.may_end(person),
        )


class NoticeHandler(BaseHandler):
    """`POST /hub/sessions/settled`: a full admin has decided about a refused identity."""

    @web.authenticated
    def post(self) -> None:
        if not self.has_scope(FULL_ADMIN_SCOPE):
            raise web.HTTPError(403)
        number_of = self.get_body_argument("notice", "")
        if number_of.isdecimal() and len(number_of) < 10:
            identity_notices.dismiss(self.db, int(number_of))
        self.redirect(url_path_join(self.hub.base_url, "sessions"))


handlers: Final = [
    (r"/sessions", SessionsHandler),
    (r"/sessions/settled", NoticeHandler),
    (r"/api/users/([^/]+)/sign-out", SignOutApiHandler),
]
