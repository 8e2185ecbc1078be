"""Who manages which groups: members of `<x>.admin` manage `<x>.*`, and `<x>` itself unless it
follows the provider.

JupyterHub's filters name groups one by one (`groups!group=finance`), so each group `<x>.admin` has
a role of its own, which is rewritten in the same transaction as any group is made or deleted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from typing import Final

from jupyterhub import orm
from jupyterhub.roles import create_role
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from ..claims import MANAGERS_SUFFIX, MEMBERS
from ..roles import manager_scopes
from .manager_rules import manages

_ROLE: Final = "manager-"
#: Where a database session keeps that groups came or went since its last commit.
_CHANGED: Final = "atrium_groups_changed"


def alike(name: str) -> str:
    """The same for names that look the same on a screen or to a file system."""
    return unicodedata.normalize("NFKC", name).casefold()


def managed_by(
    managers: str,
    groups: Iterable[str],
    provided: Collection[str],
    customer_tenants: Collection[str] = (),
) -> list[str]:
    """Those of these groups that the members of a group `<x>.admin` manage, sorted."""
    return sorted(
        name
        for name in groups
        if manages({managers}, name, customer_tenants) and name not in provided
    )


def people_for(group: str, customer_tenants: Collection[str]) -> str:
    """The group of all people among whom a group's managers choose: those of its tenant."""
    first = group.partition(".")[0]
    return first if first in customer_tenants else MEMBERS


def is_managers_role(role: orm.Role) -> bool:
    """Whether a role gives its group no more than managing some groups."""
    return str(role.name).startswith(_ROLE)


def keep_roles(db: Session, provided: Collection[str], customer_tenants: Collection[str]) -> None:
    """Give each group `<x>.admin` its role, now and whenever groups come or go. Commits."""

    def note(session: Session, _context: object) -> None:
        if any(isinstance(changed, orm.Group) for changed in (*session.new, *session.deleted)):
            session.info[_CHANGED] = True

    def update(session: Session) -> None:
        session.flush()
        if session.info.pop(_CHANGED, False):
            _update_roles(session, provided, customer_tenants)

    event.listen(db, "after_flush", note)
    event.listen(db, "before_commit", update)
    _update_roles(db, provided, customer_tenants)
    db.commit()


def _update_roles(
    db: Session, provided: Collection[str], customer_tenants: Collection[str]
) -> None:
    groups = {str(group.name): group for group in db.scalars(select(orm.Group))}
    kept = set()
    for name in filter(_is_managers, groups):
        managed = managed_by(name, groups, provided, customer_tenants)
        role = create_role(
            db,
            {
                "name": f"{_ROLE}{groups[name].id}",
                "description": f"Members of the group {name}: manage {', '.join(managed)}",
                "scopes": manager_scopes(name, managed, people_for(name, customer_tenants)),
                "managed_by_auth": True,  # or JupyterHub deletes it when it starts
            },
            commit=False,
        )
        kept.add(role)
        if groups[name].roles != [role]:
            groups[name].roles = [role]
    for role in db.scalars(select(orm.Role).where(orm.Role.name.startswith(_ROLE))):
        if role not in kept:
            db.delete(role)


def _is_managers(group: str) -> bool:
    return group.endswith(MANAGERS_SUFFIX) and group != MANAGERS_SUFFIX
