"""`python -I -m dashboards.fork_server FD [FOLDER]`: the warm parent that servers are forked from.

It has imported what dashboards are made of, and what the notebooks in FOLDER name in their import
lines, and drawn a sample of ours, so that a fork of it shows a dashboard at once. It never runs a
notebook, and knows no secret of the hub and no person.

The hub orders on the socket FD: an order is a number, and the end of a socket that only the fork
reads, or the next one would find a stranger's token in its memory. The hub writes into it once it
knows the fork, as JSON: `environ`, `home`, `limits` (pairs of resource and most), `account` (`uid`
and `groups`, null to stay who we are); the fork answers with one byte once it listens.

Answers on FD are JSON, one to a packet: `ready`, with the modules that are `left_out`; `order` with
`pid` or `error`; `ended` (a pid) with `status`, as subprocess tells it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import multiprocessing
import os
import resource
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from tornado import netutil

from dashboards.immortal import immortalize
from dashboards.server import hide_memory, run
from dashboards.site import load_templates
from dashboards.warm import warm_up

_PR_SET_NO_NEW_PRIVS = 38
_TASKS = Path("/proc/self/task")
_COMMAND = (sys.executable, "-I", "-m")
_OOM = Path("/proc/self/oom_score_adj")
_OOM_SCORE = "500"  # its servers' too: when memory runs out the kernel takes one, not the hub
_PATIENCE = 30  # seconds that it may take to look into the notebooks


def main(descriptor: int, folder: str = "", *left_out: str) -> None:
    """Fork on order, until the hub has gone: the servers outlive it.

    Args:
        descriptor: of the socket on which the hub orders.
        folder: of the notebooks' folders; "" to import no more than what dashboards are made of.
        left_out: modules not to import, as they start threads: with threads nothing can be forked.
    """
    with contextlib.suppress(OSError):
        _OOM.write_text(_OOM_SCORE)
    hide_memory()
    channel = socket.socket(fileno=descriptor)
    named = _named_in(folder) if folder else []
    warm = warm_up()
    if name := import_all(name for name in named if name not in left_out):
        # Threads cannot be taken back: begin anew, without it.
        again = (*_COMMAND, "dashboards.fork_server", str(descriptor), folder, *left_out, name)
        os.execv(sys.executable, again)
    channel.set_inheritable(False)
    load_templates()
    importlib.import_module("dashboards.sample").draw()
    gc.collect()
    immortalize()
    gc.freeze()
    channel.send(json.dumps({"ready": True, "left_out": left_out}).encode())
    ForkServer(channel, warm).serve()


def _named_in(folder: str) -> list[str]:
    command = (*_COMMAND, "dashboards.imports", folder)
    try:
        asked = subprocess.run(command, stdout=subprocess.PIPE, timeout=_PATIENCE, check=True)
        return json.loads(asked.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"The notebooks' import lines could not be read: {error}\n")
        return []


def import_all(names: Iterable[str]) -> str:
    """Import the modules; returns the first that leaves a thread, "" if none does."""
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:  # one package's trouble must not be everybody's
            sys.stderr.write(f"{name}, which a notebook imports, cannot be: {error!r}\n")
        if _has_threads():
            return name
    return ""


def _has_threads() -> bool:
    return len(os.listdir(_TASKS)) > 1


class ForkServer:
    """Answers orders, and tells how servers have ended.

    Args:
        warm: what `warm_up()` returned.
    """

    def __init__(self, channel: socket.socket, warm: ModuleType) -> None:
        self.channel = channel
        self.warm = warm
        self._ears = selectors.DefaultSelector()
        self._ears.register(channel, selectors.EVENT_READ)

    def serve(self) -> None:
        """Return when the hub has gone."""
        while True:
            for key, _ in self._ears.select():
                if key.fileobj is not self.channel:
                    self._tell_end(key)
                    continue
                packet, descriptors, _, _ = socket.recv_fds(self.channel, 100, 1)
                if not packet:
                    return
                self._answer(int(packet), descriptors[0])

    def _answer(self, number: int, order: int) -> None:
        try:
            if _has_threads():  # a lock that one of them holds would be held for good
                raise OSError("there are threads")
            pid = os.fork()
            if not pid:
                self._become_server(order)
            self._ears.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
        except OSError as error:
            self._say(order=number, error=str(error))
        else:
            self._say(order=number, pid=pid)
        finally:
            os.close(order)

    def _tell_end(self, key: selectors.SelectorKey) -> None:
        self._ears.unregister(key.fd)
        os.close(key.fd)
        status = os.waitstatus_to_exitcode(os.waitpid(key.data, 0)[1])
        self._say(ended=key.data, status=status)

    def _say(self, **what: Any) -> None:
        self.channel.send(json.dumps(what).encode())

    def _become_server(self, order: int) -> NoReturn:
        """Never returns: what failed here must not go on as the parent, with its rights."""
        try:
            inherited = [key.fd for key in self._ears.get_map().values()]
            self._ears.close()
            self.channel.detach()
            for descriptor in inherited:
                os.close(descriptor)
            line = socket.socket(fileno=order)
            with line.makefile(encoding="utf-8") as file:
                wanted = json.load(file)
            _drop_rights(wanted)
            kept = {"MPLBACKEND": os.environ["MPLBACKEND"]}  # `warm_up` has set it
            os.environ.clear()
            os.environ.update(wanted.pop("environ") | kept)
            time.tzset()
            _be_unlike_siblings()
            run(self.warm, line)
        except BaseException as error:
            sys.stderr.write(f"A server could not be made of a fork: {error!r}\n")
            sys.stderr.flush()
        finally:
            os._exit(1)


def _drop_rights(order: dict[str, Any]) -> None:
    """As the hub does with a server that is not forked, before it becomes another program."""
    os.setsid()
    os.umask(0o077)
    for kind, most in order["limits"]:
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    if account := order["account"]:
        os.setgroups(account["groups"])
        os.setresgid(*[account["uid"]] * 3)
        os.setresuid(*[account["uid"]] * 3)
    os.chdir(order["home"])
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _be_unlike_siblings() -> None:
    """Renew what was made by chance before the fork. `random` and OpenSSL see to theirs."""
    multiprocessing.current_process().authkey = os.urandom(32)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    for defaults in (netutil._client_ssl_defaults, netutil._server_ssl_defaults):
        defaults.cache_clear()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
