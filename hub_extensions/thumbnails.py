"""Pictures of dashboards for the cards of the gallery, made when somebody could see them.

`POST /hub/api/thumbnails`, which people's servers send as they show a gallery, has the hub try
every notebook of which there is no picture of its present version (`trial_runs`): one at a time, at
the lowest priority, and none while a server starts. Nobody waits for it. A picture is kept by the
notebook's content in the place of its folder (`shared_places`), so those can read it who see the
folder. How it went is remembered until the notebook changes; or a file beside it, but then it is
tried again once a day at most, as is one that failed. Those who could mend it are told of that on
its card (`failing`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from tornado import web
from tornado.log import app_log

from .compiled_notebooks import Version, digest_of, notebook_at, read_for_all, version_of
from .folders import ADMIN
from .own_server import OwnServerHandler
from .shared_data import files_of
from .shared_places import places
from .spawner import DashboardSpawner
from .trial_runs import NO_ROOM, trial

_DAY: Final = 24 * 3600.0
_MOST_OF_FOLDER: Final = 500  # notebooks that have pictures
_MOST_FAILING: Final = 50  # of which anybody is told


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What has come of one version of a notebook: the files of its pictures, or none.

    `beside`: names what was in the files beside it; `at`: when that was looked at last; `problem`:
    a sentence, perhaps with words of the notebook's, why it does not run; "" for nothing.
    """

    version: Version | None
    beside: str
    at: float
    files: tuple[Path, ...] = ()
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether what was kept is there still; its folder may have been away meanwhile."""
        return all(file.exists() for file in self.files)


class Thumbnails:
    """Has notebooks tried for their pictures, one after the other."""

    def __init__(self) -> None:
        self._tried: dict[Path, Tried] = {}
        self._line: dict[Path, DashboardSpawner] = {}  # in order
        self._work: asyncio.Task[None] | None = None
        self._forgetting: asyncio.Task[None] | None = None

    def opened(self, spawner: DashboardSpawner, group: str, name: str) -> None:
        """Somebody who may see a dashboard opens it: see to its picture. Nobody waits for it."""
        self._want(spawner, self._due(spawner, group, [name]))
        if self._forgetting is None or self._forgetting.done():
            self._forgetting = asyncio.create_task(self._forget_gone())

    def failing(self, can_mend: Callable[[str], bool]) -> list[tuple[str, str, str]]:
        """Folder, name and problem of what did not run when it was tried last and is still as it
        was, by name, up to `_MOST_FAILING`: in the folders of which the caller says so."""
        found = (
            (path.parent.name, path.stem, tried.problem)
            for path, tried in sorted(self._tried.items())
            if tried.problem and can_mend(path.parent.name) and tried.version == version_of(path)
        )
        return list(islice(found, _MOST_FAILING))

    def _want(self, spawner: DashboardSpawner, paths: Iterable[Path]) -> None:
        for path in paths:
            self._line.setdefault(path, spawner)
        if self._line and (self._work is None or self._work.done()):
            self._work = asyncio.create_task(self._go_on())

    async def shown(self, spawner: DashboardSpawner) -> None:
        """Somebody looks at their gallery: see to the pictures of all that is in it."""
        await self._forget_gone()
        for group in sorted(spawner.readable()):
            folder = Path(spawner.notebooks) / group
            self._want(spawner, await asyncio.to_thread(self._due_in, spawner, folder))

    def _due_in(self, spawner: DashboardSpawner, folder: Path) -> list[Path]:
        return self._due(spawner, folder.name, _names_in(folder))

    def _due(self, spawner: DashboardSpawner, group: str, names: Iterable[str]) -> list[Path]:
        """Those of a folder's notebooks that are to be tried."""
        if not spawner.thumbnails or group == ADMIN:
            return []
        paths = (notebook_at(spawner, group, name) for name in names)
        return [path for path in paths if path is not None and self._is_due(path)]

    def _is_due(self, path: Path) -> bool:
        tried, version = self._tried.get(path), version_of(path)
        if version is None or tried is None or tried.version != version:
            return version is not None
        return not tried.is_whole or time.monotonic() - tried.at > _DAY

    async def _go_on(self) -> None:
        while self._line:
            path, spawner = next(iter(self._line.items()))
            await spawner.queue.quiet()
            try:
                await self._try(spawner, path)
            except OSError as error:  # tried again when the next one asks
                self._tried.pop(path, None)
                app_log.warning("No picture of %s is kept: %s", path, error)
            except Exception:  # the next ones have theirs all the same
                app_log.exception("No picture of %s", path)
            finally:
                del self._line[path]

    async def _try(self, spawner: DashboardSpawner, path: Path) -> None:
        version, beside = version_of(path), await asyncio.to_thread(_beside, path.parent)
        tried, now = self._tried.get(path), time.monotonic()
        is_known = tried and tried.is_whole and (tried.version, tried.beside) == (version, beside)
        if tried and is_known and not tried.problem:
            self._tried[path] = replace(tried, at=now)
            return
        files = tried.files if tried else ()  # of before, until there are others
        self._tried[path] = Tried(version=version, beside=beside, at=now, files=files)
        try:
            files, problem = await _made(spawner, path)
        except web.HTTPError as error:
            app_log.warning("No picture of %s: %s", path, error)
        else:
            self._tried[path] = Tried(
                version=version, beside=beside, at=now, files=files, problem=problem
            )
            for file in set(tried.files if tried else ()).difference(files):
                file.unlink(missing_ok=True)

    async def _forget_gone(self) -> None:
        """Remove the pictures of notebooks that are gone, or are others by now."""
        for path, tried in await asyncio.to_thread(_changed, list(self._tried.items())):
            if self._tried.get(path) is tried:
                for file in tried.files:
                    file.unlink(missing_ok=True)
                del self._tried[path]


