"""The visit that is played before a fork, in a process of its own: it leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import gc, logging, os, sys, tempfile, threading
from dashboards.forking import has_threads, stay_single_threaded
stay_single_threaded()
from dashboards.rehearsal import rehearse
before = os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")
rehearse()
gc.collect()
assert not has_threads()
assert os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd") == before
assert not os.listdir(tempfile.gettempdir())
assert logging.root.manager.disable == logging.NOTSET
child = os.fork()
if not child:
    rehearse()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_it_leaves_nothing_and_a_fork_can_do_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", _PROGRAM],
        env={"PATH": "", "TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        timeout=60,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
