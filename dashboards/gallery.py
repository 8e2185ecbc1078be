"""The landing page: a card for every dashboard that somebody may open."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from markupsafe import Markup

from dashboards.addresses import address
from dashboards.card_pictures import picture_of
from dashboards.catalog import Dashboard
from dashboards.files import usual_scripts
from dashboards.pages import Message, PersonHandler
from dashboards.settings import ADMIN, Settings

NOTHING_YET = Message(
    title="Nothing is shared with you yet",
    text="You are signed in, and no dashboard is open to you so far. "
    "Ask an admin of your team to share one with you, then look here again.",
    next_words="Look again",
)


_UNITS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"))


@dataclass(frozen=True, kw_only=True)
class Card:
    """A dashboard in the gallery. No `url`: it cannot be opened, `problem` says why."""

    title: str
    description: str
    url: str
    picture: Markup
    updated: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """The cards of one folder."""

    title: str
    anchor: str
    cards: tuple[Card, ...]


class GalleryHandler(PersonHandler):
    """`/user/<name>/`."""

    async def get(self) -> None:
        """The gallery; the dashboard itself for somebody who has exactly one.

        `?all` shows the gallery to them too, so that there is a way back.
        """
        settings = self.site.settings
        if settings.serves_admin:
            self.redirect(settings.own_prefix)
            return
        person = self.person
        found = await self.site.shared_with(person)
        every = "all" in self.request.query_arguments
        if not found:
            self.show(NOTHING_YET, 200)
        elif len(found) == 1 and not person.may_manage and not every:
            self.redirect(address(found[0], settings))
        else:
            self.site.hub.gallery_shown()
            sections = sections_of(found, settings, time.time())
            self.finish(
                self.page(
                    "gallery.html",
                    sections=sections,
                    count=len(found),
                    seen=seen(person.groups),
                    person=person.name,
                    may_manage=person.may_manage,
                    notice=await self.site.hub.notice(),
                    open_requests=await self.site.hub.open_requests(),
                    publishes=await self.site.hub.publishes(),
                    roles_held_back=await self.site.hub.roles_held_back(),
                    scripts=[self.files_url + script for script in usual_scripts()],
                )
            )


def sections_of(
    dashboards: Iterable[Dashboard], settings: Settings, now: float
) -> tuple[Section, ...]:
    """Cards by folder: everybody's first, the admins' last, the others by name between."""
    ordered = sorted(dashboards, key=lambda d: (_place(d.group), d.group))
    return tuple(
        Section(
            title=group_title(group),
            anchor=f"group-{number}",
            cards=tuple(_card(dashboard, settings, now) for dashboard in members),
        )
        for number, (group, members) in enumerate(groupby(ordered, key=lambda d: d.group))
    )


def seen(groups: Collection[str]) -> str:
    """Names what is shared with a member of these groups, for the page that shows it."""
    return hashlib.sha256("\n".join(sorted(groups)).encode()).hexdigest()[:16]


def group_title(group: str) -> str:
    """The name of a folder, for people."""
    if group in _TITLES:
        return _TITLES[group]
    return group[:1].upper() + group[1:]


def updated(seconds: float) -> str:
    """How long ago a file changed, in words."""
    for size, name in _UNITS:
        if seconds >= size:
            number = int(seconds // size)
            if name == "day" and number == 1:
                return "Updated yesterday"
            return f"Updated {number} {name}{'' if number == 1 else 's'} ago"
    return "Updated just now" if seconds < 120 else f"Updated {int(seconds // 60)} minutes ago"


_TITLES: Final = {"user": "Everybody", "customers": "All customers"}


def _place(group: str) -> int:
    return {"user": 0, ADMIN: 2}.get(group, 1)


def _card(dashboard: Dashboard, settings: Settings, now: float) -> Card:
    return Card(
        title=dashboard.title,
        description=dashboard.description,
        url="" if dashboard.problem else address(dashboard, settings),
        picture=picture_of(dashboard, settings),
        updated=updated(now - dashboard.modified_ns / 1e9),
        problem=dashboard.problem or "",
    )
