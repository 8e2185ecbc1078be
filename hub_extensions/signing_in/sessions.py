"""Who is signed in: one row a person, from the sign-in to the end of everything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from jupyterhub import orm
from sqlalchemy import ForeignKey, Unicode, func, select
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm import Session as DatabaseSession

from ..grants import Identity, now


class Session(orm.Base):
    """Somebody is signed in. Times are UTC without zone, as in JupyterHub's tables."""

    __tablename__ = "atrium_sessions"
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    #: The tenant that the person belongs to here, "" for none: how long a session may last.
    tenant: Mapped[str] = mapped_column(Unicode(255))
    #: A digest of the tenants and roles that were acted on last.
    seen: Mapped[str] = mapped_column(Unicode(64))
    signed_in_at: Mapped[datetime]
    #: When the refresh token was last exchanged,
    refreshed_at: Mapped[datetime]
    #: and when that was last tried.
    asked_at: Mapped[datetime]


_SAME_PERSON = Identity.user_id == Session.user_id


def begin(db: DatabaseSession, user: orm.User) -> None:
    """Somebody has signed in, perhaps once more. Does not commit."""
    moment = now()
    db.merge(
        Session(
            user_id=user.id,
            tenant="",
            seen="",
            signed_in_at=moment,
            refreshed_at=moment,
            asked_at=moment,
        )
    )


def end(db: DatabaseSession, user: orm.User) -> None:
    """Nobody is signed in as this person any more. Does not commit."""
    if session := db.get(Session, user.id):
        db.delete(session)


def everybody(db: DatabaseSession) -> list[tuple[Session, Identity]]:
    """All who are signed in, with who they are at the provider."""
    both = select(Session, Identity).join(Identity, _SAME_PERSON)
    return [(session, identity) for session, identity in db.execute(both)]


def whose(db: DatabaseSession) -> set[int]:
    """The numbers of those who are signed in."""
    return set(db.scalars(select(Session.user_id)))


def is_signed_in(db: DatabaseSession, user_id: int) -> bool:
    """Whether somebody is signed in, in whatever browser."""
    return db.get(Session, user_id) is not None


def count(db: DatabaseSession) -> int:
    """How many are signed in."""
    return db.scalar(select(func.count()).select_from(Session)) or 0


def over(db: DatabaseSession, hours: Mapping[str, float]) -> list[Session]:
    """Sessions that are too old. `hours`: how long one may last, by tenant; "" for all others."""
    moment = now()
    shortest = moment - timedelta(hours=min(hours.values()))
    return [
        session
        for session in db.scalars(select(Session).where(Session.signed_in_at <= shortest))
        if moment - session.signed_in_at >= timedelta(hours=hours.get(session.tenant, hours[""]))
    ]


def unconfirmed(db: DatabaseSession, since: datetime) -> list[Session]:
    """Sessions of people whom the provider has not confirmed since then."""
    late = select(Session).join(Identity, _SAME_PERSON).where(Identity.confirmed_at <= since)
    return list(db.scalars(late))


def next_to_ask(db: DatabaseSession) -> Session | None:
    """Whose refresh token was tried longest ago."""
    return db.scalar(select(Session).order_by(Session.asked_at).limit(1))


def digest(tenants: Any) -> str:
    """Names one state of somebody's tenants, roles and permissions, in whatever order they come."""
    plain = {}
    for name, held in tenants.items() if isinstance(tenants, Mapping) else ():
        held = held if isinstance(held, Mapping) else {}
        plain[name] = [sorted(map(str, held.get(key) or ())) for key in ("roles", "permissions")]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def create_tables(db: DatabaseSession) -> None:
    """Make the table of this module where it is missing."""
    Session.__table__.create(db.get_bind(), checkfirst=True)
