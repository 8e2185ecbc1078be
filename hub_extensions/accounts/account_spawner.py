"""AccountSpawner: local processes, each under a Unix account of its own where the hub can give one.

Which folders of notebooks a server can read follows the groups of its person while it runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from jupyterhub.user import User
from tornado import web
from traitlets import Dict, Integer, List, Unicode, default

from ..folders import audiences, readable_for
from ..lasting_spawner import LastingSpawner
from ..server_limits import be_ended_first
from . import access_lists, unix_accounts
from .unix_accounts import Account

_PR_SET_NO_NEW_PRIVS: Final = 38


def home_name(user: User, server: str) -> str:
    """Names somebody's server, the default one by "", and its home for good.

    SQLite uses the number of a deleted person again, hence the moment of the record's birth.
    """
    born = user.created.strftime("%Y%m%d%H%M%S%f")
    return "-".join(filter(None, (f"{user.id}-{born}", server)))


class AccountSpawner(LastingSpawner):
    """Without `unix_ids` its servers run under the hub's account."""

    notebooks = Unicode(config=True, help="The folder whose folders are the audiences.")
    homes = Unicode(config=True, help="The folder under which every person gets a home.")
    shared = Unicode(config=True, help="The folder of what is shared, see `shared_places`.")
    unix_ids = List(
        Integer(),
        config=True,
        help="First and last Unix id that servers get; none: they run under the hub's account.",
    )
    _folder_ids = Dict(help="Unix ids of folders, once they are known.")
    #: Under what the server runs; None: under the hub's account.
    account: Account | None = None

    @default("mem_limit")
    def _mem_limit_default(self) -> str:
        # Of data, not of what is resident: room for the buffers of numpy's threads.
        return "4G"

    @default("popen_kwargs")
    def _popen_kwargs_default(self) -> dict[str, Any]:
        # What somebody types at the hub's terminal is not for notebooks to read.
        return {"stdin": subprocess.DEVNULL}

    @property
    def home(self) -> Path:
        """The server's home: named by an internal number, never by an address."""
        return Path(self.homes) / home_name(self.user, self.name)

    @property
    def number(self) -> str:
        """Names the person for good."""
        return home_name(self.user, "")

    async def start(self) -> tuple[str, int]:
        """Start the server's process, under its account."""
        if self.ids:
            self._open_account()
        return await self.start_process()

    async def start_process(self) -> tuple[str, int]:
        """Start a program of its own, in the account."""
        return await super().start()

    @property
    def limits(self) -> dict[int, int]:
        """What the server can use up of each resource (setrlimit(2))."""
        most = {resource.RLIMIT_CORE: 0}
        if self.account:
            most |= unix_accounts.LIMITS
        if self.mem_limit:
            most[resource.RLIMIT_DATA] = self.mem_limit
        return most

    def make_preexec_fn(self, name: str) -> Any:
        """Runs in the child: it can gain no privilege, and its files are its own."""
        home, account, limits = self.home, self.account, self.limits
        unix_accounts.make_home(home, account.uid if account else None)
        libc = ctypes.CDLL(None, use_errno=True)

        def preexec() -> None:
            os.umask(0o077)
            be_ended_first()
            unix_accounts.set_limits(limits)
            if account:
                unix_accounts.become(account)
            os.chdir(home)
            if sys.platform == "linux":
                libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

        return preexec

    @property
    def ids(self) -> range:
        """The Unix ids that servers get; empty where they run under the hub's account."""
        return range(self.unix_ids[0], self.unix_ids[1] + 1) if self.unix_ids else range(0)

    def unix_id(self, owner: str) -> int:
        """The Unix id of a server or a folder.

        Raises:
            web.HTTPError: 503, none is left.
        """
        try:
            return unix_accounts.id_of(self.db, owner, self.ids, Path(self.homes))
        except unix_accounts.NoIdLeft:
            self.log.error("ATRIUM_UNIX_UIDS has no id left for the %s", owner)
            raise web.HTTPError(503, "There is no room for one more here.") from None

    def _open_account(self) -> None:
        unix_accounts.create_table(self.db)
        uid = self.unix_id(f"server {self.home.name}")
        unix_accounts.end_all(uid)
        readable = self.readable()
        self.account = Account(uid=uid, groups=tuple(map(self.folder_id, sorted(readable))))
        self.open_folders()

    def _close_account(self) -> None:
        account, self.account = self.account, None
        if account:
            unix_accounts.end_all(account.uid)
            for folder in audiences(Path(self.notebooks)):
                for place in self._places(folder):
                    self._guard(place, {access_lists.user(account.uid): None}, range(0))

    def open_folders(self) -> None:
        """Let the server read the folders that its person may see now, and no other.

        A process keeps the groups that it started with, so what has changed since, folders that
        came included, stands in the folders' lists. Call it once a membership has changed.
        """
        if not self.account:
            return
        readable, folders = self.readable(), audiences(Path(self.notebooks))
        self._remove_places_but(folders)
        for folder in folders:
            may = folder.name in readable
            change = access_lists.READ if may else access_lists.NOTHING
            wanted: dict[access_lists.Who, int | None]
            try:
                gid = self.folder_id(folder.name)
            except web.HTTPError:  # no id is left, which the log says; the others must not wait
                wanted = {access_lists.user(self.account.uid): change}
            else:
                could = gid in self.account.groups
                wanted = {
                    access_lists.group(gid): access_lists.READ,
                    access_lists.user(self.account.uid): None if may == could else change,
                }
            for place in self._places(folder):
                self._guard(place, wanted, self.ids)

    def _places(self, folder: Path) -> list[Path]:
        """A folder of notebooks, and that of what its viewers share."""
        left = Path(self.shared) / folder.name
        return [folder, left] if self.shared and left.is_dir() else [folder]

    def _remove_places_but(self, folders: Collection[Path]) -> None:
        """Remove what is shared of folders that are gone: nobody says any more who may read it."""
        names = {folder.name for folder in folders}
        with contextlib.suppress(OSError):
            for place in os.scandir(self.shared) if self.shared else ():
                if place.name not in names:
                    shutil.rmtree(place.path, ignore_errors=True)

    def readable(self) -> set[str]:
        """The folders that this server may read now."""
        groups = [group.name for group in self.user.groups]
        return readable_for(Path(self.notebooks), groups, self.name)

    def folder_id(self, name: str) -> int:
        """The Unix id of the group of those who may read a folder. Raises as `unix_id`."""
        if name not in self._folder_ids:
            self._folder_ids[name] = self.unix_id(f"folder {name}")
        return self._folder_ids[name]

    def _guard(
        self, folder: Path, wanted: Mapping[access_lists.Who, int | None], ours: range
    ) -> None:
        try:
            access_lists.guard(folder, wanted, ours)
        except OSError as error:
            self.log.error("The rights of %s cannot be set: %s", folder, error.strerror)

    async def poll(self) -> int | None:
        """As JupyterHub's; called every few seconds while the server runs."""
        status = await super().poll()
        if status is None:
            with contextlib.suppress(web.HTTPError):  # no id is left, which the log says
                self.open_folders()
        return status

    def clear_state(self) -> None:
        """Called when the process is gone."""
        super().clear_state()
        self._close_account()

    def get_state(self) -> dict[str, Any]:
        """Its account too: a process keeps the groups that it started with."""
        state = super().get_state()
        if self.account:
            state |= {"uid": self.account.uid, "gids": self.account.groups}
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Find the account of an earlier run of the hub again."""
        super().load_state(state)
        if "uid" in state and self.ids:
            self.account = Account(uid=state["uid"], groups=tuple(state["gids"]))
