"""The table of failures: what went wrong for whom in which dashboard, by the reference that its
viewer was shown. What the code said is in the log alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from jupyterhub import orm
from sqlalchemy import ForeignKey, Unicode, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .. import grants
from .openings import KEPT

#: How a dashboard's process has ended, or never began; "": it goes on, its code raised an error.
CAUSES: Final = frozenset({"", "killed", "crashed", "exited", "ended", "no room"})


class Failure(orm.Base):
    """Something went wrong for somebody in a dashboard, when it was opened or later."""

    __tablename__ = "atrium_failures"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    group_name: Mapped[str] = mapped_column(Unicode(255))
    dashboard: Mapped[str] = mapped_column(Unicode(255))
    at: Mapped[datetime] = mapped_column(index=True)
    reference: Mapped[str] = mapped_column(Unicode(16), index=True)
    cause: Mapped[str] = mapped_column(Unicode(16))


def create_tables(db: Session) -> None:
    """Make the table of this module where it is missing."""
    Failure.__table__.create(db.get_bind(), checkfirst=True)


def add(
    db: Session, user: orm.User, group: str, dashboard: str, *, reference: str, cause: str
) -> None:
    """Something went wrong for somebody. `cause`: one of `CAUSES`. Commits."""
    db.add(
        Failure(
            user_id=user.id,
            group_name=group,
            dashboard=dashboard,
            at=grants.now(),
            reference=reference,
            cause=cause,
        )
    )
    db.commit()


def newest(db: Session, most: int, reference: str = "") -> list[dict[str, str]]:
    """Failures, the newest first; those of one reference, if it is given."""
    found = (
        select(Failure, orm.User.name)
        .join(orm.User, orm.User.id == Failure.user_id)
        .order_by(Failure.id.desc())
        .limit(most)
    )
    if reference:
        found = found.where(Failure.reference == reference)
    return [
        {
            "at": f"{failure.at.isoformat(timespec='seconds')}Z",
            "user": name,
            "group": failure.group_name,
            "dashboard": failure.dashboard,
            "reference": failure.reference,
            "cause": failure.cause,
        }
        for failure, name in db.execute(found)
    ]


def forget_old(db: Session) -> None:
    """Remove what is kept no longer. Commits."""
    db.execute(delete(Failure).where(Failure.at < grants.now() - KEPT))
    db.commit()
