"""What the frame round a dashboard tells of it beside its title."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboards.addresses import address, place_of
from dashboards.catalog import Dashboard
from dashboards.cells import Content
from dashboards.settings import ADMIN, Settings
from dashboards.visitors import Visitor


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The frame of one dashboard, for one person.

    Attributes:
        path: of the dashboard in a link that works for everybody, percent-encoded.
        audience: who may see it, in words.
        manage: where this person changes that, "" if it is not theirs to change.
        access: where an admin sees it person by person, "" for everybody else.
        versions: where who may publish it sees what it was before, "" for everybody else.
    """

    path: str
    audience: str
    manage: str
    access: str
    versions: str


def frame_of(
    dashboard: Dashboard, person: Visitor, settings: Settings, content: Content
) -> Frame | None:
    """The frame, None where the notebook's metadata has `atrium: {frame: false}`."""
    if content.own.get("frame") is False:
        return None
    group = dashboard.group
    manages = person.is_admin or f"{group.partition('.')[0]}.{ADMIN}" in person.groups
    access = replace(dashboard, group=ADMIN, name="access")
    path = place_of(group, dashboard.name)
    return Frame(
        path=path,
        audience=audience_of(group),
        manage=f"{settings.hub_prefix}admin" if manages else "",
        access=address(access, settings) if person.is_admin else "",
        versions=f"{settings.hub_prefix}versions/{path}" if person.publishes_to(group) else "",
    )


def audience_of(group: str) -> str:
    """Who may see the dashboards of a folder, as a sentence or two."""
    if group == ADMIN:
        return "Admins, and nobody else."
    if group == "user":
        who = "Everybody in this organisation who signs in here."
    elif group == "customers":
        who = "Everybody of all customers. A dashboard may show each of them their own figures."
    else:
        who = f"Members of “{group}”."
    return f"{who} Admins can see it too."
