"""Numbers that no two processes of pytest share, of one run or of several beside each other."""

from __future__ import annotations

import atexit
import contextlib
import socket

#: Below those that systems give to connections.
_FIRST_PORT = 20_000
_PORTS = 1_000
_UIDS = 10_000


def _take() -> tuple[int, socket.socket]:
    """A number from 0 on that is ours for as long as this process runs, and what holds it: the
    first port of its range."""
    for number in range(12):
        holder = socket.socket()
        with contextlib.suppress(OSError):
            holder.bind(("127.0.0.1", _FIRST_PORT + number * _PORTS))
            return number, holder
        holder.close()
    raise AssertionError("twelve processes of pytest run on this machine already")


_number, _holder = _take()
atexit.register(_holder.close)

PORTS = range(_FIRST_PORT + _number * _PORTS + 1, _FIRST_PORT + (_number + 1) * _PORTS)
UNIX_UIDS = range(700_000 + _number * _UIDS, 700_000 + (_number + 1) * _UIDS)
