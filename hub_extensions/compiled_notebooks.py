"""Code of notebooks that is compiled once, when somebody has opened them, for all who come later.

`dashboards.compiled` compiles, in a process that can do nothing else. What it leaves is kept by the
notebook's content in the place of its folder (`shared_places`). Where there is none, each
dashboard's process compiles for itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Final

from tornado.log import app_log

from .accounts import access_lists, apart
from .folders import dashboard_named
from .notebook_files import LARGEST
from .shared_places import places
from .spawner import DashboardSpawner

_PATIENCE: Final = 30.0  # seconds
_OWNER: Final = "compiler"
#: As in `dashboards.cells`.
_KIND_OF_CODE: Final = b"2"

#: What changes when a file does, or who may read it.
Version = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What has come of one version of a notebook: a file, or none."""

    version: Version | None
    file: Path | None


class CompiledNotebooks:
    """Has notebooks compiled, one after the other."""

    def __init__(self) -> None:
        self._kept: dict[Path, Kept] = {}
        self._under_way: dict[Path, asyncio.Task[None]] = {}
        self._one = asyncio.Lock()

    def opened(self, spawner: DashboardSpawner, group: str, name: str) -> None:
        """Somebody who may see a dashboard opens it: see to its code. Nobody waits for it."""
        path = notebook_at(spawner, group, name)
        if path is None:
            return
        version = version_of(path)
        if version and not self._is_kept(path, version) and path not in self._under_way:
            task = asyncio.create_task(self._keep(spawner, path))
            self._under_way[path] = task
            task.add_done_callback(lambda _: self._under_way.pop(path))

    def _is_kept(self, path: Path, version: Version) -> bool:
        """Whether there is what can be kept of this version."""
        kept = self._kept.get(path)
        return (
            kept is not None
            and kept.version == version
            and (kept.file is None or kept.file.exists())
        )

    async def _keep(self, spawner: DashboardSpawner, path: Path) -> None:
        async with self._one:
            try:
                self._forget_changed(path.parent)
                version = version_of(path)
                notebook = await asyncio.to_thread(read_for_all, path, bool(spawner.ids))
                file = None if notebook is None else await _compile(spawner, path, notebook)
                self._kept[path] = Kept(version=version, file=file)
            except OSError as error:  # tried again when the next one opens it
                app_log.warning("The code of %s is not kept: %s", path, error)
            except Exception:
                app_log.exception("The code of %s is not kept", path)

    def _forget_changed(self, folder: Path) -> None:
        """Remove what is kept of notebooks of a folder that are gone, or are others by now."""
        for path, kept in list(self._kept.items()):
            if path.parent == folder and kept.version != version_of(path):
                if kept.file:
                    kept.file.unlink(missing_ok=True)
                del self._kept[path]


def notebook_at(spawner: DashboardSpawner, group: str, name: str) -> Path | None:
    """The file of a notebook: a link may lead to another one of the folder, and nowhere else."""
    if dashboard_named(f"{group}/{name}") != (group, name):
        return None
    folder = Path(spawner.notebooks).resolve() / group
    try:
        path = (folder / f"{name}.ipynb").resolve()
    except (OSError, RuntimeError):
        return None
    return path if path.parent == folder else None


def version_of(path: Path) -> Version | None:
    """The present version of a file, None where there is none."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_ino, info.st_ctime_ns, info.st_mtime_ns, info.st_size


def read_for_all(path: Path, has_accounts: bool) -> bytes | None:
    """A notebook as it is; None for one whose code is not for all who may enter its folder.

    has_accounts: servers run under accounts of their own, not under the hub's.
    """
    # Its author may just now make a link of it, to what only the hub can read, or a pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        if has_accounts and not access_lists.is_for_all(descriptor):
            return None
        notebook = file.read(LARGEST + 1)
    return notebook if len(notebook) <= LARGEST else None


async def _compile(spawner: DashboardSpawner, path: Path, notebook: bytes) -> Path | None:
    """Have it compiled; returns the file of its code, None if that cannot be."""
    place = places.of(Path(spawner.shared), path.parent, spawner.ids)
    file = place / f"code-{await asyncio.to_thread(digest_of, path.name, notebook)}"
    unfinished = place / "unfinished"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if await _run(spawner, path.name, notebook, descriptor):
            os.fchmod(descriptor, 0o444)
            unfinished.rename(file)
            return file
    finally:
        os.close(descriptor)
        unfinished.unlink(missing_ok=True)
    app_log.warning("%s could not be compiled ahead", path)
    return None


def digest_of(name: str, notebook: bytes) -> str:
    """What a notebook and its file's name are, as `dashboards.cells.digest_of` has it."""
    named = b"\0".join((_KIND_OF_CODE, MAGIC_NUMBER, os.fsencode(name), notebook))
    return hashlib.sha256(named).hexdigest()


async def _run(spawner: DashboardSpawner, name: str, notebook: bytes, descriptor: int) -> bool:
    """Run the compiler, which can do nothing but write into the file; whether it has."""
    status = await apart.run(
        *("dashboards.compiled", name),
        given=notebook,
        seconds=_PATIENCE,
        uid=spawner.unix_id(_OWNER) if spawner.ids else None,
        stdout=descriptor,
        stderr=asyncio.subprocess.DEVNULL,  # it would say what the notebook has it say
        cwd="/",
        env={},
    )
    return status == 0


notebooks: Final = CompiledNotebooks()
"""The hub's."""
