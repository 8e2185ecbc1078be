"""The table of grants: what the provider gives, what an admin gives, and who they are given to.

The table is the truth. JupyterHub's group membership is its union, recomputed in one transaction
with every change to it, so that neither a crash nor a lost `auth_state` makes a gift permanent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal

from jupyterhub import orm
from sqlalchemy import ForeignKey, Unicode, UniqueConstraint, delete, event, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from . import audit

#: From the provider's roles, from an admin of this hub, or an admin's removal of what the
#: provider gives, which then does not come back by itself.
Source = Literal["provider", "admin", "denied"]
PROVIDER: Final[Source] = "provider"
ADMIN: Final[Source] = "admin"
DENIED: Final[Source] = "denied"
#: Where a database session keeps the changes of membership that it has not committed yet.
_CHANGES: Final = "atrium_changes"


class Grant(orm.Base):
    """One reason why a person is, or is not, in a group."""

    __tablename__ = "atrium_grants"
    __table_args__ = (UniqueConstraint("user_id", "group_name", "source"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    group_name: Mapped[str] = mapped_column(Unicode(255), index=True)
    source: Mapped[str] = mapped_column(Unicode(16))
    #: Who did it; for what the provider gives, why: "role Analyst in tenant acme".
    granted_by: Mapped[str] = mapped_column(Unicode(255))
    granted_at: Mapped[datetime]
    until: Mapped[datetime | None]


class Identity(orm.Base):
    """Who a hub user is at the provider. An e-mail is an address; this is the identity.

    The issuer is kept as the project's id, which stays when its address changes.
    """

    __tablename__ = "atrium_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    issuer: Mapped[str] = mapped_column(Unicode(255))
    subject: Mapped[str] = mapped_column(Unicode(255))
    #: When the provider last confirmed this person (UTC, naive as in JupyterHub's tables).
    confirmed_at: Mapped[datetime]


def subject_of(db: Session, user: orm.User) -> str:
    """The provider's name for a person, "" for one who has never come from there."""
    identity = db.get(Identity, user.id)
    return str(identity.subject) if identity else ""


def now() -> datetime:
    """The present, UTC without zone, as JupyterHub's database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def groups_of(db: Session, user: orm.User) -> frozenset[str]:
    """The groups that the table gives this person at this moment."""
    rows = db.execute(
        select(Grant.group_name, Grant.source).where(
            Grant.user_id == user.id, or_(Grant.until.is_(None), Grant.until > now())
        )
    ).all()
    return union((group, source) for group, source in rows)


def union(rows: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The groups that somebody is in, from the group and source of each of their grants."""
    given: dict[str, set[str]] = {PROVIDER: set(), ADMIN: set(), DENIED: set()}
    for group, source in rows:
        given[source].add(group)
    return frozenset(given[ADMIN] | (given[PROVIDER] - given[DENIED]))


