"""Processes that run a folder's notebooks for nobody, or for all its viewers alike.

Each has an account of its own, where servers have such, which can read the folder and nothing else.
It gives back what it writes into one open file of the hub's, and leaves nothing running.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import folder_secrets
from ..spawner import DashboardSpawner
from . import apart, unix_accounts


@dataclass(frozen=True, kw_only=True)
class FolderProcess:
    """One at a time for each purpose and folder.

    Attributes:
        spawner: of anybody's server; it knows the limits and the accounts.
        purpose: names the account and its home, with the folder.
    """

    spawner: DashboardSpawner
    folder: str
    purpose: str

    @property
    def _owner(self) -> str:
        return f"{self.purpose} {self.folder}"

    @property
    def home(self) -> Path:
        """Its home, which stays."""
        return Path(self.spawner.homes) / self._owner

    @property
    def environment(self) -> dict[str, str]:
        """Its environment: nothing of the hub's."""
        kept = {name: os.environ[name] for name in self.spawner.env_keep if name in os.environ}
        own = {"HOME": str(self.home), "MPLBACKEND": "agg"}
        return kept | self.spawner.server_environment | own

    async def run(
        self,
        module: str,
        order: Mapping[str, Any],
        *,
        file: int,
        last_moment: float,
        after: bytes = b"",
        **options: Any,
    ) -> int | None:
        """Run a module of the dashboards'.

        Args:
            order: what it is to do, which it reads as a line of JSON, with the open `file`, the
                `seconds` that a notebook may take, the folder's `secrets` and the `limits`.
            file: a descriptor, all that it can write.
            last_moment: seconds that it gets beyond those of the notebook.
            after: what it reads behind the order.
            options: as `apart.run` takes them.

        Returns as `apart.run`.

        Raises:
            SecretsError: the folder's secrets cannot be used.
            web.HTTPError: 503, no account is left.
            OSError: it cannot be started.
        """
        spawner, seconds = self.spawner, self.spawner.shared_seconds
        secrets = folder_secrets.of(Path(spawner.state_folder), self.folder)
        uid = spawner.unix_id(self._owner) if spawner.ids else None
        unix_accounts.make_home(self.home, uid)
        limits = list(self._limits(uid).items())
        more = {"file": file, "seconds": seconds, "secrets": secrets, "limits": limits}
        return await apart.run(
            module,
            given=json.dumps({**order, **more}).encode() + b"\n" + after,
            seconds=seconds + last_moment,
            uid=uid,
            groups=[spawner.folder_id(self.folder)] if uid is not None else [],
            pass_fds=[file],
            cwd=self.home,
            umask=0o077,
            **{"env": self.environment, **options},
        )

    def _limits(self, uid: int | None) -> dict[int, int]:
        """What it can use up of each resource, under this account (None: the hub's)."""
        most = {**unix_accounts.LIMITS, resource.RLIMIT_CORE: 0}
        if uid is None:  # of an account that has other processes too
            del most[resource.RLIMIT_NPROC]
        if self.spawner.mem_limit:
            most[resource.RLIMIT_DATA] = self.spawner.mem_limit
        # The hub's database may be on the same disk.
        free = shutil.disk_usage(Path(self.spawner.shared).parent).free
        most[resource.RLIMIT_FSIZE] = min(most[resource.RLIMIT_FSIZE], free // 2)
        return most
