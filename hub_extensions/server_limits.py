"""What a server can use up of the machine before others feel it, and what is told of its end."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

import psutil

#: How much the kernel prefers a server to the hub when it must end a process for memory (proc(5)).
OOM_SCORE: Final = "500"
_GIVES_WAY: Final = 10  # of nice(2)
_SPAN: Final = 4.0  # seconds over which the use of the processor is counted

#: Servers that somebody or something killed without the hub, until they start again: the names of
#: their homes, which are nobody else's later.
killed: set[str] = set()


def be_ended_first() -> None:
    """When memory runs out the kernel takes this process before the hub. Runs in the child."""
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)


class Share:
    """Lets a server that computes for long give way to those that compute now and then.

    It loses nothing while nobody else computes. Only root can take it back, so elsewhere a server
    that has computed for long gives way until it ends.

    Args:
        cores: what it may use for longer than some seconds; 0.5 is half the time of one core.
    """

    def __init__(self, cores: float) -> None:
        self.cores = cores
        self._since = 0.0
        self._used = 0.0
        self._gives_way = False

    def look(self, process: psutil.Process) -> None:
        """Count anew what it and all its dashboards use, and set their priority. Raises
        psutil.NoSuchProcess."""
        now = time.monotonic()
        if now - self._since < _SPAN:
            return
        family = family_of(process)
        used = sum(map(_used_by, family))
        is_over = self._since > 0 and (used - self._used) / (now - self._since) > self.cores
        self._since, self._used = now, used
        if is_over != self._gives_way:
            self._gives_way = is_over
            for member in family:
                _set_priority(member, _GIVES_WAY if is_over else 0)


def family_of(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that have come of it. Raises psutil.NoSuchProcess if it has ended.

    Where the system tells of a process's children they alone are asked, and not all processes.
    """
    if not Path("/proc/self/task", str(os.getpid()), "children").exists():
        return [process, *process.children(recursive=True)]
    found = [process]
    for member in found:
        with contextlib.suppress(OSError, psutil.NoSuchProcess):  # it has ended
            for thread in Path(f"/proc/{member.pid}/task").iterdir():
                pids = (thread / "children").read_text().split()
                found += [psutil.Process(int(pid)) for pid in pids]
    return found


def _used_by(process: psutil.Process) -> float:
    """Seconds of the processor, those of its children that have ended included."""
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0


def _set_priority(process: psutil.Process, nice: int) -> None:
    """Of each of its threads, and of its session, which Linux may weigh as one (sched(7))."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for thread in process.threads():
            with contextlib.suppress(OSError):  # it has ended, or the hub may not take it back
                os.setpriority(os.PRIO_PROCESS, thread.id, nice)
    with contextlib.suppress(OSError):  # not Linux, or not root
        Path(f"/proc/{process.pid}/autogroup").write_text(str(nice))
