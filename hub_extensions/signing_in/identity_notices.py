"""What admins have to decide: somebody came with the e-mail address of another person's account."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from jupyterhub import orm
from sqlalchemy import ForeignKey, Unicode, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from .. import grants

#: The provider would have to make a person anew for each; the first ones tell the story.
_MOST_OF_ONE: Final = 20


class IdentityNotice(orm.Base):
    """Somebody was refused, because their address belongs to an account of somebody else."""

    __tablename__ = "atrium_identity_notices"
    __table_args__ = (UniqueConstraint("user_id", "subject"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    user: Mapped[orm.User] = relationship()
    #: Who came, by the provider's name for them.
    subject: Mapped[str] = mapped_column(Unicode(255))
    times: Mapped[int] = mapped_column(default=1)
    last_at: Mapped[datetime]


def create_tables(db: Session) -> None:
    """Make the table of this module where it is missing."""
    IdentityNotice.__table__.create(db.get_bind(), checkfirst=True)


def notice(db: Session, user: orm.User, subject: str) -> None:
    """Put a refusal before the admins, once for each person who came. Commits."""
    known = db.scalar(select(IdentityNotice).filter_by(user_id=user.id, subject=subject))
    if known is not None:
        known.times += 1
        known.last_at = grants.now()
    elif _count(db, user) < _MOST_OF_ONE:
        db.add(IdentityNotice(user_id=user.id, subject=subject, last_at=grants.now()))
    db.commit()


def open_notices(db: Session) -> list[IdentityNotice]:
    """What is to be decided, the newest first."""
    return list(db.scalars(select(IdentityNotice).order_by(IdentityNotice.last_at.desc())))


def settled(db: Session, subject: str) -> None:
    """This person has come in: nothing is left to decide about them. Does not commit."""
    db.execute(delete(IdentityNotice).where(IdentityNotice.subject == subject))


def dismiss(db: Session, notice_id: int) -> None:
    """An admin has seen to it, or lets it be. Commits."""
    db.execute(delete(IdentityNotice).where(IdentityNotice.id == notice_id))
    db.commit()


def _count(db: Session, user: orm.User) -> int:
    mine = select(func.count()).select_from(IdentityNotice).filter_by(user_id=user.id)
    return db.scalar(mine) or 0
