"""What a process of ours asks the system to do with it, and with what comes of it (prctl(2))."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

_SET_PDEATHSIG = 1
_SET_DUMPABLE = 4
_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS = 38
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_PATIENCE = 1.0  # seconds


def hide_memory() -> None:
    """Let no other process read this one's memory, not even one of the same account."""
    _prctl(_SET_DUMPABLE, 0)


def gain_no_privilege() -> None:
    """No program that this process starts has more rights than it has."""
    _prctl(_SET_NO_NEW_PRIVS, 1)


def confine(limits: Iterable[tuple[int, int]]) -> None:
    """What code of notebooks may do in this process and below it, and how far it is seen: to be
    called before there is any. What it leaves running stays below this process. See `set_limits`.
    """
    hide_memory()
    gain_no_privilege()
    adopt_orphans()
    set_limits(limits)


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


def status_of(child: int, seconds: float) -> int | None:
    """A child's exit status, as subprocess tells it, once it has ended; None if it takes longer."""
    signal.signal(signal.SIGALRM, _raise_timeout)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except TimeoutError:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _raise_timeout(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError


def adopt_orphans() -> None:
    """From now on what a descendant leaves running when it ends is a child of this process
    (prctl(2)), so that it can be ended."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def end_all_but(kept: Collection[int]) -> None:
    """Kill the other children of this process, and what they leave, if it adopts orphans.

    What forks faster than that, or is held by another one, must not hold this process: after a
    second it goes on, and the rest comes the next time.
    """
    until = time.monotonic() + _PATIENCE
    while (left := _children() - {*kept}) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.001)


def _children() -> set[int]:
    """Of this process, which has one thread."""
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    if own.exists():
        return set(map(int, own.read_text().split()))
    return {process.pid for process in psutil.Process().children()}


def be_ended_before(score: int) -> None:
    """When memory runs out the kernel takes this process before those with less (proc(5))."""
    with contextlib.suppress(OSError):  # not Linux
        _OOM_SCORE.write_text(str(score))


def leave(status: int) -> NoReturn:
    """End this process; a thread that a notebook has left would hold it for good."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)


def _prctl(option: int, value: int) -> None:
    if _LIBC:
        _LIBC.prctl(option, value, 0, 0, 0)
