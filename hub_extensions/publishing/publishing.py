"""To publish a notebook, to roll one back, to remove one: the folder and the versions together.

What is in the folder is what people see, and it is never changed before all that was there is kept.
The order is: what is found in the folder is kept, then the new version is written to the
repository, announced there, put into the folder by renames, the data files first and the notebook
last, and made the newest.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from dulwich.errors import NotGitRepository, ObjectFormatException
from dulwich.file import FileLocked
from tornado.log import app_log

from ..refusals import Refused
from . import data_files, files
from .data_files import DataChange, NoDataFile
from .data_of import DataOf
from .files import NotAFile, file_name
from .versions import (
    FOUND,
    NOBODY,
    NONE,
    PUBLISHED,
    REMOVED,
    ROLLED_BACK,
    Place,
    Version,
    Versions,
    content_id,
)

T = TypeVar("T")

#: What is to be free on the disk: bytes, and a share of it. Below, nothing is published.
_LEAST_FREE: Final = 200_000_000
_LEAST_SHARE: Final = 0.02
_NO_DATA: Final[Mapping[str, bytes]] = MappingProxyType({})
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class CannotPublish(Refused):
    """It is not published, rolled back or removed."""


class Conflict(CannotPublish):
    """What is there is not what was to be replaced.

    Attributes:
        present: what is there, by its `state_id`.
        version: of it, None where it was put there by hand.
    """

    def __init__(self, place: Place, present: str, version: Version | None) -> None:
        if version is None:
            what = "taken it away" if present == NONE else "put another notebook there"
            by_whom = f"Somebody has {what} by hand"
        else:
            when = version.when.strftime("%-d %B, %H:%M UTC")
            by_whom = f"{version.by} has {version.action} {place} meanwhile ({when})"
        super().__init__(f"{by_whom}. Look at it before you replace it.", 409)
        self.present, self.version = present, version


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a dashboard is now.

    Attributes:
        present: what is in the folder, by its `state_id`.
        version: which of the versions that is; None: none, or what somebody put there by hand.
        versions: all that are kept, the newest first.
        data: the names of its data files.
        notebook: what is in the folder, None for nothing.
    """

    present: str
    version: Version | None
    versions: tuple[Version, ...]
    data: tuple[str, ...]
    notebook: bytes | None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What would change if a notebook and data files were published.

    Attributes:
        present: what is there, by its `state_id`.
        notebook: the one that is there, None for none.
        data: what becomes of the data files.
        problem: why these cannot be put there, a sentence; "" if they can.
    """

    present: str
    notebook: bytes | None
    data: tuple[DataChange, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A new version. `files`: the data files that came with it, or are not the dashboard's any
    more."""

    version: str
    files: tuple[str, ...]


