"""The template process: the warm parent that people's servers are forked from, as the hub sees it.

What runs in it is `dashboards.forks.template_process`. It starts with the hub, is started again
when it dies, and ends with the hub; the servers that came of it go on. Where it cannot be used,
servers start without it, which only takes longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil
from tornado.log import app_log

#: Names of the hub's environment that the template gets too.
_KEPT: Final = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
_ORDER: Final = 16  # characters of an order, see `dashboards.forks.forking`
_ANSWER: Final = 4096
_PATIENCE: Final = 5.0  # seconds that a fork may take
_WAIT: Final = 15.0  # seconds that a server waits for it to get ready
_START: Final = 60.0  # seconds until it must be ready
_LAST_MOMENT: Final = 0.2  # seconds from the end of its socket to its own
_PAUSES: Final = (0.0, 1.0, 5.0, 30.0, 60.0)  # seconds before it is started again, and again


class CannotFork(Exception):
    """There is no fork to be had now; the message says why."""


class Forked:
    """A server that is the template's child, with what the spawner asks of a `Popen`.

    Args:
        line: the socket to the server, until it listens.
    """

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._line = line
        self._process = psutil.Process(pid)
        self._process.create_time()  # remembered: the pid may be another's later

    def poll(self) -> int | None:
        """The exit status, None while it runs, 0 where nobody is left who could tell."""
        if self.returncode is None:
            try:
                if self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
                    return None
            except psutil.NoSuchProcess:
                pass
            self.returncode = 0
        return self.returncode

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process.kill()

    async def tell(self, order: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        """Tell it what to become; returns when it listens, or has ended.

        `environ`: only the part of the server that runs no notebook is to know it.
        """
        loop = asyncio.get_running_loop()
        with self._line:
            for part in (order, environ):
                message = json.dumps(part).encode()
                await loop.sock_sendall(self._line, len(message).to_bytes(4) + message)
            self._line.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                await loop.sock_recv(self._line, 1)

    def __enter__(self) -> Forked:
        """As Popen, which closes its pipes at the end; there are none."""
        return self

    def __exit__(self, *_: object) -> None:
        """As Popen."""


class Template:
    """One template process after another.

    Args:
        home: an empty folder, for what packages keep.
        notebooks: the folder whose folders are the audiences; what their notebooks import is
            imported before the fork.
    """

    def __init__(self, home: Path, notebooks: Path) -> None:
        self.home = home
        self.notebooks = notebooks
        self._ready = asyncio.Event()
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._forked: dict[int, Forked] = {}
        self._orders = 0
        self._failures = 0
        self._imports = True
        self._packages = 0.0

    @property
    def pid(self) -> int:
        """The process id of the template that runs now, 0 if there is none."""
        return self._process.pid if self._process else 0

    @property
    def is_ready(self) -> bool:
        """Whether servers can be forked from it."""
        return self._ready.is_set()

    def start(self) -> None:
        """Start the process. It is ready some seconds later."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        self._packages = _packages_changed()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "hub_extensions.end_with_parent", str(os.getpid())),
                    *(sys.executable, "-I", "-m", "dashboards.forks.template_process"),
                    str(theirs.fileno()),
                    *([str(self.notebooks)] if self._imports else []),
                ],
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is the hub's
            )
        ours.setblocking(False)
        self._channel = ours
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, self._hear, ours)
        loop.call_later(_START, self._check_ready, self._process)

    def _environ(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, "HOME": str(self.home)}

    def _check_ready(self, process: subprocess.Popen[bytes]) -> None:
        if process is self._process and not self._ready.is_set():
            app_log.error("The template process is not ready after %d seconds", _START)
            process.kill()  # it is started again

    async def fork(self) -> Forked:
        """A new server, that waits to be told what to become.

        Raises:
            CannotFork: now; start the server without the template.
        """
        if _packages_changed() != self._packages:
            app_log.info("Packages have changed: the template process is started anew")
            self._end()
            self._imports = True
            self.start()
        channel = await self._ready_channel()
        self._orders += 1
        number, answer = self._orders, asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            socket.send_fds(channel, [f"fork {number}".ljust(_ORDER).encode()], [theirs.fileno()])
            pid = await asyncio.wait_for(answer, _PATIENCE)
            self._failures = 0
            forked = self._forked[pid] = Forked(pid, ours)
        except TimeoutError:
            ours.close()
            self._process.kill()  # type: ignore[union-attr] # it is stuck; another will do better
            raise CannotFork("it does not answer") from None
        except (OSError, psutil.NoSuchProcess, CannotFork) as error:
            ours.close()
            raise CannotFork(str(error)) from None
        finally:
            theirs.close()
            self._waiting.pop(number, None)
        return forked

    async def _ready_channel(self) -> socket.socket:
        """It takes no longer to get ready than a server without it."""
        if not self._failures:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), _WAIT)
        if self._channel is None or not self._ready.is_set():
            raise CannotFork("it is not ready")
        return self._channel

    def _hear(self, channel: socket.socket) -> None:
        try:
            packet = channel.recv(_ANSWER)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._died(channel)
            return
        said = json.loads(packet)
        if "ready" in said:
            self._ready.set()
            app_log.info("The template process is ready")
            if said["left_out"]:
                app_log.warning("Not imported before the fork: %s", ", ".join(said["left_out"]))
        elif "ended" in said:
            if forked := self._forked.pop(said["ended"], None):
                forked.returncode = said["status"]
        elif (answer := self._waiting.get(said["order"])) and not answer.done():
            if "pid" in said:
                answer.set_result(said["pid"])
            else:
                answer.set_exception(CannotFork(said["error"]))

    def _died(self, channel: socket.socket) -> None:
        process = self._process
        self._imports = (
            self._ready.is_set()
        )  # if it never got there, that may be by what notebooks import
        self._end()
        status = None
        if process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(_LAST_MOMENT)
        app_log.error("The template process has ended (%s); servers start without it", status)
        self._start_again()

    def _end(self) -> None:
        """Let go of the process; without its channel it ends by itself, its servers go on."""
        channel, self._channel = self._channel, None
        self._ready.clear()
        if channel:
            asyncio.get_running_loop().remove_reader(channel)
            channel.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(CannotFork("it has ended"))
        self._forked.clear()

    def _start_again(self) -> None:
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        asyncio.get_running_loop().call_later(pause, self.start)


template: Template | None = None
"""The hub's, None where servers start without it."""


def start(home: Path, notebooks: Path) -> None:
    """Start the hub's template process, where the system has what it takes. See `Template`.

    Called by the configuration, so early that it gets ready while the hub itself starts. Other
    commands that read it, such as `jupyterhub token`, run no event loop and get no template.
    """
    global template
    if not (sys.platform.startswith("linux") and hasattr(os, "pidfd_open")):
        return
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        template = Template(home, notebooks)
        template.start()


def _packages_changed() -> float:
    """When a package was last added or removed."""
    places = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return max(os.stat(place).st_mtime for place in places)
