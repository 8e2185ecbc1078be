"""Who may see what, and why, for the notebooks of the admin folder.

Each function asks the hub and waits. Each raises PermissionError outside the admin folder, and
HubDataError when the hub does not answer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from dashboards.catalog import Dashboard, dashboards_in, visible
from dashboards.hub_api import allowed, get


@dataclass(frozen=True, kw_only=True)
class AccessGroup:
    """A group that somebody is in, or was taken out of, and `why`, in words.

    `opens` has the dashboards as "group/notebook", where one person was asked for.
    """

    name: str
    held: bool
    why: str
    opens: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AccessPerson:
    """A person and every group that there is a reason for or against."""

    name: str
    is_hub_admin: bool
    has_signed_in: bool
    groups: tuple[AccessGroup, ...]

    @property
    def held(self) -> frozenset[str]:
        """The names of the groups that they are in."""
        return frozenset(group.name for group in self.groups if group.held)


@dataclass(frozen=True, kw_only=True)
class AccessDashboard:
    """A dashboard and who can open it: "nobody", "admins", "some" or "everybody", and the names."""

    group: str
    name: str
    open_to: str
    people: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AccessAnswer:
    """Whether somebody sees a dashboard, why, and what would open it to them ("" if it is)."""

    may: bool
    verdict: str
    reasons: tuple[str, ...]
    mend: str


def everything() -> tuple[list[AccessPerson], list[AccessDashboard]]:
    """Who may see what, and why."""
    found = get("access")
    return [_person(person) for person in found["people"]], [
        AccessDashboard(
            group=one["group"],
            name=one["name"],
            open_to=one["open_to"],
            people=tuple(one["people"]),
        )
        for one in found["dashboards"]
    ]


def of(person: str) -> AccessPerson:
    """One person's groups, and what each opens."""
    return _person(get(f"access/{quote(person, safe='')}"))


def answer(person: str, dashboard: str) -> AccessAnswer:
    """Whether a person sees a dashboard ("group/notebook"), and why."""
    query = urlencode({"dashboard": dashboard})
    found = get(f"access/{quote(person, safe='')}?{query}")
    return AccessAnswer(
        may=found["may"],
        verdict=found["verdict"],
        reasons=tuple(found["reasons"]),
        mend=found["mend"],
    )


def cards(groups: Collection[str]) -> tuple[Dashboard, ...]:
    """The cards in the gallery of somebody in these groups, by the rule of the gallery itself.

    Raises OSError for an unreadable folder.
    """
    return visible(dashboards_in(Path(allowed().notebooks)), groups)


def _person(record: dict[str, Any]) -> AccessPerson:
    return AccessPerson(
        name=record["name"],
        is_hub_admin=record["is_hub_admin"],
        has_signed_in=record["has_signed_in"],
        groups=tuple(
            AccessGroup(
                name=group["name"],
                held=group["held"],
                why=group["why"],
                opens=tuple(group.get("opens", ())),
            )
            for group in record["groups"]
        ),
    )
