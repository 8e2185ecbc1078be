"""Processes that are forked on order, by one that has no threads and tells how they end.

Whoever orders holds the other end of a socket. An order is of 16 characters: `fork` and a number,
and with it comes the end of a second socket, that only the fork reads; or `end` and a process id.
Answers are JSON, a line each: `order`, the number, with `pid` or `error`; `ended`, a process id,
with `status`, as subprocess tells it.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from tornado import netutil

from dashboards.forks.this_process import end_all_but

_ORDER = 16
_TASKS = Path("/proc/self/task")
_CAUGHT = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


def order(what: str, number: int) -> bytes:
    """An order as it is sent; `what` is `fork` or `end`."""
    return f"{what} {number}".ljust(_ORDER).encode()


def has_threads() -> bool:
    """Whether this process has more threads than this one, those of libraries included."""
    if _TASKS.exists():
        return len(os.listdir(_TASKS)) > 1
    return threading.active_count() > 1


def stay_single_threaded() -> None:
    """Tell libraries of numbers to start no threads of their own; before they are imported."""
    for library in ("OPENBLAS", "OMP", "MKL", "NUMEXPR"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"


def _be_unlike_siblings() -> None:
    """Renew what was made by chance before the fork. `random` and OpenSSL see to theirs."""
    multiprocessing.current_process().authkey = os.urandom(32)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    for defaults in (netutil._client_ssl_defaults, netutil._server_ssl_defaults):
        defaults.cache_clear()


class ForkServer:
    """Answers orders until nobody can give any.

    Args:
        channel: the socket on which they come.
        become: what a fork does with its socket; the fork ends when it comes back.
        stopped: called on SIGTERM and SIGINT.
        kept: children of this process that are no forks. None: what a fork leaves running is not
            ended with it.
    """

    def __init__(
        self,
        channel: socket.socket,
        become: Callable[[socket.socket], object],
        stopped: Callable[[], None],
        kept: Collection[int] | None = None,
    ) -> None:
        self._children: set[int] = set()
        self._kept = kept
        self._ears = selectors.DefaultSelector()
        self._channel = channel
        self._become = become
        self._stopped = stopped

    def serve(self) -> None:
        """Return when the other end of the channel is closed."""
        wake, waker = socket.socketpair()
        for end in (wake, waker):
            end.setblocking(False)
        for number in _CAUGHT:
            signal.signal(number, lambda *_: None)  # its number comes on the socket
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._ears.register(self._channel, selectors.EVENT_READ, self._take_order)
        self._ears.register(wake, selectors.EVENT_READ, lambda: self._take_signals(wake))
        self._own = (self._channel, wake, waker, self._ears)
        is_open = True
        while is_open:
            for key, _ in self._ears.select():
                is_open = key.data() and is_open

    def _take_signals(self, wake: socket.socket) -> bool:
        numbers = wake.recv(4096)
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stopped()
        for pid in tuple(self._children):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._children.discard(pid)
                if self._kept is not None:
                    end_all_but({*self._children, *self._kept})
                self._say(ended=pid, status=os.waitstatus_to_exitcode(status))
        return True

    def _take_order(self) -> bool:
        """False: there are no more."""
        try:
            packet, descriptors, _, _ = socket.recv_fds(
                self._channel, _ORDER, 1, socket.MSG_WAITALL
            )
        except ConnectionError:
            return False
        if not packet:
            return False
        what, number = packet.split()
        if what == b"fork":
            self._fork(int(number), descriptors[0])
        elif int(number) in self._children:  # not waited for yet: it is nobody else's number
            os.kill(int(number), signal.SIGKILL)
        return True

    def _fork(self, number: int, descriptor: int) -> None:
        try:
            if has_threads():  # a lock that one of them holds would be held for good
                raise OSError("there are threads")
            pid = os.fork()
            if not pid:
                self._be_the_fork(descriptor)
        except OSError as error:
            self._say(order=number, error=str(error))
        else:
            self._children.add(pid)
            self._say(order=number, pid=pid)
        finally:
            os.close(descriptor)

    def _be_the_fork(self, descriptor: int) -> None:
        """Never returns: what failed here must not go on as the parent, with its rights."""
        try:
            for number in _CAUGHT:
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            for one in self._own:
                one.close()
            _be_unlike_siblings()
            self._become(socket.socket(fileno=descriptor))
        except BaseException as error:
            sys.stderr.write(f"A fork could not become what it should: {error!r}\n")
            sys.stderr.flush()
        finally:
            os._exit(1)

    def _say(self, **what: Any) -> None:
        with contextlib.suppress(ConnectionError):  # whoever ordered has gone, as is seen next
            self._channel.sendall(json.dumps(what).encode() + b"\n")