def _changed(known: Iterable[tuple[Path, Tried]]) -> list[tuple[Path, Tried]]:
    return [(path, tried) for path, tried in known if tried.version != version_of(path)]


def _names_in(folder: Path) -> list[str]:
    """The first ones of a folder: it may hold any number."""
    try:
        return sorted(path.stem for path in folder.glob("*.ipynb"))[:_MOST_OF_FOLDER]
    except OSError:
        return []


def _beside(folder: Path) -> str:
    """Names what is in the files beside the notebooks."""
    return hashlib.sha256(json.dumps(files_of(folder), default=str).encode()).hexdigest()


async def _made(spawner: DashboardSpawner, path: Path) -> tuple[tuple[Path, ...], str]:
    """Try a notebook and keep its pictures; returns their files, and what kept it from running, ""
    for nothing. Raises OSError, web.HTTPError."""
    notebook = await asyncio.to_thread(read_for_all, path, bool(spawner.ids))
    if notebook is None:
        return (), ""
    found = await trial(spawner, path.parent.name, path.stem, notebook, for_card=True)
    if found.problem:
        what = found.error or "no error of its code"  # not the text: it may hold any value
        app_log.info("No picture of %s: %s, %s", path, found.cell or "no cell", what)
    digest = await asyncio.to_thread(digest_of, path.name, notebook)
    files = tuple(
        _keep(spawner, path.parent, f"picture-{digest}-{scheme}.png", picture)
        for scheme, picture in found.pictures.items()
    )
    # Without its viewer it need not run, and a machine without room is no fault of its own.
    is_its_own = not found.needs_viewer and found.problem != NO_ROOM
    return files, found.problem if is_its_own else ""


def _keep(spawner: DashboardSpawner, folder: Path, name: str, picture: bytes) -> Path:
    """Put a picture where the folder's viewers can read it. Raises OSError."""
    place = places.of(Path(spawner.shared), folder, spawner.ids)
    file, unfinished = place / name, place / "unfinished-picture"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as into:
        into.write(picture)
        os.fchmod(descriptor, 0o444)
    unfinished.rename(file)
    return file


class ThumbnailsHandler(OwnServerHandler):
    """Hears from a person's server that they look at their gallery."""

    async def post(self) -> None:
        """Nothing is told and nothing answered: what is missing comes by the next time."""
        await thumbnails.shown(self.server)
        self.set_status(204)


thumbnails: Final = Thumbnails()
"""The hub's."""
handlers: Final = [(r"/api/thumbnails", ThumbnailsHandler)]
