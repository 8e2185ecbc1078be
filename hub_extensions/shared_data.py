"""Data that is the same for all viewers of a folder: loaded once, by the folder's own process.

`POST /hub/api/shared-data`, which people's servers call, answers with the file in which is what
the cells tagged `shared` of a notebook have left. They run in `dashboards.shared_process`, when
somebody asks first; again when the notebook's cells change, or a file of its folder, or when the
time is over that it sets (`refresh_minutes` in its metadata `atrium`).

The file is the hub's: the process gets it open, and has no right to any path.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tornado import web
from tornado.log import app_log

from . import folder_secrets
from .accounts.folder_process import FolderProcess
from .notebook_files import LARGEST
from .own_server import OwnDashboardHandler, runs
from .shared_places import places
from .spawner import DashboardSpawner

_TAG: Final = "shared"
_AT_ONCE: Final = 2  # folders whose cells run
_LAST_MOMENT: Final = 10.0  # seconds that the process gets beyond those that its cells may take
_AGAIN: Final = 10.0  # seconds for which nobody tries again what has failed
_LONGEST: Final = 100_000  # bytes of an explanation
_SAID: Final = ("sentence", "summary", "traceback")
_FILES: Final = 10_000  # of a folder, that are looked at


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be loaded. `version`: of the shared cells and the folder's files."""

    version: str
    refresh: float


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What is known of a notebook's data, and until when: `answer` is what servers are told."""

    version: str
    until: float
    answer: dict[str, str]

    @property
    def is_good(self) -> bool:
        """Whether it is to be told still; its folder may have been away meanwhile."""
        is_there = "file" not in self.answer or Path(self.answer["file"]).exists()
        return is_there and time.monotonic() <= self.until


class SharedData:
    """Has shared cells run, one notebook of a folder after the other, and remembers the outcome."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Loaded] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._few = asyncio.Semaphore(_AT_ONCE)

    async def of(self, spawner: DashboardSpawner, group: str, name: str) -> dict[str, str]:
        """What to tell a server: `file`, or why there is none. Waits until the cells have run.

        Raises web.HTTPError: 404, the notebook has no shared cells.
        """
        async with self._turns[group]:
            plan = await asyncio.to_thread(plan_of, Path(spawner.notebooks) / group, name)
            if plan is None:
                raise web.HTTPError(404)
            version = plan.version + folder_secrets.version(Path(spawner.state_folder), group)
            known = self._known.get((group, name))
            if known is None or known.version != version or not known.is_good:
                async with self._few:
                    answer = await self._load(spawner, group, name)
                holds = plan.refresh if "file" in answer else _AGAIN
                until = time.monotonic() + holds
                self._known[group, name] = Loaded(version=version, until=until, answer=answer)
                if known and "file" in known.answer:  # whoever has it in memory keeps it
                    Path(known.answer["file"]).unlink(missing_ok=True)
            return self._known[group, name].answer

    async def _load(self, spawner: DashboardSpawner, group: str, name: str) -> dict[str, str]:
        began = time.monotonic()
        try:
            place = places.of(Path(spawner.shared), Path(spawner.notebooks) / group, spawner.ids)
            path = place / secrets.token_hex(16)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            return _failed(group, name, {"sentence": "There is no room to keep its data."}, error)
        is_there = False
        try:
            notebook = Path(spawner.notebooks) / group / f"{name}.ipynb"
            why = await _run(spawner, group, notebook, descriptor)
            if why is not None:
                return _failed(group, name, why)
            os.fchmod(descriptor, 0o444)
            is_there = True
        finally:
            os.close(descriptor)
            if not is_there:
                path.unlink(missing_ok=True)
        app_log.info("Loaded the data of %s/%s in %.1f s", group, name, time.monotonic() - began)
        return {"file": str(path)}


async def _run(
    spawner: DashboardSpawner, group: str, notebook: Path, descriptor: int
) -> dict[str, str] | None:
    """Have the cells run and their outcome written; None, or why they could not."""
    try:
        process = FolderProcess(spawner=spawner, folder=group, purpose="shared")
        status = await process.run(
            "dashboards.shared_process",
            {"notebook": str(notebook)},
            file=descriptor,
            last_moment=_LAST_MOMENT,
        )
    except folder_secrets.SecretsError as error:
        return {"sentence": folder_secrets.SENTENCE, "traceback": str(error)}
    if status is None:
        app_log.error("Loading the data of %s does not come to an end", notebook)
    return None if status == 0 else _explained(descriptor)


def _explained(descriptor: int) -> dict[str, str]:
    """Why there is no data, as the process says it; it may be a notebook's word, so not trusted."""
    try:
        told = json.loads(os.pread(descriptor, _LONGEST, 0))
    except ValueError:
        told = None
    why = {} if not isinstance(told, dict) else told
    return {name: text for name in _SAID if isinstance(text := why.get(name), str)}


