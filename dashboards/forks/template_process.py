"""`python -I -m dashboards.forks.template_process FD [FOLDER]`: the warm parent of all servers.

It has imported what dashboards are made of, and what the notebooks in FOLDER name in their import
lines, and drawn a sample of ours, so that a fork of it shows a dashboard at once. It never runs a
notebook, and knows no secret of the hub and no person.

The hub orders on the socket FD (`dashboards.forks.forking`) and writes into the socket of a fork,
once it knows the fork, two messages of JSON, each after its length in 4 bytes: who to be, `home`,
`limits` (pairs of resource and most) and `account` (`uid` and `groups`, null to stay who we are);
and the environment, for the fork's one child that may know it (`dashboards.server`). The fork
answers with one byte once it listens. Before all orders the template says `ready`, with the modules
that are `left_out`.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

from dashboards.forks.forking import ForkServer, has_threads, stay_single_threaded
from dashboards.forks.this_process import (
    be_ended_before,
    gain_no_privilege,
    hide_memory,
    set_limits,
)
from dashboards.forks.warm import prepare_forks, warm_up
from dashboards.live.page_templates import load_templates
from dashboards.server import serve_forked

_COMMAND = (sys.executable, "-I", "-m")
_OOM_SCORE = 500  # its servers' too: when memory runs out the kernel takes one, not the hub
_PATIENCE = 30  # seconds that it may take to look into the notebooks


def main(descriptor: int, folder: str = "", *left_out: str) -> None:
    """Fork on order, until the hub has gone: the servers outlive it.

    Args:
        descriptor: of the socket on which the hub orders.
        folder: of the notebooks' folders; "" to import no more than what dashboards are made of.
        left_out: modules not to import, as they start threads: with threads nothing can be forked.
    """
    be_ended_before(_OOM_SCORE)
    hide_memory()
    stay_single_threaded()
    channel = socket.socket(fileno=descriptor)
    named = _named_in(folder) if folder else []
    warm = warm_up()
    if name := import_all(name for name in named if name not in left_out):
        # Threads cannot be taken back: begin anew, without it.
        again = (
            *_COMMAND,
            "dashboards.forks.template_process",
            str(descriptor),
            folder,
            *left_out,
            name,
        )
        os.execv(sys.executable, again)
    channel.set_inheritable(False)
    load_templates()
    prepare_forks()
    channel.send(json.dumps({"ready": True, "left_out": left_out}).encode() + b"\n")
    ForkServer(channel, partial(become_server, warm), stopped=lambda: os._exit(0)).serve()


def _named_in(folder: str) -> list[str]:
    command = (*_COMMAND, "dashboards.running.imports", folder)
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
        if has_threads():
            return name
    return ""


def become_server(warm: ModuleType, line: socket.socket) -> NoReturn:
    """Turn into somebody's server. `line`: on which the hub says whose."""
    _drop_rights(json.loads(_received(line)))
    serve_forked(warm, line, lambda: json.loads(_received(line)))


def _received(line: socket.socket) -> bytes:
    """A message, and nothing of the next one. Raises EOFError where there is none."""
    length = line.recv(4, socket.MSG_WAITALL)
    text = line.recv(int.from_bytes(length), socket.MSG_WAITALL)
    if not text:
        raise EOFError("the hub has gone")
    return text


def _drop_rights(order: dict[str, Any]) -> None:
    """As the hub does with a server that is not forked, before it becomes another program."""
    os.setsid()
    os.umask(0o077)
    set_limits(order["limits"])
    if account := order["account"]:
        os.setgroups(account["groups"])
        os.setresgid(*[account["uid"]] * 3)
        os.setresuid(*[account["uid"]] * 3)
    os.chdir(order["home"])
    gain_no_privilege()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
