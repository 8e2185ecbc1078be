"""What admins tell everybody: `/hub/announcement`, a line on every page until it is taken away.

There is one at a time. Whoever has nothing shared with them does not see it: anybody can sign up.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime
from typing import Any, Final

from jupyterhub import orm
from jupyterhub.handlers import BaseHandler
from jupyterhub.user import User
from jupyterhub.utils import url_path_join
from sqlalchemy import Unicode, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from tornado import web
from tornado.httputil import url_concat

from . import audit, grants
from .access.group_api import FULL_ADMIN_SCOPE
from .access.requests import end_of
from .folders import DASHBOARD_SERVERS
from .refusals import Refused, plain
from .roles import ANNOUNCE
from .spawner import DashboardSpawner

LONGEST: Final = 300
KINDS: Final = {"info": "Information", "warn": "Warning"}
_tasks: Final[set[asyncio.Task[Any]]] = set()


class Announcement(orm.Base):
    """The one that stands, also after its last day, when nobody sees it any more."""

    __tablename__ = "atrium_announcement"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Unicode(LONGEST))
    kind: Mapped[str] = mapped_column(Unicode(16))
    since: Mapped[datetime]
    until: Mapped[datetime | None]

    @property
    def page(self) -> dict[str, str]:
        """What pages get. `key`: another one for each announcement, so that a browser knows what
        has been dismissed in it."""
        words = f"{self.since.isoformat()}\n{self.kind}\n{self.text}"
        key = hashlib.sha256(words.encode()).hexdigest()[:12]
        return {"key": key, "kind": self.kind, "text": self.text}


def create_tables(db: Session) -> None:
    """Make the table of this module where it is missing."""
    Announcement.__table__.create(db.get_bind(), checkfirst=True)


def current(db: Session) -> Announcement | None:
    """The announcement that is to be seen, if there is one."""
    found = db.scalar(select(Announcement).order_by(Announcement.id.desc()).limit(1))
    return found if found and (found.until is None or found.until > grants.now()) else None


def seen_by(user: User | None) -> dict[str, str] | None:
    """The announcement as somebody's pages show it."""
    found = current(user.db) if user and user.groups else None
    return found.page if found else None


def announce(db: Session, text: str, kind: str, day: str, by: str) -> None:
    """Put an announcement in the place of the one before. Commits.

    Args:
        kind: one of `KINDS`.
        day: the last one on which it is seen, "" for no last one.

    Raises:
        Refused: no text, too long a one, or a day that is none or is over.
    """
    words = " ".join(plain(text, LONGEST, "Your announcement").split())
    if not words:
        raise Refused("Please write what everybody should read.")
    if kind not in KINDS:
        raise Refused("Please choose information or warning.")
    until = end_of("day" if day else "", day)
    db.execute(delete(Announcement))
    db.add(Announcement(text=words, kind=kind, since=grants.now(), until=until))
    db.commit()
    audit.record("announced", user="", by=by, kind=kind, until=until.isoformat() if until else "")


def clear(db: Session, by: str) -> None:
    """Take the announcement away, if there is one. Commits."""
    if db.scalar(select(Announcement.id).limit(1)) is None:
        return
    db.execute(delete(Announcement))
    db.commit()
    audit.record("announcement-ended", user="", by=by)


async def tell_servers(app: Any) -> None:
    """Tell every running server, for its open pages. One that does not hear it asks soon anyway."""
    found = current(app.db)
    told = found.page if found else None
    await asyncio.gather(
        *(
            spawner.tell("announcement", {"announcement": told if user.groups else None})
            for user in list(app.users.values())
            for name, spawner in list(user.spawners.items())
            if name in DASHBOARD_SERVERS and isinstance(spawner, DashboardSpawner) and spawner.ready
        )
    )


class AnnouncementHandler(BaseHandler):
    """`/hub/announcement`: write one, or take it away."""

    def check_may_announce(self) -> None:
        """Refuse everybody but admins."""
        if not (self.has_scope(ANNOUNCE) or self.has_scope(FULL_ADMIN_SCOPE)):
            raise web.HTTPError(403)

    @web.authenticated
    async def get(self) -> None:
        self.check_may_announce()
        await self._show(done=self.get_query_argument("done", ""))

    @web.authenticated
    async def post(self) -> None:
        self.check_may_announce()
        by = str(self.current_user.name)
        text, kind, day = (self.get_body_argument(name, "") for name in ("text", "kind", "day"))
        ends = self.get_body_argument("answer", "") == "end"
        try:
            if ends:
                clear(self.db, by)
            else:
                announce(self.db, text, kind, day, by)
        except Refused as refused:
            self.set_status(refused.status)
            await self._show(problem=str(refused), text=text, kind=kind, day=day)
            return
        task = asyncio.create_task(tell_servers(self.app))  # nobody waits for the slowest
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        path = url_path_join(self.hub.base_url, "announcement")
        self.redirect(url_concat(path, {"done": "ended" if ends else "shown"}), status=303)

    async def _show(self, **values: str) -> None:
        html = await self.render_template(
            "announcement.html",
            **{"problem": "", "text": "", "kind": "info", "day": "", "done": "", **values},
            now_shown=current(self.db),
            kinds=KINDS,
            longest=LONGEST,
            today=grants.now().date(),
            action=url_path_join(self.hub.base_url, "announcement"),
        )
        self.finish(html)


handlers: Final = [(r"/announcement", AnnouncementHandler)]