def _failed(
    group: str, name: str, why: dict[str, str], error: OSError | None = None
) -> dict[str, str]:
    answer = {
        "reference": secrets.token_hex(4),
        "sentence": why.get("sentence") or "Its data could not be loaded.",
        "summary": why.get("summary", type(error).__name__ if error else ""),
        "traceback": why.get("traceback", str(error or "")),
    }
    told = "\n".join(filter(None, (answer["sentence"], answer["traceback"])))
    app_log.error("No data of %s/%s, reference %s: %s", group, name, answer["reference"], told)
    return answer


def plan_of(folder: Path, name: str) -> Plan | None:
    """What a notebook wants to be loaded, None if it has no shared cells, or cannot be read."""
    try:
        path = folder / f"{name}.ipynb"
        if path.stat().st_size > LARGEST or path.resolve().parent != folder.resolve():
            return None
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    cells = [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []
    places = [place for place, cell in enumerate(cells) if _TAG in _tags(cell)]
    if not places:
        return None
    # Import lines of cells before them count too, and which names later ones speak of.
    sources = [[cell.get("cell_type"), cell.get("source"), _tags(cell)] for cell in cells]
    found = json.dumps([sources, files_of(folder)], default=str)
    metadata = notebook.get("metadata")
    return Plan(version=hashlib.sha256(found.encode()).hexdigest(), refresh=_refresh(metadata))


def _tags(cell: dict[str, Any]) -> list[Any]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tags if isinstance(tags, list) else []


def _refresh(metadata: Any) -> float:
    """Seconds for which the data is good."""
    own = metadata.get("atrium") if isinstance(metadata, dict) else None
    minutes = own.get("refresh_minutes") if isinstance(own, dict) else None
    if isinstance(minutes, int | float) and minutes >= 1:
        return minutes * 60.0
    return float("inf")


def files_of(folder: Path) -> list[Any]:
    """What changes when a file beside the notebooks does."""
    found: list[Any] = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith((".", "__pycache__")))
        for file in sorted(files):
            if file.startswith(".") or file.endswith(".ipynb"):
                continue
            with contextlib.suppress(OSError):
                info = os.stat(Path(place) / file)
                found.append([place, file, info.st_ino, info.st_mtime_ns, info.st_size])
            if len(found) >= _FILES:
                return found
    return found


class SharedDataHandler(OwnDashboardHandler):
    """Tells a person's server where the data of a notebook is, once it is there."""

    async def post(self) -> None:
        """404 where the notebook has no such cells."""
        spawner, *named = self.asked()
        answer = await data.of(spawner, *named)
        if not spawner.ready or not runs(spawner, *named):
            raise web.HTTPError(403)
        if "file" in answer:
            spawner.open_folders()
        self.finish(json.dumps(answer))


data: Final = SharedData()
handlers: Final = [(r"/api/shared-data", SharedDataHandler)]
