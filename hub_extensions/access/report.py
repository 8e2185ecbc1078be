"""Who may see what, and why: read from the table of grants and the folder of notebooks.

Nothing here decides: the union of grants is `grants.union`, the rule of folders
`Notebook.opens_to`. What is made of them are records, and sentences for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from jupyterhub import orm
from sqlalchemy import select
from sqlalchemy.orm import Session

from .. import grants
from ..claims import MEMBERS, ROLE_GROUPS
from ..folders import ADMIN
from ..grants import Grant, Identity
from ..notebook_files import Notebook

#: In the order in which reasons are told.
_SOURCES: Final = (grants.PROVIDER, grants.ADMIN, grants.DENIED)


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One row of the table of grants. `by`: who did it, or why the provider gives it."""

    group: str
    source: str
    by: str
    at: datetime
    until: datetime | None
    over: bool

    @property
    def words(self) -> str:
        """Where the group comes from: "granted by boss@acme.test on 3 May 2025"."""
        if self.source == grants.PROVIDER:
            # Rows of a hub before it knew reasons say nothing but that.
            return "given by the sign-in provider" if self.by == grants.PROVIDER else self.by
        if self.source == grants.DENIED:
            return f"taken away by {self.by} on {day(self.at)}"
        words = f"granted by {self.by} on {day(self.at)}"
        if self.until:
            words += f", {'ended' if self.over else 'until'} {moment(self.until)}"
        return words


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody whom the hub knows, and every reason that it has for or against a group."""

    name: str
    is_hub_admin: bool
    has_signed_in: bool
    reasons: tuple[Reason, ...]

    @cached_property
    def groups(self) -> frozenset[str]:
        """The groups that the table gives this person at this moment."""
        return grants.union((one.group, one.source) for one in self.reasons if not one.over)

    def why(self, group: str) -> str:
        """Why they are in a group, or why no longer; "" where the table says nothing."""
        given = {one.source: one.words for one in self.reasons if one.group == group}
        words = "; ".join(given[source] for source in _SOURCES[:2] if source in given)
        if grants.DENIED not in given:
            return words
        if group in self.groups:  # granted until a date, after which the removal counts again
            return given[grants.ADMIN]
        return given[grants.DENIED] + (f", although {words} gives it" if words else "")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether somebody may see a dashboard, and why; `mend`: what would open it to them."""

    may: bool
    verdict: str
    reasons: tuple[str, ...]
    mend: str = ""


def read_people(db: Session, name: str | None = None) -> list[Person]:
    """Everybody whom the hub knows, by name; or the one of this name, if there is one."""
    now = grants.now()
    chosen = [] if name is None else [orm.User.name == name]
    reasons: dict[int, list[Reason]] = {}
    rows = select(Grant.__table__).join(orm.User, orm.User.id == Grant.user_id).where(*chosen)
    for row in db.execute(rows.order_by(Grant.group_name)).mappings():
        reason = Reason(
            group=row["group_name"],
            source=row["source"],
            by=row["granted_by"],
            at=row["granted_at"],
            until=row["until"],
            over=row["until"] is not None and row["until"] <= now,
        )
        reasons.setdefault(row["user_id"], []).append(reason)
    people = (
        select(orm.User.id, orm.User.name, orm.User.admin, Identity.user_id)
        .outerjoin(Identity, Identity.user_id == orm.User.id)
        .where(*chosen)
        .order_by(orm.User.name)
    )
    return [
        Person(
            name=name,
            is_hub_admin=bool(admin),
            has_signed_in=identity is not None,
            reasons=tuple(reasons.get(number, ())),
        )
        for number, name, admin, identity in db.execute(people)
    ]


def person_record(person: Person) -> dict[str, Any]:
    """A person as the API gives them: each group that there is a reason for or against, and why."""
    return {
        "name": person.name,
        "is_hub_admin": person.is_hub_admin,
        "has_signed_in": person.has_signed_in,
        "groups": [
            {
                "name": group,
                "held": group in person.groups,
                "why": person.why(group),
                "reasons": [_reason_record(one) for one in person.reasons if one.group == group],
            }
            for group in dict.fromkeys(one.group for one in person.reasons)
        ],
    }


