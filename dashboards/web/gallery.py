"""The landing page: a card for every dashboard that somebody may open."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from markupsafe import Markup

from dashboards.catalog import Dashboard
from dashboards.files import usual_scripts
from dashboards.settings import ADMIN, Settings
from dashboards.web.addresses import address, lab_url
from dashboards.web.card_pictures import picture_of
from dashboards.web.pages import Message, PersonHandler

NOTHING_YET = Message(
    title="Nothing is shared with you yet",
    text="You are signed in, and no dashboard is open to you so far. "
    "Ask an admin of your team to share one with you, then look here again.",
    next_words="Look again",
)


_UNITS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"))
_MOST_TAGS = 20
"""So many tags, the most used, can be chosen above the cards; search finds the others."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A dashboard in the gallery. No `url`: it cannot be opened, `problem` says why.

    `fresh` is how old it is, in words, and `moment` exactly. `failing`: why it did not run when it
    was tried last, for those who could mend it.
    """

    group: str
    name: str
    folder: str
    title: str
    description: str
    owner: str
    tags: tuple[str, ...]
    url: str
    picture: Markup
    fresh: str
    moment: str
    problem: str
    failing: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """The cards of one folder."""

    group: str
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
            self.site.hub.telling.gallery_shown()
            # Beside what others ask: the first time each notebook is read, whole.
            failing = await self.site.hub.failing()
            now = datetime.now(UTC)
            sections = await asyncio.to_thread(sections_of, found, settings, now, failing)
            usage = await self.site.hub.usage()
            cards = {(card.group, card.name): card for one in sections for card in one.cards}
            self.finish(
                self.page(
                    "gallery.html",
                    sections=sections,
                    count=len(found),
                    tags=tags_of(cards.values()),
                    keeps_favourites=usage is not None,
                    favourites=_found(cards, usage.favourites if usage else ()),
                    recent=_found(cards, usage.recent if usage else ()),
                    xsrf=self.xsrf_token.decode(),
                    seen=seen(person.groups),
                    person=person.name,
                    may_manage=person.may_manage,
                    lab_url=lab_url(settings) if person.may_write and settings.lab else "",
                    notice=await self.site.hub.notice(),
                    announcement=await self.site.hub.announcement(),
                    open_requests=await self.site.hub.open_requests(),
                    publishes=await self.site.hub.publishes(),
                    roles_held_back=await self.site.hub.roles_held_back(),
                    scripts=[self.files_url + script for script in usual_scripts()],
                )
            )


def sections_of(
    dashboards: Iterable[Dashboard],
    settings: Settings,
    now: datetime,
    failing: Mapping[tuple[str, str], str],
) -> tuple[Section, ...]:
    """Cards by folder: everybody's first, the admins' last, the others by name between.

    `failing`: as `hub.Hub.failing` has it.
    """
    ordered = sorted(dashboards, key=lambda d: (_place(d.group), d.group))
    return tuple(
        Section(
            group=group,
            title=group_title(group),
            anchor=f"group-{number}",
            cards=tuple(
                _card(one, settings, now, failing.get((one.group, one.name), "")) for one in members
            ),
        )
        for number, (group, members) in enumerate(groupby(ordered, key=lambda d: d.group))
    )


def tags_of(cards: Iterable[Card]) -> list[str]:
    """The tags that can be chosen, by name; what differs in case only is one."""
    written: dict[str, str] = {}
    uses: Counter[str] = Counter()
    for card in cards:
        for tag in card.tags:
            uses[tag.casefold()] += 1
            written.setdefault(tag.casefold(), tag)
    return [written[tag] for tag in sorted(tag for tag, _ in uses.most_common(_MOST_TAGS))]


def _found(
    cards: Mapping[tuple[str, str], Card], wanted: Iterable[tuple[str, str]]
) -> tuple[Card, ...]:
    """Those of the wanted that there are, and that can be opened."""
    found = (cards.get(one) for one in wanted)
    return tuple(card for card in found if card and card.url)


def seen(groups: Collection[str]) -> str:
    """Names what is shared with a member of these groups, for the page that shows it."""
    return hashlib.sha256("\n".join(sorted(groups)).encode()).hexdigest()[:16]


def group_title(group: str) -> str:
    """The name of a folder, for people."""
    if group in _TITLES:
        return _TITLES[group]
    return group[:1].upper() + group[1:]


def ago(seconds: float) -> str:
    """How long ago a file changed, in words."""
    for size, name in _UNITS:
        if seconds >= size:
            number = int(seconds // size)
            if name == "day" and number == 1:
                return "yesterday"
            return f"{number} {name}{'' if number == 1 else 's'} ago"
    return "just now" if seconds < 120 else f"{int(seconds // 60)} minutes ago"


def data_of(changed: datetime, now: datetime) -> str:
    """When a dashboard's data changed, in words. Both in the time zone of the words."""
    day = changed.date()
    if day == now.date():
        return f"Data of today {changed:%H:%M}"
    if day == (now - timedelta(days=1)).date():
        return "Data of yesterday"
    return f"Data of {day.day} {day:%b}" + (f" {day.year}" if day.year != now.year else "")


_TITLES: Final = {"user": "Everybody", "customers": "All customers"}


def _place(group: str) -> int:
    return {"user": 0, ADMIN: 2}.get(group, 1)


def _card(dashboard: Dashboard, settings: Settings, now: datetime, failing: str) -> Card:
    fresh, moment = _fresh(dashboard, now.astimezone())
    return Card(
        group=dashboard.group,
        name=dashboard.name,
        folder=group_title(dashboard.group),
        title=dashboard.title,
        description=dashboard.description,
        owner=dashboard.owner,
        tags=dashboard.tags,
        url="" if dashboard.problem else address(dashboard, settings),
        picture=picture_of(dashboard, settings),
        fresh=fresh,
        moment=moment,
        problem=dashboard.problem or "",
        failing=failing,
    )


def _fresh(dashboard: Dashboard, now: datetime) -> tuple[str, str]:
    """How old the data of a dashboard is, or else its notebook: in words, and exactly."""
    changed = _moment(dashboard.data_ns or dashboard.modified_ns)
    if changed is None:
        return "", ""
    age = (now - changed).total_seconds()
    words = data_of(changed, now) if dashboard.data_ns else f"Updated {ago(age)}"
    return words, f"{changed:%Y-%m-%d %H:%M %Z}"


def _moment(nanoseconds: int) -> datetime | None:
    """None for a time that no calendar has; anybody may set a file's."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return None