class Publishing:
    """Changes folders of notebooks, one after the other.

    Args:
        notebooks: the folder of folders.
        has_accounts: servers run under accounts of their own, not under the hub's.
    """

    def __init__(self, notebooks: Path, has_accounts: bool = False) -> None:
        self._notebooks, self._has_accounts = notebooks, has_accounts
        self._versions = Versions(notebooks)
        self._one = asyncio.Lock()
        # Its own: those who wait for a folder must not keep others from the common threads.
        self._thread = ThreadPoolExecutor(1, "publishing")

    # -- to read ------------------------------------------------------------------------------

    async def shown(self, place: Place) -> Shown:
        """What a dashboard is now, and was. Raises CannotPublish."""
        return await self._alone(lambda: self._shown(place))

    async def present(self, place: Place) -> bytes | None:
        """The notebook that is there, None for none. Raises CannotPublish."""
        return await self._alone(lambda: self._read(place))

    async def compared(self, place: Place, given: Mapping[str, bytes]) -> Compared:
        """What is there, and what becomes of these data files. Raises CannotPublish."""
        return await self._alone(lambda: self._compared(place, given))

    async def content(self, place: Place, version_id: str) -> tuple[Version, bytes | None]:
        """One version of a dashboard and its notebook, None where that was removed.

        Raises:
            CannotPublish: there is none of this id, or it cannot be read.
        """
        return await self._alone(lambda: self._content(place, version_id))

    async def data(
        self, place: Place, version_id: str, before_id: str | None
    ) -> tuple[DataChange, ...]:
        """How the data files of a version differ from those of another, None for none. As
        `content`."""

        def data() -> tuple[DataChange, ...]:
            after = self._versions.data(place, self._content(place, version_id)[0].id)
            before = before_id and self._versions.data(place, self._content(place, before_id)[0].id)
            return data_files.between(before or {}, after, self._versions.size)

        return await self._alone(data)

    def _content(self, place: Place, version_id: str) -> tuple[Version, bytes | None]:
        for version in self._versions.of(place):
            if version.id == version_id:
                return version, self._versions.content(version)
        raise CannotPublish(f"There is no such version of {place}.", 404)

    def _data(self, place: Place) -> DataOf:
        return DataOf(place=place, versions=self._versions, has_accounts=self._has_accounts)

    def _read(self, place: Place) -> bytes | None:
        try:
            with files.opened(self._notebooks, place.folder) as folder:
                return files.read(folder, place.name, self._has_accounts)
        except FileNotFoundError:
            return None

    def _shown(self, place: Place) -> Shown:
        notebook = self._read(place)
        present = self._versions.state(place, content_id(notebook))
        versions = tuple(self._versions.of(place))
        is_newest = bool(versions) and versions[0].content == present
        return Shown(
            present=present,
            version=versions[0] if is_newest else None,
            versions=versions,
            data=tuple(sorted(self._versions.data(place))),
            notebook=notebook,
        )

    def _compared(self, place: Place, given: Mapping[str, bytes]) -> Compared:
        notebook = self._read(place)
        present = self._versions.state(place, content_id(notebook))
        data = self._data(place)
        try:
            try:
                with files.opened(self._notebooks, place.folder) as folder:
                    changes, _ = data.compared(folder, given, is_more=True)
            except FileNotFoundError:
                changes, _ = data.compared(None, given, is_more=True)
        except (NoDataFile, NotAFile) as error:
            return Compared(present=present, notebook=notebook, problem=str(error))
        return Compared(present=present, notebook=notebook, data=tuple(changes))

    # -- to write -----------------------------------------------------------------------------

    async def publish(
        self,
        place: Place,
        content: bytes,
        *,
        replaces: str,
        by: str,
        note: str,
        data: Mapping[str, bytes] = _NO_DATA,
        ask_again: Callable[[], object] | None = None,
    ) -> Written:
        """Put a notebook into its folder, which is made if there is none.

        Args:
            replaces: what is there, by its `state_id`, as the person knows it.
            data: data files by their names, beside it; those that came with it before stay.
            ask_again: called when its turn has come; raises what keeps the person from it by then.

        Raises CannotPublish, Conflict.
        """
        return await self._alone(
            lambda: self._change(place, content, PUBLISHED, replaces, by, note, data), ask_again
        )

    async def roll_back(
        self,
        place: Place,
        version_id: str,
        *,
        replaces: str,
        by: str,
        ask_again: Callable[[], object] | None = None,
    ) -> Written:
        """Show an older version again, as a new one, with its data and no other. Arguments and
        answer as of `publish`."""

        def roll_back() -> Written:
            version, content = self._content(place, version_id)
            if content is None:
                raise CannotPublish("There was no notebook then. Remove it instead.", 409)
            note = f"Back to the version of {version.when.strftime('%-d %B %Y, %H:%M UTC')}"
            then = self._versions.data(place, version.id)
            data = {name: self._versions.blob(id_) for name, id_ in then.items()}
            return self._change(place, content, ROLLED_BACK, replaces, by, note, data)

        return await self._alone(roll_back, ask_again)

    async def remove(
        self,
        place: Place,
        *,
        replaces: str,
        by: str,
        ask_again: Callable[[], object] | None = None,
    ) -> Written:
        """Take a notebook out of its folder, with the data that came with it and with no other;
        its versions are kept. As `publish`."""
        return await self._alone(
            lambda: self._change(place, None, REMOVED, replaces, by, ""), ask_again
        )

    def _change(
        self,
        place: Place,
        content: bytes | None,
        action: str,
        replaces: str,
        by: str,
        note: str,
        given: Mapping[str, bytes] = _NO_DATA,
    ) -> Written:
        versions = self._versions
        if content is not None:
            self._check_room()
        with files.opened(self._notebooks, place.folder, make=content is not None) as folder:
            files.clean(folder)
            present = files.read(folder, place.name, self._has_accounts)
            is_kept = versions.newest(place) == content_id(present)
            there = versions.state(place, content_id(present))
            if there != replaces:
                last = versions.of(place, 1) if is_kept else []
                raise Conflict(place, there, last[0] if last else None)
            is_more = action == PUBLISHED
            changes, data = self._data(place).compared(folder, given, is_more=is_more)
            put = {one.name: given[one.name] for one in changes if one.kind != "unchanged"}
            ours = versions.data(place)
            if content == present and data == ours and not put:
                raise CannotPublish("That is what is there already: nothing would change.", 409)
            if present is not None and not is_kept:
                versions.done(versions.keep(place, present, FOUND, NOBODY, data=ours))
            for one in data.keys() & given.keys():
                versions.add(given[one])
            commit = versions.keep(place, content, action, by, note, data)
            self._put(folder, place, content, put, commit)
        return Written(version=commit, files=tuple(sorted(put.keys() | ours.keys() - data.keys())))

    def _put(
        self,
        folder: int,
        place: Place,
        content: bytes | None,
        data: Mapping[str, bytes],
        commit: str,
    ) -> None:
        """Have the folder hold a version that is written, and say so. Raises OSError: it does not
        hold it, and nothing is changed."""
        versions = self._versions
        versions.begin(commit)
        try:
            if content is None:
                files.remove(folder, file_name(place.name))
            else:
                files.put(folder, {**data, file_name(place.name): content})
        except (OSError, NotAFile):
            if not self._data(place).finish(folder, commit):
                raise
        else:
            self._data(place).take_away(folder, versions.data(place), versions.data(place, commit))
        try:
            versions.done(commit)
        except (OSError, FileLocked) as error:  # what was begun is found again, see `settle`
            app_log.warning("A version of %s is not counted yet: %s", place, error)

    def _is_there(self, place: Place, commit: str) -> bool:
        """As `DataOf.finish`; what cannot be read is no version."""
        try:
            with files.opened(self._notebooks, place.folder) as folder:
                return self._data(place).finish(folder, commit)
        except FileNotFoundError:
            return self._versions.notebook(place, commit) == NONE
        except (NotAFile, OSError):
            return False

    def _check_room(self) -> None:
        """Leave some of the disk: what others do, and the hub itself, needs it."""
        disk = shutil.disk_usage(self._notebooks)
        if disk.free < max(_LEAST_FREE, _LEAST_SHARE * disk.total):
            raise CannotPublish(
                "Too little of the disk is free to publish. Nothing has changed; ask whoever runs"
                " this site to make some room.",
                507,
            )

    async def _alone(
        self, work: Callable[[], T], ask_again: Callable[[], object] | None = None
    ) -> T:
        """Do something in a thread, when nothing else is done to the folders, and say in a
        sentence why it could not be."""
        async with self._one:
            if ask_again is not None:
                ask_again()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._settled, work)

    def _settled(self, work: Callable[[], T]) -> T:
        try:
            self._versions.settle(self._is_there)
            return work()
        except NoDataFile as error:
            raise CannotPublish(str(error), 409) from error
        except NotAFile as error:
            sentence = f"{error} Whoever runs this site can put it away."
            raise CannotPublish(sentence, 409) from error
        except (OSError, NotGitRepository, ObjectFormatException, FileLocked) as error:
            app_log.error("A folder of notebooks cannot be changed: %s", error)
            raise _sentence(error) from error
        finally:
            self._versions.close()


def _sentence(error: Exception) -> CannotPublish:
    number = error.errno if isinstance(error, OSError) else None
    if number in _NO_ROOM:
        return CannotPublish(
            "There is no room left on the disk. Nothing has changed; ask whoever runs this site to"
            " make some.",
            507,
        )
    if number == errno.ENOENT:
        return CannotPublish("There is no such dashboard.", 404)
    if number == errno.ENAMETOOLONG:
        return CannotPublish("That name is too long for a file.")
    return CannotPublish(
        "The folder cannot be written. Nothing has changed; ask whoever runs this site to look into"
        " its log.",
        500,
    )
