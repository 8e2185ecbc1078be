"""The table of openings: who opened which dashboard when, and how soon the first chart was there.

Nothing here awaits, so that between a look and the commit after it nothing else happens.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from jupyterhub import orm
from sqlalchemy import ForeignKey, Index, Unicode, delete, func, inspect, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from .. import grants

KEPT: Final = timedelta(days=90)
#: Seconds; a first chart that took longer is none that anybody waited for.
LONGEST: Final = 600.0
#: An opening that is older has been measured, or never will be.
_MEASURED_WITHIN: Final = timedelta(hours=1)
_RECENT: Final = 6
#: So many of somebody's openings are looked through for those dashboards.
_LOOKED_THROUGH: Final = 200


class Opening(orm.Base):
    """Somebody opened a dashboard."""

    __tablename__ = "atrium_openings"
    __table_args__ = (Index("atrium_openings_of_user", "user_id", "opened_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    #: By which the person's server names it, "" where it will say no more of it.
    key: Mapped[str] = mapped_column(Unicode(64))
    group_name: Mapped[str] = mapped_column(Unicode(255))
    dashboard: Mapped[str] = mapped_column(Unicode(255))
    opened_at: Mapped[datetime] = mapped_column(index=True)
    #: Until the first chart was drawn, as the browser says; None where it has not said.
    seconds: Mapped[float | None]
    failed: Mapped[bool]


def create_tables(db: Session) -> None:
    """Make the table of this module where it is missing."""
    Opening.__table__.create(db.get_bind(), checkfirst=True)
    columns = inspect(db.connection()).get_columns(Opening.__tablename__)
    if "reference" in {column["name"] for column in columns}:
        # Of an earlier Atrium, and never empty there; `failures` has them now.
        db.execute(text(f"ALTER TABLE {Opening.__tablename__} DROP COLUMN reference"))
        db.commit()


def add(db: Session, user: orm.User, group: str, dashboard: str, key: str = "") -> None:
    """Somebody opens a dashboard. Commits."""
    db.add(
        Opening(
            user_id=user.id,
            key=key,
            group_name=group,
            dashboard=dashboard,
            opened_at=grants.now(),
            seconds=None,
            failed=False,
        )
    )
    db.commit()


def end(db: Session, user: orm.User, key: str, seconds: float | None) -> bool:
    """How an opening of somebody ended: its first chart was there after so many seconds, or None,
    it failed. Commits. False: they have none of this key that has not ended yet."""
    found = update(Opening).where(
        Opening.user_id == user.id,
        Opening.opened_at > grants.now() - _MEASURED_WITHIN,
        Opening.key == key,
        Opening.key != "",
        Opening.seconds.is_(None),
        Opening.failed.is_(False),
    )
    how = {"seconds": seconds, "failed": seconds is None}
    ended = db.execute(found.values(how))
    db.commit()
    return ended.rowcount > 0  # pyright: ignore[reportAttributeAccessIssue]


def recent_of(db: Session, user: orm.User) -> list[tuple[str, str]]:
    """Group and name of the dashboards that somebody opened last, the latest first."""
    last = (
        select(Opening.id, Opening.group_name, Opening.dashboard)
        .where(Opening.user_id == user.id, Opening.opened_at > grants.now() - KEPT)
        .order_by(Opening.opened_at.desc(), Opening.id.desc())
        .limit(_LOOKED_THROUGH)
        .subquery()
    )
    rows = db.execute(
        select(last.c.group_name, last.c.dashboard)
        .group_by(last.c.group_name, last.c.dashboard)
        .order_by(func.max(last.c.id).desc())
        .limit(_RECENT)
    )
    return [(group, dashboard) for group, dashboard in rows]


def forget_old(db: Session) -> None:
    """Remove what is kept no longer. Commits."""
    db.execute(delete(Opening).where(Opening.opened_at < grants.now() - KEPT))
    db.commit()
