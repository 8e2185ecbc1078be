"""The processes of a person's server.

The one that the hub starts knows nothing of its person. It has a child, the front
(`dashboards.web.front`), which gets the environment with the hub's tokens and talks to the hub and
to browsers; and on the front's order it forks a child for every dashboard that is open
(`dashboards.live.session_process`), where the notebook runs. So a notebook finds no token of the
hub in its memory, and one that computes, or is killed, holds up nobody else. They all end with
their parent.

`python -I -m dashboards.server FD PID`: what a server becomes that is not forked from the template,
once it has its front, whose process id is PID and whose orders come on FD.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import NoReturn

from dashboards.forks.forking import ForkServer, stay_single_threaded
from dashboards.forks.this_process import (
    adopt_orphans,
    end_all_but,
    end_with_parent,
    hide_memory,
    leave,
)
from dashboards.forks.warm import prepare_forks, warm_up
from dashboards.web import front

_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "HOME")


def run(serve: Callable[[socket.socket], int] | None = None) -> NoReturn:
    """Be the server that the hub has started as a program, with its word in the environment.

    Args:
        serve: what the front does with the socket on which it orders; returns the exit status.
    """
    hide_memory()
    channel, pid = _start_front(serve or (lambda channel: front.main(os.environ, channel)))
    # Another program: what has been in the environment is not in the memory of this one.
    channel.set_inheritable(True)
    environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
    command = (sys.executable, "-I", "-m", "dashboards.server", str(channel.fileno()), str(pid))
    os.execve(sys.executable, command, environ)


def main(descriptor: int, pid: int) -> NoReturn:
    """Go on after `run`, as another program.

    Args:
        descriptor: of the socket on which the front orders.
        pid: the front's process id.
    """
    hide_memory()
    stay_single_threaded()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # else it would look like an import that failed
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)
    try:
        session_process = warm_up()
        prepare_forks()
    except BaseException:
        logging.exception("What dashboards need cannot be imported, or the sample not drawn")
        _serve(channel, pid, lambda _: None)  # the gallery goes on
    _serve(channel, pid, session_process.run)


def serve_forked(
    warm: ModuleType, line: socket.socket, environ: Callable[[], Mapping[str, str]]
) -> NoReturn:
    """Be a server that has been forked from the template.

    Args:
        warm: what `warm_up()` returned.
        line: a socket to whoever wants to know that the server listens.
        environ: asks for the environment; only the front does.
    """
    hide_memory()  # another account's memory was shown again
    channel, pid = _start_front(lambda channel: front.main(environ(), channel, line))
    line.close()
    _serve(channel, pid, warm.run)


def _start_front(serve: Callable[[socket.socket], int]) -> tuple[socket.socket, int]:
    """Fork the front; returns the socket on which it orders, and its process id."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        theirs.close()
        return ours, pid
    try:
        end_with_parent(parent)
        ours.close()
        leave(serve(theirs))
    except BaseException as error:
        sys.stderr.write(f"A server could not be started: {error!r}\n")
        sys.stderr.flush()
    finally:
        os._exit(1)


def _serve(
    channel: socket.socket, front_pid: int, become: Callable[[socket.socket], object]
) -> NoReturn:
    """Fork sessions until the front has ended, and end as it has."""
    parent = os.getpid()

    def become_session(line: socket.socket) -> None:
        end_with_parent(parent)
        adopt_orphans()  # as long as it lives; then this process does, and ends them
        become(line)

    def stop() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(front_pid, signal.SIGTERM)

    adopt_orphans()
    ForkServer(channel, become_session, stopped=stop, kept=[front_pid]).serve()
    # The front has ended.
    end_all_but([front_pid])
    status = os.waitstatus_to_exitcode(os.waitpid(front_pid, 0)[1])
    if status == -signal.SIGKILL:  # for the hub to know
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(status & 0xFF)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
