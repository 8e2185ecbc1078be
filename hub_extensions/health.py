"""`GET /hub/api/health-report`: how the hub and its machine are doing, for the admin dashboards.

JupyterHub's own `/hub/api/health` tells everybody that the hub answers; this tells admins the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy.engine import Engine

from . import server_limits, template_process
from .api_handlers import ReadsAccess
from .folders import DASHBOARD_SERVERS
from .server_limits import family_of
from .signing_in import sessions
from .spawner import DashboardSpawner
from .usage import failures

_STARTED: Final = time.time()
#: The newest failures that are told; a reference is looked up among all that are kept.
_MOST: Final = 200
_LONGEST_REFERENCE: Final = 32
#: Of a dashboard server: the one that forks, and the front.
_WITHOUT_DASHBOARDS: Final = 2


class HealthHandler(ReadsAccess):
    """Answers, sizes in bytes and times in seconds:

        {"up": 3600.5, "signed_in": 12,
         "servers": {"ready": 9, "labs": 2, "starting": 1, "killed": 0, "open_dashboards": 14},
         "queue": {"waiting": 0, "starting": 1, "at_once": 4},
         "provider": {"notice": "" or a sentence, "away": null or 12.5, "promised": 30.0},
         "template": {"state": "ready", "starting" or "off", "memory": 250000000 or null},
         "database": {"kind": "sqlite", "size": 300000 or null},
         "disk": [{"of": ["state", "notebooks"], "free": ..., "size": ...}],
         "machine": {"memory": ..., "available": ..., "load": 0.7, "cores": 2},
         "failures": [{"at": "2026-01-31T12:00:00Z", "user": ..., "group": ..., "dashboard": ...,
                       "reference": "1a2b3c4d", "cause": one of `failures.CAUSES`}]}

    `ready` are servers of dashboards; labs that are ready are counted beside them. `failures` are
    what went wrong in dashboards, when they were opened or later, the newest first; with
    `?reference=` those of that reference, as a viewer was shown it.
    """

    async def get(self) -> None:
        """Answer as the class says."""
        reference = self.get_query_argument("reference", "")[:_LONGEST_REFERENCE]
        spawners = [
            spawner
            for user in list(self.users.values())
            for spawner in user.spawners.values()
            if isinstance(spawner, DashboardSpawner)
        ]
        ready = [spawner for spawner in spawners if spawner.ready]
        pids = [spawner.pid for spawner in ready if spawner.name in DASHBOARD_SERVERS]
        provider = self.authenticator.follower.provider
        away = provider.away_since
        report = {
            "up": time.time() - _STARTED,
            "signed_in": sessions.count(self.db),
            "servers": {
                "ready": len(pids),
                "labs": len(ready) - len(pids),
                "starting": sum(spawner.pending == "spawn" for spawner in spawners),
                "killed": len(server_limits.killed),
            },
            "queue": DashboardSpawner.queue.counts | {"at_once": DashboardSpawner.queue.most},
            "provider": {
                "notice": self.authenticator.follower.notice,
                "away": None if away is None else time.monotonic() - away,
                "promised": provider.seconds,
            },
            "failures": failures.newest(self.db, _MOST, reference),
        }
        folders = {
            "state": Path(self.authenticator.state_folder),
            "notebooks": Path(self.config.DashboardSpawner.notebooks),
        }
        engine: Any = self.db.get_bind()
        # Disks may be slow, and a process's children are many files.
        machine, report["servers"]["open_dashboards"] = await asyncio.to_thread(
            lambda: (_machine(engine, folders), sum(map(_open_dashboards, pids)))
        )
        self.finish(json.dumps(report | machine))


def _machine(engine: Engine, folders: dict[str, Path]) -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {
        "template": _template(),
        "database": {"kind": engine.dialect.name, "size": _size(engine)},
        "disk": list(_disks(folders)),
        "machine": {
            "memory": memory.total,
            "available": memory.available,
            "load": os.getloadavg()[0],
            "cores": os.cpu_count(),
        },
    }


def _template() -> dict[str, Any]:
    template = template_process.template
    if template is None:
        return {"state": "off", "memory": None}
    used = None
    with contextlib.suppress(psutil.Error):
        used = psutil.Process(template.pid).memory_info().rss
    return {"state": "ready" if template.is_ready else "starting", "memory": used}


def _size(engine: Engine) -> int | None:
    """Of a database that is a file, with what SQLite keeps beside it."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name:
        return None
    files = (Path(f"{name}{end}") for end in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _disks(folders: dict[str, Path]) -> Iterable[dict[str, Any]]:
    """Each disk once, with what lies on it."""
    disks: dict[int, list[str]] = {}
    for name, folder in folders.items():
        with contextlib.suppress(OSError):
            disks.setdefault(folder.stat().st_dev, []).append(name)
    for names in disks.values():
        with contextlib.suppress(OSError):
            found = shutil.disk_usage(folders[names[0]])
            yield {"of": names, "free": found.free, "size": found.total}


def _open_dashboards(pid: int) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        return max(len(family_of(psutil.Process(pid))) - _WITHOUT_DASHBOARDS, 0)
    return 0


handlers: Final = [(r"/api/health-report", HealthHandler)]
