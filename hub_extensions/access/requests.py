"""Requests for access: who asks for which group, and what was answered.

Nothing here looks at whether what is asked for exists, until somebody who may know it looks: a
request for nothing is taken as any other. The hub's handlers run in one thread, and nothing here
awaits, so that between a look and the commit after it nothing else happens.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from jupyterhub import orm
from sqlalchemy import ForeignKey, Unicode, UnicodeText, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from .. import audit, grants
from ..refusals import Refused, plain

State = Literal["open", "granted", "declined", "withdrawn"]
OPEN: Final[State] = "open"

LONGEST_REASON: Final = 500
LONGEST_NOTE: Final = 500
#: So many requests of one person may be open, with those made and taken back within a day.
MOST: Final = 20
_KEPT: Final = timedelta(days=90)
_FARTHEST: Final = timedelta(days=5 * 366)


class AccessRequest(orm.Base):
    """Somebody asks for a group, because of one of its dashboards."""

    __tablename__ = "atrium_requests"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    group_name: Mapped[str] = mapped_column(Unicode(255))
    dashboard: Mapped[str] = mapped_column(Unicode(255))
    reason: Mapped[str] = mapped_column(UnicodeText)
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(Unicode(16), index=True)
    decided_by: Mapped[str | None] = mapped_column(Unicode(255))
    decided_at: Mapped[datetime | None]
    until: Mapped[datetime | None]
    note: Mapped[str | None] = mapped_column(UnicodeText)
    user: Mapped[orm.User] = relationship(orm.User)


def create_tables(db: Session) -> None:
    """Make the table of this module where it is missing."""
    AccessRequest.__table__.create(db.get_bind(), checkfirst=True)


def ask(db: Session, user: orm.User, asked: tuple[str, str], reason: str) -> None:
    """Somebody asks for access. Asking for a group again changes nothing. Commits.

    Raises:
        Refused: no reason, too long a one, or too many requests of this person.
    """
    group, dashboard = asked
    reason = plain(reason, LONGEST_REASON, "Your reason")
    if not reason:
        raise Refused("Please say in a few words what you need it for.")
    if any(request.group_name == group for request in open_of(db, user)):
        return
    taken_back = (AccessRequest.state == "withdrawn") & (
        AccessRequest.asked_at > grants.now() - timedelta(days=1)
    )
    made = select(func.count()).where(
        AccessRequest.user_id == user.id, or_(AccessRequest.state == OPEN, taken_back)
    )
    if (db.scalar(made) or 0) >= MOST:
        raise Refused("You have asked for much already. Wait for the answers, please.", 429)
    db.execute(delete(AccessRequest).where(AccessRequest.decided_at < grants.now() - _KEPT))
    db.add(
        AccessRequest(
            user_id=user.id,
            group_name=group,
            dashboard=dashboard,
            reason=reason,
            asked_at=grants.now(),
            state=OPEN,
        )
    )
    db.commit()
    audit.record("access-asked", user=user.name, group=group, dashboard=dashboard)


def withdraw(db: Session, user: orm.User, request_id: str) -> None:
    """Somebody takes an open request of their own back. Commits.

    Raises:
        Refused: they have no such request.
    """
    request = find(db, request_id)
    if request is None or request.user_id != user.id or request.state != OPEN:
        raise Refused("There is no such open request of yours.", 404)
    close(request, "withdrawn", by=user.name)
    db.commit()


def grant(db: Session, request: AccessRequest, by: str, until: datetime | None, note: str) -> None:
    """Give the person what they asked for, until a moment or for good. Commits.

    Somebody who has the group meanwhile keeps it as they have it.
    """
    if request.group_name in grants.groups_of(db, request.user):
        until = None
    else:
        grants.grant(db, request.user, request.group_name, by, until)
    _decide(db, request, "granted", by, until, note)


def decline(db: Session, request: AccessRequest, by: str, note: str) -> None:
    """Say no. Commits."""
    _decide(db, request, "declined", by, None, note)


def _decide(
    db: Session,
    request: AccessRequest,
    state: Literal["granted", "declined"],
    by: str,
    until: datetime | None,
    note: str,
) -> None:
    close(request, state, by)
    request.until, request.note = until, note
    db.commit()
    audit.record(
        "access-granted" if state == "granted" else "access-declined",
        user=request.user.name,
        by=by,
        group=request.group_name,
        dashboard=request.dashboard,
        until=until.isoformat() if until else "",
    )


def close(request: AccessRequest, state: State, by: str) -> None:
    """Note that a request is no longer open. Does not commit."""
    request.state, request.decided_by, request.decided_at = state, by, grants.now()


def end_of(term: str, day: str) -> datetime | None:
    """When something ends: after `term` days, at the end of `day`, or never for neither.

    Raises:
        Refused: a day that is none, is over, or is years away.
    """
    today = grants.now().date()
    try:
        if term == "day":
            last = date.fromisoformat(day)
        elif term:
            last = today + timedelta(days=int(term))
        else:
            return None
    except (ValueError, OverflowError) as error:
        raise Refused("Please choose a date, as in 2030-12-31.") from error
    if last < today:
        raise Refused("That date is over. Please choose a later one.")
    if last > today + _FARTHEST:
        raise Refused("That date is more than five years away. Choose an earlier one, or none.")
    return datetime.combine(last, time.max.replace(microsecond=0))


def find(db: Session, request_id: str) -> AccessRequest | None:
    """The request of this id, which somebody's browser sent."""
    fits = request_id.isascii() and request_id.isdigit() and len(request_id) < 12
    return db.get(AccessRequest, int(request_id), populate_existing=True) if fits else None


def open_requests(db: Session) -> list[AccessRequest]:
    """Every open request with its person, the oldest first."""
    rows = select(AccessRequest).where(AccessRequest.state == OPEN)
    rows = rows.options(joinedload(AccessRequest.user))
    return list(db.scalars(rows.order_by(AccessRequest.asked_at, AccessRequest.id)))


def open_of(db: Session, user: orm.User) -> list[AccessRequest]:
    """Somebody's own open requests, the newest first."""
    return _of(db, user, OPEN)


def decided_of(db: Session, user: orm.User) -> list[AccessRequest]:
    """The latest answers that somebody got, the newest first."""
    return _of(db, user, "granted", "declined")


def _of(db: Session, user: orm.User, *states: State) -> list[AccessRequest]:
    rows = select(AccessRequest).where(
        AccessRequest.user_id == user.id, AccessRequest.state.in_(states)
    )
    return list(db.scalars(rows.order_by(AccessRequest.id.desc()).limit(MOST)))
