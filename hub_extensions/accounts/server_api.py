"""What dashboard servers ask the hub because, from an account of their own, they cannot see it.

`GET /hub/api/memory`: how much each server uses. `GET /hub/api/admin-dashboards`: the cards of
the admin folder, for the gallery of somebody in `admin`: it runs other folders' code, which must
not read that folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil
from tornado import web

from ..api_handlers import ReadsAccess
from ..folders import ADMIN
from ..own_server import OwnServerHandler
from ..server_limits import family_of
from . import access_lists
from .account_spawner import AccountSpawner

_PATIENCE: Final = 10


class MemoryHandler(ReadsAccess):
    """Megabytes by the address of a server."""

    async def get(self) -> None:
        pids = {
            user.server_url(name): spawner.pid
            for user in self.users.values()
            for name, spawner in user.spawners.items()
            if spawner.ready and isinstance(spawner, AccountSpawner)
        }
        # The kernel looks through all pages of a process, which takes milliseconds.
        used = await asyncio.to_thread(lambda: {url: _megabytes(pid) for url, pid in pids.items()})
        self.finish(json.dumps(used))


class AdminDashboardsHandler(OwnServerHandler):
    """Name, title, description and age of each notebook of the admin folder."""

    async def get(self) -> None:
        user = self.owner
        spawner = user.spawners[""]
        if ADMIN not in {group.name for group in user.groups} or not spawner.ids:
            raise web.HTTPError(404)
        self.finish(await asyncio.to_thread(_describe, *_reader(spawner)))


def _reader(spawner: AccountSpawner) -> tuple[Path, int]:
    """The admin folder, and an account that can read it and nothing else."""
    folder = Path(spawner.notebooks) / ADMIN
    uid = spawner.unix_id("reader of admin cards")
    try:
        access_lists.guard(folder, {access_lists.user(uid): access_lists.READ})
    except OSError:
        raise web.HTTPError(404) from None
    return folder, uid


def _describe(folder: Path, uid: int) -> bytes:
    """Reading a notebook is for code of the dashboards, and for no account that has secrets."""
    return subprocess.run(
        [sys.executable, "-I", "-m", "dashboards.describe", str(folder)],
        user=uid,
        group=uid,
        extra_groups=[],
        env={},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=_PATIENCE,
        check=True,
    ).stdout


def _megabytes(pid: int) -> float:
    """What a process and those that came from it use."""
    used = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for member in family_of(psutil.Process(pid)):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                used += _bytes_of(member)
    return used / 1024 / 1024


def _bytes_of(process: psutil.Process) -> int:
    """What a process uses; what it shares with others is counted by its part.

    Where only root can see that, what it has more than the process that it was forked from: all of
    it would count the shared memory once for each process.
    """
    try:
        return process.memory_full_info().pss
    except (psutil.AccessDenied, AttributeError):  # hidden, or not Linux
        parent, own = process.parent(), process.memory_info().rss
        if parent is None or parent.cmdline() != process.cmdline():
            return own
        return max(own - parent.memory_info().rss, 0)


handlers: Final = [
    (r"/api/memory", MemoryHandler),
    (r"/api/admin-dashboards", AdminDashboardsHandler),
]
