"""What dashboard servers ask the hub because, from an account of their own, they cannot see it.

`GET /hub/api/memory`: how much each server uses. `GET /hub/api/admin-dashboards`: the cards of
the admin folder, for the gallery of somebody in `admin`: it runs other folders' code, which must
not read that folder.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.user import User
from tornado import web

from ..claims_api import is_own_server
from ..folders import ADMIN
from ..roles import READ_ACCESS
from ..server_limits import family_of
from . import access_lists
from .account_spawner import AccountSpawner

_PATIENCE: Final = 10


class MemoryHandler(APIHandler):
    """Megabytes by the address of a server, for whom the hub tells such things."""

    def get(self) -> None:
        if READ_ACCESS not in self.expanded_scopes:
            raise web.HTTPError(403)
        used = {
            user.server_url(name): _megabytes(spawner.pid)
            for user in self.users.values()
            for name, spawner in user.spawners.items()
            if spawner.ready and isinstance(spawner, AccountSpawner)
        }
        self.finish(json.dumps(used))


class AdminDashboardsHandler(APIHandler):
    """Name, title, description and age of each notebook of the admin folder."""

    async def get(self) -> None:
        user = self.current_user
        if not isinstance(user, User) or not is_own_server(self, user):
            raise web.HTTPError(403)
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
    try:
        family = family_of(psutil.Process(pid))
    except psutil.Error:
        return 0
    used = 0.0
    for member in family:
        try:
            used += member.memory_info().rss / 1024 / 1024
        except psutil.Error:
            continue
    return used


handlers: Final = [
    (r"/api/memory", MemoryHandler),
    (r"/api/admin-dashboards", AdminDashboardsHandler),
]
