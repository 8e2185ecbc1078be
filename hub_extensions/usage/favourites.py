"""The table of favourites: which dashboards somebody wants to find first."""

from __future__ import annotations

from typing import Final

from jupyterhub import orm
from sqlalchemy import ForeignKey, Unicode, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

#: Of one person: all of them go with what a server is told as it is started.
MOST: Final = 50


class TooMany(Exception):
    """Somebody has as many favourites as one person may have."""


class Favourite(orm.Base):
    """Somebody's favourite dashboard."""

    __tablename__ = "atrium_favourites"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    group_name: Mapped[str] = mapped_column(Unicode(255))
    dashboard: Mapped[str] = mapped_column(Unicode(255))


def create_tables(db: Session) -> None:
    """Make the table of this module where it is missing."""
    Favourite.__table__.create(db.get_bind(), checkfirst=True)


def favourites_of(db: Session, user: orm.User) -> list[tuple[str, str]]:
    """Group and name of somebody's favourites, in the order in which they were chosen."""
    rows = db.execute(
        select(Favourite.group_name, Favourite.dashboard)
        .where(Favourite.user_id == user.id)
        .order_by(Favourite.id)
    )
    return [(group, dashboard) for group, dashboard in rows]


def keep(db: Session, user: orm.User, group: str, dashboard: str) -> None:
    """Make a dashboard one of somebody's favourites, if it is none yet. Commits.

    Raises:
        TooMany: they have as many as there may be.
    """
    if (group, dashboard) in favourites_of(db, user):
        return
    count = select(func.count()).where(Favourite.user_id == user.id)
    if (db.scalar(count) or 0) >= MOST:
        raise TooMany
    db.add(Favourite(user_id=user.id, group_name=group, dashboard=dashboard))
    db.commit()


def drop(db: Session, user: orm.User, group: str, dashboard: str) -> None:
    """Take a dashboard out of somebody's favourites. Commits."""
    db.execute(
        delete(Favourite).where(
            Favourite.user_id == user.id,
            Favourite.group_name == group,
            Favourite.dashboard == dashboard,
        )
    )
    db.commit()
