"""DashboardSpawner: a dashboard server for each person, as a local process.

It knows groups and folders, and nothing of who signs people in: any authenticator that gives
groups will do.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Final

import psutil
from jupyterhub.user import User
from jupyterhub.utils import random_port
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from traitlets import Bool, Dict, Float, Instance, Integer, Unicode, default
from traitlets import Callable as CallableTrait

from . import lab, server_limits, template_process
from .accounts import unix_accounts
from .accounts.account_spawner import AccountSpawner, home_name
from .folders import ADMIN, DASHBOARD_SERVERS, LAB, dashboard_in, folders_for
from .roles import READ_ACCESS
from .start_queue import StartQueue

#: Seconds that a server gets to close what it must not show any more; it kills a dashboard that has
#: not ended within two, and waits one more.
_PATIENCE: Final = 4
#: A server has nothing to answer but its status; code that took the place of one may have more.
_LONGEST_ANSWER: Final = 64 * 1024

#: What the server of the admin folder may read of the hub, beside the default `server` role.
ADMIN_SERVER_SCOPES: Final = [
    "users:activity!user",  # report its own activity (the `server` role has it too)
    "access:servers!server",  # check who opens it (the `server` role has it too)
    "list:users",  # "The hub" lists people,
    "read:users",  # with their groups and last activity,
    "list:groups",  # all groups,
    "read:groups",  # with their members,
    "read:servers",  # and the servers that run;
    READ_ACCESS,  # "Access" and "Audit" show why.
]


class NothingShared(web.HTTPError):
    """Somebody has no folder, so no server.

    `asked`: the dashboard that they came for, "" for none. Our error page offers to ask for it.
    """

    def __init__(self, address: str) -> None:
        super().__init__(403, "Nothing is shared with you yet.")
        self.asked = dashboard_in(address)


class DashboardSpawner(AccountSpawner):
    """One server per person; the admin folder runs in the named server `admin` of its own, and
    JupyterLab in the named server `lab` of those who write dashboards."""

    proc = Instance(object, allow_none=True, help="The process: a Popen, or a Forked.")
    push_key = Unicode(config=True, help="The secret from which each server's own is made.")
    state_folder = Unicode(config=True, help="Where secrets of the notebooks' folders are.")
    files_url = Unicode(config=True, help="Where scripts and styles are; its own ones without it.")
    shared_seconds = Float(120, config=True, help="Seconds that shared cells may take.")
    thumbnails = Bool(True, config=True, help="Notebooks are tried, for the pictures on cards.")
    server_environment = Dict(config=True, help="More environment for every dashboard server.")
    lab_environment = CallableTrait(
        config=True, allow_none=True, help="Says what more environment somebody's lab has."
    )
    lab_obstacle = Unicode(config=True, help="Why nobody can have a lab here, a sentence.")
    brand_for = CallableTrait(
        None,
        config=True,
        allow_none=True,
        help="Says how the pages of somebody's servers look, as environment.",
    )
    activity_seconds = Float(300, config=True, help="Seconds between a server's reports of use.")
    starts_at_once = Integer(4, config=True, help="Starts at once; others wait in line.")
    share = Instance(server_limits.Share, help="Its part of the processor.")
    #: The hub's one line.
    queue: ClassVar = StartQueue()

    @default("cpu_limit")
    def _cpu_limit_default(self) -> float:
        # More of a core than a person who moves a slider uses.
        return 0.5

    @default("share")
    def _share_default(self) -> server_limits.Share:
        return server_limits.Share(self.cpu_limit)

    @default("cmd")
    def _cmd_default(self) -> list[str]:
        # Isolated (-I): a file that a notebook left in the home must not be imported by the
        # person's next server, least of all by the one of the admin folder.
        if self.name == LAB:
            return lab.COMMAND
        return [sys.executable, "-I", "-m", "dashboards"]

    @default("env_keep")
    def _env_keep_default(self) -> list[str]:
        return ["PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH"]

    @default("server_token_scopes")
    def _server_token_scopes_default(self) -> Any:
        more = {ADMIN: ADMIN_SERVER_SCOPES, LAB: lab.SCOPES}
        return lambda spawner: more.get(spawner.name, [])

    @default("interrupt_timeout")
    def _interrupt_timeout_default(self) -> int:
        return 0

    @default("term_timeout")
    def _term_timeout_default(self) -> int:
        # Ours stop within a second: the front runs no notebook's code, and the rest is killed.
        # A lab lets each of its kernels end.
        return 10 if self.name == LAB else 3

    # -- who may start what ----------------------------------------------------------------

    def check_allowed(self) -> None:
        """Refuse a server that this person may not have.

        Raises:
            web.HTTPError: 403, with a sentence for the person.
        """
        groups = {group.name for group in self.user.groups}
        if self.name == LAB:
            lab.check_allowed(groups, self.lab_obstacle)
            return
        if self.name not in DASHBOARD_SERVERS:
            raise web.HTTPError(403, "There is no such page.")
        if self.name == ADMIN and ADMIN not in groups:
            raise web.HTTPError(403, "This is for administrators only.")
        if not folders_for(Path(self.notebooks), groups):
            raise NothingShared(self.handler.get_argument("next", "") if self.handler else "")

    async def run_auth_state_hook(self, auth_state: Any) -> None:
        """Called by JupyterHub before its page of a start, and first of all in the task of the
        start: that waits in line. What comes later has a time limit, which must not count the line.
        """
        self.check_allowed()
        if self.pending == "spawn":
            self._was_stopped = False
            self.queue.most = self.starts_at_once
            others = (spawner for spawner in self.user.spawners.values() if spawner is not self)
            await self.queue.turn(self, is_further=any(other.active for other in others))
            self._check_wanted(self.api_token)
        await super().run_auth_state_hook(auth_state)

    # -- its place in line ------------------------------------------------------------------

    @property
    def place(self) -> int:
        """The place in line, 0 for none."""
        return self.queue.place(self)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What the page that waits is told; JupyterHub ends it with the start."""
        async for place in self.queue.places(self):
            words = f"You are number {place} in line." if place else "Starting"
            yield {"progress": 0 if place else 50, "message": words, "place": place}

    # -- what the server is told -------------------------------------------------------------

    expected: Callable[[], dict[str, Any] | None] | None = None
    """Says for which request the server is started, if it is for a dashboard; asked once, as the
    process is started, see `dashboards.web.expected`."""

    groups_told: frozenset[str] | None = None
    """The groups of its owner that the server was told as it was started, None: none."""

    @property
    def server_key(self) -> str:
        """By this the server knows the hub. A restarted hub can make it again."""
        whose = f"{self.number}/{self.name}".encode()
        return hmac.new(self.push_key.encode(), whose, "sha256").hexdigest()

    @property
    def cookie_secret(self) -> bytes:
        """What the server signs its cookies with, `Settings.cookie_secret` there."""
        return hmac.digest(self.server_key.encode(), b"cookies", "sha256")

    async def tell_groups(self, groups: Collection[str], *, ended: bool = False) -> bool:
        """Tell the server which groups its owner has; it closes what they no longer open.

        Args:
            ended: the person has been signed out.

        Returns False when it has not done so within a few seconds.
        """
        if self.name == LAB and not ended:  # it shows no folder, and is ended with the right to it
            return True
        return await self.tell("groups", {"groups": sorted(groups), "ended": ended})

    async def tell(self, address: str, told: dict[str, Any]) -> bool:
        """Say something to the server, at one of its addresses that are for the hub alone.

        Returns False when it has not answered well within a few seconds.
        """
        request = HTTPRequest(
            f"{self.server.url}{address}",
            method="PUT",
            headers={"Authorization": f"Bearer {self.server_key}"},
            body=json.dumps(told),
            connect_timeout=_PATIENCE,
            request_timeout=_PATIENCE,
            follow_redirects=False,
            decompress_response=False,
        )
        client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=_LONGEST_ANSWER)
        try:
            await client.fetch(request)
        except (HTTPClientError, OSError) as error:
            self.log.info("%s did not take over its %s: %s", self._log_name, address, error)
            return False
        finally:
            client.close()
        return True

    # -- the process -----------------------------------------------------------------------

    async def start(self) -> tuple[str, int]:
        """Start the server's process."""
        self.check_allowed()
        server_limits.killed.discard(self.home.name)
        token = self.api_token
        async with self._start_lock:
            self._kill_lost()
            address = await super().start()
            self.remember_process()
            try:
                self._check_wanted(token)
            except web.HTTPError:
                self._kill_lost()
                raise
        return address

    _start_lock = Instance(asyncio.Lock, ())
    """JupyterHub starts anew before a start that was stopped has come to its end."""

    _was_stopped = False

    def run_post_stop_hook(self) -> Any:
        """Called by JupyterHub at the end of each stop, of a start that is under way too."""
        self._was_stopped = True
        return super().run_post_stop_hook()

    def _check_wanted(self, token: str) -> None:
        """End a start that was stopped before it had a process: JupyterHub found nothing to end,
        and would know nothing of the process that comes.

        Args:
            token: what the server was given by this start.

        Raises:
            web.HTTPError: 503, it was stopped.
        """
        if self._was_stopped or self._stop_pending or token != self.api_token:
            raise web.HTTPError(503, "It was stopped while it started.")

    def _kill_lost(self) -> None:
        """End the process of such a start, if it has come to one."""
        process: Any = self.proc
        if process is not None and process.poll() is None:
            process.kill()

    async def start_process(self) -> tuple[str, int]:
        """Fork the server from the template process, or start a fresh Python."""
        is_lab = self.name == LAB
        if is_lab or template_process.template is None or self.cmd != self._cmd_default():
            return await super().start_process()
        if not self.port:
            self.port = random_port()
        unix_accounts.make_home(self.home, self.account.uid if self.account else None)
        order = {
            "home": str(self.home),
            "limits": list(self.limits.items()),
            "account": asdict(self.account) if self.account else None,
        }
        try:
            self.proc = await template_process.template.fork()
        except template_process.CannotFork as reason:
            self.log.info("%s starts without the template process: %s", self._log_name, reason)
            return await super().start_process()
        self.pid = self.proc.pid
        self.open_folders()  # what was taken since: the template may not have answered at once
        await self.proc.tell(order, self.get_env())
        return self.ip or "127.0.0.1", self.port

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """A server's environment, beside JupyterHub's own names."""
        ask, self.expected, self.groups_told = self.expected, None, None
        if ask and (expected := ask()):
            self.groups_told = frozenset(expected["known"]["groups"])
            env |= {"ATRIUM_EXPECTED": json.dumps(expected)}
        env |= {"HOME": str(self.home)}
        env |= {"ATRIUM_PUSH_KEY": self.server_key, "ATRIUM_FILES_URL": self.files_url}
        env |= {"JUPYTERHUB_ACTIVITY_INTERVAL": f"{self.activity_seconds:.0f}"}
        env |= self.brand_for(self.user) if self.brand_for else {}
        env |= self.server_environment
        if self.name == LAB:
            return env | (self.lab_environment(self.user) if self.lab_environment else {})
        env |= {"ATRIUM_NOTEBOOKS": self.notebooks, "ATRIUM_SHARED": self.shared}
        env |= {"ATRIUM_LAB": "" if self.lab_obstacle else "yes"}
        return env

    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """Servers listen on loopback, without certificates."""
        return paths

    # -- its end ---------------------------------------------------------------------------

    async def poll(self) -> int | None:
        """As JupyterHub's, every few seconds; notes a server that the hub has not ended."""
        # How a server of an earlier hub has ended nobody is told.
        is_unexplained = self.proc is None and self._was_running
        status = await super().poll()
        self._was_running = status is None
        if status is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                self.share.look(psutil.Process(self.pid))
        elif (status == -signal.SIGKILL or is_unexplained) and not self._stop_pending:
            server_limits.killed.add(self.home.name)
            self.log.error("%s was killed, most likely for want of memory", self._log_name)
        return status

    _was_running = False

    def clear_state(self) -> None:
        """Called when the process is gone."""
        super().clear_state()
        self._was_running = False


def killed_servers(user: User | None) -> set[str]:
    """Those of somebody's servers that ended without the hub, and have not started again."""
    names = ("", ADMIN, LAB) if user else ()
    return {name for name in names if home_name(user, name) in server_limits.killed}
