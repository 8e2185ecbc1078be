"""Somebody who publishes: where to, and what they do there. The API and the pages both do what they
do through it.

What they may is asked anew each time, and again when they have waited for something.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urljoin

from jupyterhub import orm
from jupyterhub.user import User
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from sqlalchemy import func, select

from .. import audit, grants
from ..accounts import unix_accounts
from ..folders import ADMIN, LONGEST_NAME, audiences, is_notebook_name
from ..refusals import plain
from ..spawner import DashboardSpawner
from ..thumbnails import thumbnails
from . import checks as checking
from . import data_files, files
from .checks import Changed, Check, checks, read
from .data_files import DataChange, NoDataFile
from .publishing import CannotPublish, Compared, Publishing, Shown, Written
from .rights import may_publish, publishes_anywhere
from .versions import Place, Version

LONGEST_NOTE: Final = 500
_NOWHERE: Final = "You may not publish to any folder. An admin can let you: ask for it."
#: What one person may have done: each notebook that is looked at is a process,
_LOOKS: Final = parse("60/minute")
#: and each data file takes memory of the hub's,
_FILES: Final = parse("200/minute")
#: each change is a version that is kept for good,
_CHANGES: Final = parse("30/hour")
#: and so many bytes.
_BYTES: Final = parse("500000000/day")
_limiter: Final = SlidingWindowCounterRateLimiter(MemoryStorage())
_listing: Final[set[int]] = set()  # for whom versions are looked for


@dataclass(frozen=True, kw_only=True)
class Target:
    """A folder that somebody may publish to.

    Attributes:
        people: how many see what is in it.
        dashboards: what is in it.
        is_there: whether there is a folder already, or only a group.
    """

    folder: str
    people: int
    dashboards: tuple[str, ...]
    is_there: bool


class Author:
    """A person who may publish somewhere, or nowhere."""

    def __init__(self, user: User) -> None:
        assert isinstance(user.spawner, DashboardSpawner)
        self.user, self.spawner = user, user.spawner
        self.name = str(user.name)
        self._notebooks = Path(self.spawner.notebooks)
        self._publishing = publishing_in(self.spawner.notebooks, bool(self.spawner.ids))

    @property
    def _groups(self) -> frozenset[str]:
        """Those of this moment."""
        return grants.groups_of(self.user.db, self.user.orm_user)

    @property
    def obstacle(self) -> str:
        """Why they can publish nothing at all, a sentence; "" if they may somewhere."""
        if obstacle := self.user.authenticator.publishing_obstacle:
            return obstacle
        return "" if publishes_anywhere(self._groups, is_hub_admin=self.user.admin) else _NOWHERE

    def sees(self, folder: str) -> bool:
        """Whether they see what is in a folder: who publishes to one need not."""
        return not self._groups.isdisjoint({folder, ADMIN})

    def targets(self) -> list[Target]:
        """The folders that they may publish to, by name: those that are there, and those of groups,
        which are made when something is published to them first."""
        there = {folder.name for folder in audiences(self._notebooks)}
        groups = set(self.user.db.scalars(select(orm.Group.name)))
        own, is_hub_admin = self._groups, self.user.admin
        return [
            Target(
                folder=folder,
                people=self.people_of(folder),
                dashboards=tuple(self._names_in(folder)) if folder in there else (),
                is_there=folder in there,
            )
            for folder in sorted(there | groups)
            if may_publish(own, folder, is_hub_admin=is_hub_admin)
        ]

    def people_of(self, folder: str) -> int:
        """How many people see what is in a folder."""
        seeing = orm.User.groups.any(orm.Group.name.in_({folder, ADMIN}))
        return self.user.db.scalar(select(func.count(orm.User.id)).where(seeing)) or 0

    def _names_in(self, folder: str) -> list[str]:
        try:
            with files.opened(self._notebooks, folder) as descriptor:
                return files.names(descriptor)
        except (OSError, files.NotAFile):
            return []

    def place(self, folder: str, name: str) -> Place:
        """A place that they may publish to.

        Raises:
            CannotPublish: they may not, or nothing can be called so.
        """
        if not self._may(folder):
            raise CannotPublish("You may not publish to this folder.", 403)
        if not is_notebook_name(name):
            raise CannotPublish(
                f"A name has up to {LONGEST_NAME} letters, digits and signs; no slash, and no dot"
                " first."
            )
        there = {one.name for one in audiences(self._notebooks)}
        if folder not in there and orm.Group.find(self.user.db, name=folder) is None:
            raise CannotPublish(f"There is no folder and no group called {folder}.", 404)
        return Place(folder=folder, name=name)

    def _may(self, folder: str) -> bool:
        """Whether they may publish to a folder now."""
        return may_publish(self._groups, folder, is_hub_admin=self.user.admin)

    def _ask_again(self, place: Place, check: Check | None = None) -> None:
        """When they have waited. Raises CannotPublish: they may not any more, or are signed out."""
        self.place(place.folder, place.name)
        if check is not None:
            self.check(check.id)

    # -- a check ------------------------------------------------------------------------------

    async def hand_in(self, file_name: str, notebook: bytes, place: Place | None) -> Check:
        """Take a notebook, look at it and, if its place is known, have it run there.

        Raises:
            CannotPublish: it is one too many, or they may not publish there any more.
        """
        async with self._turn(place):
            there = await self._publishing.compared(place, {}) if place else None
            found, clean = await read(self.spawner, notebook, there and there.notebook)
        check = checks.add(self.user.id, name_from(file_name), found, clean)
        if place and there:
            self._begin(check, place, there)
        return check

    def add_data(self, check: Check, name: str, content: bytes) -> None:
        """Lay a data file beside a notebook whose place is not known yet.

        Raises:
            CannotPublish: it cannot be published, or is one too many.
        """
        self._count(_FILES, "That were many files. Wait a minute, and try again.")
        if check.place is not None:
            raise CannotPublish("It is being looked at already. Hand the notebook in again.", 409)
        sizes = {one: len(known) for one, known in check.data.items()} | {name: len(content)}
        try:
            data_files.check_name(name)
            data_files.check_sizes(sizes)
            data_files.check_together(sizes)
        except NoDataFile as error:
            raise CannotPublish(str(error)) from error
        checks.add_data(check, name, content)

    def check(self, check_id: str) -> Check:
        """One of their checks. Raises CannotPublish: there is none."""
        check = checks.get(self.user.id, check_id)
        if check and check.place and not self._may(check.place.folder):
            checks.drop(check)
            check = None
        if check is None:
            raise CannotPublish("This notebook is not kept here any more. Choose it again.", 404)
        return check

    async def aim(self, check: Check, place: Place) -> None:
        """Say where a notebook is to go, or what it would replace now, and have it run there.
        Raises CannotPublish."""
        data = check.data
        async with self._turn(place):
            there = await self._publishing.compared(place, data)
            found = check.found
            if not found.problem:
                now_found, _ = await read(self.spawner, check.notebook, there.notebook, data)
                found = now_found.model_copy(update={"outputs": found.outputs})
        self.check(check.id)  # they may be signed out by now
        if check.data is not data:
            raise CannotPublish("One of its data files came this moment. Try again.", 409)
        check.found = found
        self._begin(check, place, there)

    def _begin(self, check: Check, place: Place, there: Compared) -> None:
        check.place, check.present = place, there.present
        check.changes, check.obstacle = there.data, there.problem
        if not (check.found.problem or check.obstacle):
            # It runs with the folder's data and secrets, published or not.
            audit.record(
                "dashboard-tried", user=self.name, group=place.folder, dashboard=place.name
            )
            checks.try_out(self.spawner, check, partial(self._may, place.folder))

    @contextlib.asynccontextmanager
    async def _turn(self, place: Place | None = None) -> AsyncIterator[None]:
        """Their turn to have a notebook read, and told what it would change at a place. Raises
        CannotPublish: it is one too many, or in the end they may not publish there any more."""
        self._count(_LOOKS, "That were many notebooks. Wait a minute, and try again.")
        if self.spawner.ids:
            unix_accounts.create_table(self.user.db)
        async with checking.turn(self.user.id):
            yield
        if place is not None:
            self._ask_again(place)

    def _count(self, limit: RateLimitItem, sentence: str, cost: int = 1) -> None:
        if not _limiter.hit(limit, self.name, cost=cost):
            raise CannotPublish(sentence, 429)

    def _count_change(self) -> None:
        self._count(_CHANGES, "You have changed dashboards 30 times in an hour. Try again later.")

    # -- what changes a folder ----------------------------------------------------------------

    async def publish(
        self,
        check: Check,
        *,
        note: str = "",
        replaces: str | None = None,
        anyway: bool = False,
        not_secret: bool = False,
    ) -> str:
        """Publish a notebook that was checked.

        Args:
            replaces: what is there, by its `state_id`; None: what was there at the check.
            anyway: although it did not run, for a reason that may not hold for its viewers.
            not_secret: what looks like a secret is none.

        Returns the id of the version. Raises Refused, such as CannotPublish or Conflict.
        """
        if check.place is None:
            raise CannotPublish("Choose a folder first.")
        place = self.place(check.place.folder, check.place.name)  # the right may be gone by now
        if check.is_running:
            raise CannotPublish("It is still being tried. Wait for that.", 409)
        if check.refusal:
            raise CannotPublish(check.refusal)
        note = plain(note, LONGEST_NOTE, "Your note")
        if check.found.secrets and not not_secret:
            raise CannotPublish(
                "There is what looks like a secret in it. Take it out, or say that it is none."
            )
        if check.asks and not anyway:
            raise CannotPublish(
                "It did not run to its end here. Say that it is to be published anyway."
            )
        said = {"anyway": check.asks, "not_secret": bool(check.found.secrets)}  # on their word
        much = "You have published 500 MB in a day. Try again tomorrow."
        self._count(_BYTES, much, cost=check.size)
        self._count_change()
        written = await self._publishing.publish(
            place,
            check.notebook,
            replaces=check.present if replaces is None else replaces,
            by=self.name,
            note=note,
            data=check.data,
            ask_again=partial(self._ask_again, place, check),
        )
        checks.drop(check)
        more = {word: "yes" for word in said if said[word]}
        return self._changed("dashboard-published", place, written, **more)

    async def roll_back(self, place: Place, version_id: str, replaces: str) -> str:
        """Show an older version again. As `publish`."""
        self._count_change()
        again = partial(self._ask_again, place)
        written = await self._publishing.roll_back(
            place, version_id, replaces=replaces, by=self.name, ask_again=again
        )
        return self._changed("dashboard-rolled-back", place, written)

    async def remove(self, place: Place, replaces: str) -> str:
        """Take a dashboard away; its versions are kept. As `publish`."""
        self._count_change()
        again = partial(self._ask_again, place)
        written = await self._publishing.remove(
            place, replaces=replaces, by=self.name, ask_again=again
        )
        return self._changed("dashboard-removed", place, written)

    def _changed(self, action: audit.Action, place: Place, written: Written, **more: str) -> str:
        """Say what was done; returns the id of the version."""
        if written.files:
            more["files"] = ", ".join(written.files)
        version = written.version[:12]
        details = {"group": place.folder, "dashboard": place.name, "version": version}
        audit.record(action, user=self.name, **details, **more)
        thumbnails.opened(self.spawner, place.folder, place.name)
        return written.version

    # -- versions -----------------------------------------------------------------------------

    async def shown(self, place: Place) -> Shown:
        """What a dashboard is now, and was. Raises CannotPublish."""
        with self._looking_for_versions():
            return await self._publishing.shown(place)

    async def version(
        self, place: Place, version_id: str
    ) -> tuple[Version, bytes | None, tuple[Changed, ...]]:
        """One version, its notebook, and what changes if what is there now becomes that.

        Raises:
            CannotPublish: there is none, it is one too many, or they may not know it any more.
        """
        async with self._turn(place):
            with self._looking_for_versions():
                version, content = await self._publishing.content(place, version_id)
            present = await self._publishing.present(place)
            return version, content, await self._differences(present, content)

    async def changed_by(
        self, place: Place, version_id: str, before_id: str | None
    ) -> tuple[Changed, ...]:
        """What a version has changed in another, None for nothing. As `version`."""
        async with self._turn(place):
            before = None
            with self._looking_for_versions():
                _, content = await self._publishing.content(place, version_id)
                if before_id is not None:
                    _, before = await self._publishing.content(place, before_id)
            return await self._differences(before, content)

    async def data_changed_by(
        self, place: Place, version_id: str, before_id: str | None = None
    ) -> tuple[DataChange, ...]:
        """Which data files a version has changed in another, None for nothing. As `version`."""
        with self._looking_for_versions():
            changes = await self._publishing.data(place, version_id, before_id)
        self._ask_again(place)
        return changes

    async def _differences(self, before: bytes | None, after: bytes | None) -> tuple[Changed, ...]:
        found, _ = await read(self.spawner, after or _EMPTY, before)
        return found.changes

    @contextlib.contextmanager
    def _looking_for_versions(self) -> Iterator[None]:
        """To look for versions takes time: for each person once at a time. Raises CannotPublish."""
        if self.user.id in _listing:
            raise CannotPublish(
                "Versions are being looked for, for you. Wait for that, and try again.", 429
            )
        _listing.add(self.user.id)
        try:
            yield
        finally:
            _listing.discard(self.user.id)


#: A notebook with nothing in it.
_EMPTY: Final = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


@lru_cache(maxsize=1)
def publishing_in(notebooks: str, has_accounts: bool) -> Publishing:
    """The hub's own."""
    return Publishing(Path(notebooks), has_accounts)


def name_from(file_name: str) -> str:
    """What a file's dashboard is called: as the file, as far as that can be."""
    name = file_name.replace("\\", "/").rpartition("/")[2].removesuffix(".ipynb")
    name = "".join(sign for sign in name if sign.isprintable()).strip().lstrip(".")
    return name[:LONGEST_NAME].strip()


def link_to(authenticator: Any, place: Place) -> str:
    """The link to a dashboard that works for everybody and carries nobody's name."""
    path = f"user-redirect/dashboards/{quote(place.folder, safe='')}/{quote(place.name, safe='')}"
    return urljoin(authenticator.oauth_callback_url, path)  # which is at the public address
