"""Has the notebooks' code compiled when the hub starts, and when notebooks have changed.

`dashboards.compiled` does it, in a process of its own. Where it cannot, or has not yet, the process
of each dashboard compiles for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Final

from tornado.log import app_log

from .folders import audiences
from .shared_places import places

_CODE: Final = "code"  # as `dashboards.compiled` names it
_LOOK: Final = 5.0  # seconds between two looks whether a notebook has changed
_PATIENCE: Final = 120.0  # seconds that compiling them all may take

#: Of each notebook, what changes when it does.
Versions = frozenset[tuple[str, int, int, int]]


class CompiledNotebooks:
    """Follows the notebooks.

    Args:
        shared: see `SharedPlaces.of`, as `has_accounts`.
        notebooks: the folder whose folders are the audiences.
    """

    def __init__(self, shared: Path, notebooks: Path, has_accounts: bool) -> None:
        self.shared = shared
        self.notebooks = notebooks
        self.has_accounts = has_accounts

    async def follow(self) -> None:
        """Go on until cancelled."""
        known: Versions | None = None
        while True:
            found = await asyncio.to_thread(_versions, self.notebooks)
            if found != known:
                known = found
                try:
                    self._make_places()
                    await self._compile()
                except OSError as error:
                    app_log.warning("The notebooks' code is not kept: %s", error)
            await asyncio.sleep(_LOOK)

    def _make_places(self) -> None:
        for folder in audiences(self.notebooks):
            code = places.of(self.shared, folder, self.has_accounts) / _CODE
            code.mkdir(exist_ok=True)
            code.chmod(0o755)  # who may enter the place may read it

    async def _compile(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "hub_extensions.end_with_parent", str(os.getpid())),
            *(sys.executable, "-I", "-m", "dashboards.compiled"),
            *(str(self.notebooks), str(self.shared)),
            stdin=asyncio.subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )
        try:
            status = await asyncio.wait_for(process.wait(), _PATIENCE)
        except TimeoutError:
            status = "it takes too long"
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if status:
            app_log.warning("The notebooks' code is not kept: %s", status)


def _versions(notebooks: Path) -> Versions:
    found: set[tuple[str, int, int, int]] = set()
    for folder in audiences(notebooks):
        for path in folder.glob("*.ipynb"):
            with contextlib.suppress(OSError):
                info = path.stat()
                found.add((str(path), info.st_mtime_ns, info.st_size, info.st_mode))
    return frozenset(found)


_following: asyncio.Task[None] | None = None


def start(shared: Path, notebooks: Path, has_accounts: bool) -> None:
    """Follow the notebooks as long as the hub runs. See `CompiledNotebooks`.

    Called by the configuration; other commands that read it run no event loop, and follow nothing.
    """
    global _following
    with contextlib.suppress(RuntimeError):
        loop = asyncio.get_running_loop()
        _following = loop.create_task(CompiledNotebooks(shared, notebooks, has_accounts).follow())
