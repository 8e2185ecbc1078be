"""What a process of ours asks the system to do with it, and with what comes of it (prctl(2))."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Collection, Iterable

import psutil

_SET_PDEATHSIG = 1
_SET_DUMPABLE = 4
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS = 38


def hide_memory() -> None:
    """Let no other process read this one's memory, not even one of the same account."""
    _prctl(_SET_DUMPABLE, 0)


def gain_no_privilege() -> None:
    """No program that this process starts has more rights than it has."""
    _prctl(_SET_NO_NEW_PRIVS, 1)


def set_limits(limits: Iterable[tuple[int, int]]) -> None:
    """Use no more of each resource (setrlimit(2)), nor more than was allowed so far."""
    for kind, most in limits:
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def end_with_parent(parent: int) -> None:
    """Be killed when the parent ends (prctl(2)); to be called first of all in a fork."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before
        os._exit(1)


def adopt_orphans() -> None:
    """From now on what a descendant leaves running when it ends is a child of this process
    (prctl(2)), so that it can be ended."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def end_all_but(kept: Collection[int]) -> None:
    """Kill all other children of this process, and what they leave, if it adopts orphans."""
    while left := [one for one in psutil.Process().children() if one.pid not in kept]:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.pid, 0)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
