"""The process that runs shared cells: what they may use, what they leave, how they go wrong."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from dashboards.running.shared_file import read
from tests.dashboards.notebooks import code, markdown, write_notebook

pytestmark = pytest.mark.long

MEGABYTE = 1024 * 1024
LIMITS = {resource.RLIMIT_DATA: 600 * MEGABYTE, resource.RLIMIT_FSIZE: 20 * MEGABYTE}
READS = """
raw = pd.read_csv("data.csv")
_hidden, _used = 1, 2
with open("data.csv") as file:
    file.read()
"""
MAKES = """
from math import pi
def helps(x):
    return x
big = helps(raw["a"] * FACTOR)
big
"""
#: Leaves a process that has cut all ties to its parent, and tells which.
DAEMON = """
import os, subprocess
one = subprocess.Popen(["sleep", "300"], start_new_session=True)
if not os.fork():
    os.setsid()
    if not os.fork():
        open("daemon", "w").write(str(os.getpid()))
        os.execvp("sleep", ["sleep", "300"])
    os._exit(0)
while not (os.path.exists("daemon") and open("daemon").read()):
    pass
left = [one.pid, int(open("daemon").read())]
"""


@dataclass
class Outcome:
    """How it went: the values that were left, or why there are none."""

    values: dict[str, Any]
    why: dict[str, str]
    seconds: float


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def run(folder: Path, *cells: dict[str, Any], seconds: float = 60) -> Outcome:
    """Have the shared cells of a notebook of these cells run."""
    notebook = write_notebook(folder / "notebook.ipynb", markdown("# Any"), *cells)
    with tempfile.NamedTemporaryFile() as file:
        order = {
            "notebook": str(notebook),
            "secrets": {},
            "file": file.fileno(),
            "seconds": seconds,
            "limits": list(LIMITS.items()),
        }
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-I", "-m", "dashboards.running.shared_process"],
            input=json.dumps(order).encode(),
            pass_fds=[file.fileno()],
            env={"PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1"},
            check=False,
            timeout=90,
        )
        seconds = time.monotonic() - began
        if done.returncode == 0:
            return Outcome(values=read(Path(file.name)), why={}, seconds=seconds)
        return Outcome(values={}, why=json.loads(Path(file.name).read_text()), seconds=seconds)


def test_it_leaves_what_shared_cells_have_made_and_nothing_else(folder: Path) -> None:
    (folder / "data.csv").write_text("a,b\n1,x\n2,y\n")
    (folder / "beside.py").write_text("FACTOR = 10\n")
    done = run(
        folder,
        code("import pandas as pd\nfrom beside import FACTOR\nother = 1 / 0"),
        code(
            "raw = pd.read_csv('data.csv')\n_hidden = 1\n_used = 2\nwith open('data.csv') as f: f",
            "shared",
        ),
        code("this is no Python"),
        code(
            "from math import pi\ndef helps(x): return x\nbig = helps(raw['a'] * FACTOR)\nbig",
            "shared",
        ),
        code("never = 1\nprint(_used, big)"),
    )
    assert done.why == {}
    assert done.values.keys() == {"raw", "_used", "big"}
    assert done.values["big"].tolist() == [10, 20]
    assert done.values["raw"]["b"].tolist() == ["x", "y"]


def test_a_shared_cell_may_await_and_have_magics(folder: Path) -> None:
    source = "%matplotlib inline\nimport asyncio\nwaited = await asyncio.sleep(0, 3)"
    done = run(folder, code(source, "shared"))
    assert done.why == {}
    assert done.values == {"waited": 3}


@pytest.mark.parametrize(
    ("source", "sentence", "detail"),
    [
        ("x = 1\nraise ValueError('told to nobody')", "A cell that loads", "told to nobody"),
        ("print(df)", "A cell that loads", "import lines of all cells before it name"),
        ("import sys\nsys.exit()", "A cell that loads", "SystemExit"),
        ("import os\nos._exit(0)", "ended before it was done", ""),
        ("import os\nos.kill(os.getpid(), 9)", "ended before it was done", ""),
        (
            "from dashboards import current_user\ncurrent_user()",
            "A cell that loads",
            "current user",
        ),
        ("def used(): pass", "A cell that loads", "“used” is used in other cells"),
        ("x = bytearray(2_000_000_000)", "more memory than it may", "MemoryError"),
        ("import numpy\nx = numpy.zeros(5_000_000)", "no room to keep", "File too large"),
        ("open('/proc/self/nothing')", "A cell that loads", "FileNotFoundError"),
    ],
)
def test_what_goes_wrong_is_told(folder: Path, source: str, sentence: str, detail: str) -> None:
    done = run(folder, code(source, "shared"), code("used"))
    assert sentence in done.why["sentence"]
    assert detail in done.why["traceback"]
    assert "told to nobody" not in done.why["sentence"]


def test_a_cell_that_hangs_ends_in_time(folder: Path) -> None:
    done = run(folder, code("while True: pass", "shared"), seconds=1)
    assert "took longer than 1 seconds" in done.why["sentence"]
    assert done.seconds < 10


def test_threads_and_sockets_end_with_the_process(folder: Path) -> None:
    done = run(
        folder,
        code(
            "import socket, threading, time\n"
            "threading.Thread(target=time.sleep, args=(300,)).start()\n"
            "listener = socket.create_server(('127.0.0.1', 0))\n"
            "port = listener.getsockname()[1]",
            "shared",
        ),
    )
    assert done.seconds < 60
    assert not any(c.laddr and c.laddr.port == done.values["port"] for c in _listening())


def _listening() -> list[Any]:
    return [c for c in psutil.net_connections("tcp4") if c.status == psutil.CONN_LISTEN]


@pytest.mark.parametrize("seconds", [60, 3])
def test_what_it_forks_ends_with_it(folder: Path, seconds: int) -> None:
    hang = "" if seconds == 60 else "\nwhile True: pass"
    run(folder, code(DAEMON + hang, "shared"), seconds=seconds)
    daemon = int((folder / "daemon").read_text())
    assert not psutil.pid_exists(daemon)