def set_provider_groups(
    db: Session,
    user: orm.User,
    groups: Iterable[str],
    by: str,
    reasons: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Replace what the provider gives a person, and recompute their membership. Commits.

    Args:
        reasons: why the provider gives a group, where that is known.
    """
    wanted = set(groups)
    held = {
        row.group_name: row
        for row in db.scalars(
            select(Grant).where(Grant.user_id == user.id, Grant.source == PROVIDER)
        )
    }
    is_known = wanted == held.keys() and all(
        row.granted_by == reasons.get(group, row.granted_by) for group, row in held.items()
    )
    if is_known and groups_of(db, user) == {str(group.name) for group in user.groups}:
        db.commit()  # as nearly every time that the provider is asked
        return
    _drop(db, user, held.keys() - wanted, PROVIDER)
    for group in sorted(wanted):
        if group not in held:
            _add(db, user, group, PROVIDER, reasons.get(group, PROVIDER))
        elif group in reasons and held[group].granted_by != reasons[group]:
            held[group].granted_by = reasons[group]  # another role gives it now
    apply(db, user, by)
    db.commit()


def grant(db: Session, user: orm.User, group: str, by: str, until: datetime | None = None) -> None:
    """An admin puts a person into a group, until an admin takes them out. Does not commit.

    Args:
        until: when it ends by itself (UTC without zone); None for good. An earlier removal of what
            the provider gives counts again from then on.
    """
    if until is None:
        _drop(db, user, {group}, DENIED)
    _drop(db, user, {group}, ADMIN)
    _add(db, user, group, ADMIN, by, until)
    apply(db, user, by)


def take(db: Session, user: orm.User, group: str, by: str) -> None:
    """An admin takes a person out of a group, whoever gave it. Does not commit."""
    _drop(db, user, {group}, ADMIN)
    _drop(db, user, {group}, DENIED)
    if group in groups_of(db, user):
        _add(db, user, group, DENIED, by)
    apply(db, user, by)


def forget_group(db: Session, group: str, by: str) -> None:
    """Drop every grant of a group that is being deleted. Does not commit."""
    members = orm.Group.find(db, group)
    db.execute(delete(Grant).where(Grant.group_name == group))
    for user in list(members.users) if members else ():
        apply(db, user, by)


def expire(db: Session) -> None:
    """End the grants whose time is over. Commits."""
    over = Grant.until <= now()
    users = list(db.scalars(select(orm.User).join(Grant, Grant.user_id == orm.User.id).where(over)))
    if not users:
        return
    db.execute(delete(Grant).where(over))
    for user in users:
        apply(db, user, "hub")
    db.commit()


def apply(db: Session, user: orm.User, by: str) -> None:
    """Make JupyterHub's membership of a person what the table says. Does not commit.

    Never awaits, so that nothing can change between the reading and the writing. What changed is
    in the audit trail once it is committed, as done by `by`.
    """
    db.flush()
    names = groups_of(db, user)
    groups = list(db.scalars(select(orm.Group).where(orm.Group.name.in_(names))))
    for name in sorted(names - {group.name for group in groups}):
        group = orm.Group(name=name)
        db.add(group)
        groups.append(group)
    before = {str(group.name) for group in user.groups}
    if before != names:
        user.groups = groups
        changes = db.info.setdefault(_CHANGES, [])
        changes += [("group-given", str(user.name), by, name) for name in sorted(names - before)]
        changes += [("group-taken", str(user.name), by, name) for name in sorted(before - names)]
    db.flush()


#: Who took a group from whom, of late: for the page that says why a dashboard was closed.
_taken: dict[tuple[str, str], str] = {}
_MOST_TAKEN: Final = 10_000


def why_taken(user: str, group: str) -> str:
    """Why somebody has lost a group since the hub was started; "" if they have not."""
    match _taken.get((user, group)):
        case None:
            return ""
        case "provider":
            return "Your role at the sign-in service has changed."
        case "hub":
            return "It was shared with you for some time, and that time is over."
        case _:
            return "An admin took you out of the group that it is shared with."


_listeners: list[Callable[[], object]] = []


def when_changed(listener: Callable[[], object]) -> None:
    """Have a function called after each change of membership that was committed here."""
    _listeners.append(listener)


@event.listens_for(Session, "after_commit")
def _record_changes(db: Session) -> None:
    """What is committed has happened."""
    changes = db.info.pop(_CHANGES, ())
    for action, user, by, group in changes:
        audit.record(action, user=user, by=by, group=group)
        if action == "group-taken":
            _taken[user, group] = by
            if len(_taken) > _MOST_TAKEN:
                del _taken[next(iter(_taken))]
    if changes:
        for listener in _listeners:
            listener()


@event.listens_for(Session, "after_soft_rollback")
def _drop_changes(db: Session, _transaction: object) -> None:
    db.info.pop(_CHANGES, None)


def adopt_memberships(db: Session) -> None:
    """Take memberships that the table does not know as an admin's gift.

    For the first start on a hub that had groups before it had this table. Commits.
    """
    if db.scalar(select(Identity.user_id).limit(1)) or db.scalar(select(Grant.id).limit(1)):
        return
    for group in db.scalars(select(orm.Group)):
        for user in group.users:
            _add(db, user, str(group.name), ADMIN, "before Atrium")
    db.commit()


def other_issuer(db: Session, issuer: str) -> str | None:
    """Another issuer whose people this database holds, if there is one."""
    return db.scalar(select(Identity.issuer).where(Identity.issuer != issuer).limit(1))


def create_tables(db: Session) -> None:
    """Make the tables of this module where they are missing."""
    for table in (Grant, Identity):
        table.__table__.create(db.get_bind(), checkfirst=True)


def _add(
    db: Session,
    user: orm.User,
    group: str,
    source: Source,
    by: str,
    until: datetime | None = None,
) -> None:
    db.add(
        Grant(
            user_id=user.id,
            group_name=group,
            source=source,
            granted_by=by,
            granted_at=now(),
            until=until,
        )
    )


def _drop(db: Session, user: orm.User, groups: set[str], source: Source) -> None:
    db.execute(
        delete(Grant).where(
            Grant.user_id == user.id, Grant.source == source, Grant.group_name.in_(groups)
        )
    )