def _reason_record(reason: Reason) -> dict[str, Any]:
    until = _utc(reason.until) if reason.until else None
    return {"source": reason.source, "by": reason.by, "at": _utc(reason.at), "until": until}


def detailed_record(person: Person, notebooks: Sequence[Notebook]) -> dict[str, Any]:
    """The same, with the dashboards that each group opens to them."""
    record = person_record(person)
    for group in record["groups"]:
        opening = {group["name"]} if group["held"] else set()
        group["opens"] = [notebook.id for notebook in notebooks if notebook.opens_to(opening)]
    return record


def dashboard_records(
    people: Sequence[Person], notebooks: Iterable[Notebook]
) -> list[dict[str, Any]]:
    """Each dashboard and who can open it: names, and "nobody", "admins", "some" or "everybody".

    Anybody can sign up; who is in no group sees nothing, and does not count to everybody.
    """
    admins = sum(ADMIN in person.groups for person in people)
    everybody = sum(bool(person.groups) for person in people)
    who: dict[tuple[str, bool], list[str]] = {}
    found = []
    for notebook in notebooks:
        audience = (notebook.group, notebook.readable)
        if audience not in who:
            who[audience] = [one.name for one in people if notebook.opens_to(one.groups)]
        names = who[audience]
        kinds = {admins: "admins", everybody: "everybody", 0: "nobody"}  # who can: admins always
        record = {"group": notebook.group, "name": notebook.name, "readable": notebook.readable}
        found.append(record | {"people": names, "open_to": kinds.get(len(names), "some")})
    return found


def explain(
    person: Person, notebook: Notebook, role_groups: Mapping[str, str] = ROLE_GROUPS
) -> Answer:
    """Whether a person may see a dashboard, why, and what would change it."""
    may = notebook.opens_to(person.groups)
    keys = dict.fromkeys((notebook.group, ADMIN))  # `admin` once, for its own folder
    if may:
        held = [key for key in keys if key in person.groups and notebook.opens_to({key})]
        reasons = [f"Group {key}{_reach(key, notebook)}: {person.why(key)}." for key in held]
        return Answer(may=True, verdict=f"{person.name} sees {notebook.id}.", reasons=(*reasons,))
    reasons = []
    if not person.has_signed_in:
        reasons.append("They have never signed in, so their roles are not known here yet.")
    if not notebook.readable:
        reasons.append("Its file is no readable notebook, so only members of admin see its card.")
    if notebook.group in person.groups:
        reasons.append(f"They are in the group {notebook.group}: {person.why(notebook.group)}.")
        mend = f"Mend the file {notebook.id}.ipynb."
    else:
        neither = "not in it" if len(keys) == 1 else "in neither"
        reasons.append(f"It opens to the group {' and the group '.join(keys)}; they are {neither}.")
        reasons += [f"Group {key}: {why}." for key in keys if (why := person.why(key))]
        mend = _way_in(notebook.group, person, role_groups)
    if person.is_hub_admin:
        reasons.append("They are a full admin of the hub, which by itself opens no dashboard.")
    verdict = f"{person.name} does not see {notebook.id}."
    return Answer(may=False, verdict=verdict, reasons=tuple(reasons), mend=mend)


def _reach(group: str, notebook: Notebook) -> str:
    return ", which opens every folder" if group == ADMIN != notebook.group else ""


def _way_in(group: str, person: Person, role_groups: Mapping[str, str]) -> str:
    """What would put a person into a group."""
    if any(one.group == group and one.source == grants.DENIED for one in person.reasons):
        return f"Put them into the group {group} again, under People and groups."
    roles = sorted(role for role, given in role_groups.items() if given == group)
    if roles:
        return f"Give them the role {' or '.join(roles)} at the sign-in provider."
    if group == MEMBERS:
        return "Make them a member of the company's tenant at the sign-in provider."
    return f"Put them into the group {group}, under People and groups."


def day(when: datetime) -> str:
    """A date in words: `3 May 2025`."""
    return f"{when.day} {when:%B %Y}"


def moment(when: datetime) -> str:
    """A date with its time, for what ends: `3 May 2025, 14:05 UTC`."""
    return f"{day(when)}, {when:%H:%M} UTC"


def _utc(when: datetime) -> str:
    return f"{when.isoformat()}Z"
