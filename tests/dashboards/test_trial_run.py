"""The process that tries a notebook: what it tells, and that it comes to an end whatever is tried.

It is read as the hub reads it, which believes nothing.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import pytest

from dashboards.running.cells import Cell
from dashboards.running.trial import missing_packages
from dashboards.running.trial_run import Outcome
from hub_extensions.trial_runs import Trial, _Told, told_in
from tests.dashboards.notebooks import code, markdown, write_notebook

pytestmark = pytest.mark.long

SLOW = pytest.mark.slow  # each run is some seconds of a processor
LIMITS = {resource.RLIMIT_DATA: 1 << 30, resource.RLIMIT_FSIZE: 20 << 20}
#: Looks round, and leaves a process that has cut all ties.
GOOD = """
import os, subprocess, sys
import panel as pn
try:
    import not_installed_but_optional
except ImportError:
    pass
from beside import FACTOR
print("said " * 100_000, flush=True)
os.system("echo and said")
one = subprocess.Popen(["sleep", "300"], start_new_session=True)
open("left", "w").write(str(one.pid))
if not os.fork():
    os.setsid()  # goes on as if it were the notebook
value = FACTOR * len(open("data.csv").read()) + used
assert "TOKEN" not in str(os.environ)
"""
SHOWS = "pn.pane.Str(f'{value}').servable()"
#: Finds the file of the hub's and writes what it likes.
FORGES = """
import os
for one in os.listdir("/proc/self/fd"):
    try:
        os.pwrite(int(one), b'{"problem": "", "seconds": 1e999}' + bytes(5_000_000), 0)
    except OSError:
        pass
os._exit(0)
"""


def run(
    folder: Path,
    *cells: dict[str, Any],
    seconds: float = 60,
    beside: dict[str, bytes] | None = None,
) -> Trial:
    """Try a notebook of these cells, which is not in the folder; `beside` neither."""
    elsewhere = folder.parent / "elsewhere"
    notebook = write_notebook(elsewhere / "any.ipynb", markdown("# Any"), *cells).read_bytes()
    return try_file(folder, notebook, seconds, beside or {})


def try_file(
    folder: Path,
    notebook: bytes,
    seconds: float = 60,
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> Trial:
    """Have the process run, in the folder."""
    with tempfile.TemporaryFile() as file:
        order = {
            "folder": str(folder),
            "name": "any",
            "size": len(notebook),
            "beside": [(path, len(content)) for path, content in beside.items()],
            "file": file.fileno(),
            "began": time.monotonic(),
            "seconds": seconds,
            "secrets": {"PASSWORD": "kept-out"},
            "limits": list(LIMITS.items()),
            "nice": 0,
        }
        subprocess.run(
            [sys.executable, "-I", "-m", "dashboards.running.trial_run"],
            input=b"".join((json.dumps(order).encode(), b"\n", notebook, *beside.values())),
            pass_fds=[file.fileno()],
            env={
                "PATH": os.environ["PATH"],
                "TMPDIR": str(folder.parent),
                "OPENBLAS_NUM_THREADS": "1",
                "MPLBACKEND": "agg",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=90,
        )
        return told_in(file.fileno())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "beside.py").write_text("FACTOR = 2\n")
    (folder / "data.csv").write_text("a,b\n")
    return folder


def test_what_is_told_is_what_the_hub_takes() -> None:
    told = set(_Told.model_fields)
    assert told == {one.name for one in fields(Outcome)}
    assert told == {one.name for one in fields(Trial)} - {"pictures"}


def test_a_notebook_runs_in_its_folder_and_leaves_nothing(folder: Path) -> None:
    trial = run(folder, code("used = 1", "shared"), code(GOOD), code(SHOWS))
    assert (trial.problem, trial.cell, trial.traceback) == ("", "", "")
    assert 0.3 < trial.seconds < 60
    assert 50 << 20 < trial.memory < 1 << 30
    assert trial.missing == ()
    assert not trial.needs_viewer
    assert not psutil.pid_exists(int((folder / "left").read_text()))
    assert {path.name for path in folder.iterdir()} >= {"beside.py", "data.csv", "left"}
    assert not (folder / "any.ipynb").exists()


def test_its_data_is_as_if_it_were_there_and_is_not(folder: Path) -> None:
    """Beside what is there, and in the place of it; relative paths lead to all of it."""
    (folder / "lookup" / "old").mkdir(parents=True)
    (folder / "lookup" / "old" / "there.txt").write_text("there")
    code_of_it = """
import beside
from pathlib import Path
read = [Path(name).read_text() for name in ("data.csv", "lookup/new.json", "lookup/old/there.txt")]
assert read == ["c,d", "{}", "there"], read
Path("written").write_text("elsewhere")
'all of it'
"""
    data = {"data.csv": b"c,d", "lookup/new.json": b"{}"}
    assert run(folder, code(code_of_it), beside=data).problem == ""
    assert (folder / "data.csv").read_text() == "a,b\n"
    assert not (folder / "lookup" / "new.json").exists()
    assert not (folder / "written").exists()


def test_pictures_are_drawn_of_what_it_shows(folder: Path) -> None:
    plot = "from bokeh.plotting import figure\nplot = figure()\nplot.line([1, 2], [2, 1])\nplot"
    assert run(folder, code(plot)).pictures.keys() == {"light", "dark"}
    assert run(folder, code("1")).pictures == {}


def test_what_fails_is_told_with_its_cell_and_what_is_missing(folder: Path) -> None:
    trial = run(folder, code("x = 1"), code("import not_here_a, not_here_b.c\nimport beside"))
    assert trial.problem.startswith("Cell 3 fails with ModuleNotFoundError: No module named")
    assert trial.cell == "cell 3"
    assert "not_here_a" in trial.traceback
    assert "dashboards/" not in trial.traceback
    assert trial.missing == ("not_here_a", "not_here_b")
    assert trial.pictures == {}


@pytest.mark.parametrize(
    "asks",
    [
        "pn.state.headers['Host']",
        pytest.param("pn.state.curdoc.session_context.request.cookies", marks=SLOW),
    ],
)
def test_who_asks_for_the_viewer_is_found_out_also_if_that_is_caught(
    folder: Path, asks: str
) -> None:
    caught = f"import panel as pn\ntry:\n    {asks}\nexcept Exception:\n    pass\nused = 1"
    trial = run(folder, code(caught), code("pn.pane.Str('all the same').servable()"))
    assert trial.needs_viewer
    assert trial.problem == ""
    assert trial.pictures == {}


def test_what_asks_when_its_page_is_there_is_found_out_too(folder: Path) -> None:
    later = (
        "import panel as pn\npn.state.onload(lambda: pn.state.user)\npn.pane.Str('a').servable()"
    )
    trial = run(folder, code(later))
    assert trial.needs_viewer


def test_a_shared_cell_that_asks_is_wrong_and_needs_no_viewer(folder: Path) -> None:
    asks = "from dashboards import current_user\nused = current_user().name"
    trial = run(folder, code(asks, "shared"), code("used"))
    assert trial.problem.startswith("Cell 2 fails")
    assert not trial.needs_viewer


@pytest.mark.slow
def test_what_never_ends_is_ended(folder: Path) -> None:
    began = time.monotonic()
    trial = run(folder, code("open('begun', 'w')\nwhile True: pass"), seconds=12)
    assert trial.problem == "It was not there after 12 seconds."
    assert (folder / "begun").exists()
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import os\nos._exit(0)", "ended by itself"),
        pytest.param("import os\nos.kill(os.getpid(), 9)", "ended by itself", marks=SLOW),
        pytest.param(
            "import sys\nsys.exit('bye')", "Cell 2 fails with SystemExit: bye", marks=SLOW
        ),
        ("import os\nraise ValueError(os.environ['PASSWORD'])", "fails with ValueError: •••"),
        ("x = bytearray(2 << 30)", "Cell 2 fails with MemoryError"),
        pytest.param("import os\nos.closerange(0, 4096)", "ended by itself", marks=SLOW),
        pytest.param(
            "raise KeyboardInterrupt", "Its trial fails with KeyboardInterrupt.", marks=SLOW
        ),
        (FORGES, "anything to tell"),
        pytest.param("(((", "Cell 2 fails with SyntaxError", marks=SLOW),
        pytest.param("raise ValueError('\\ud800')", "Cell 2 fails with ValueError", marks=SLOW),
    ],
)
def test_what_ends_in_another_way_is_told(folder: Path, source: str, problem: str) -> None:
    trial = run(folder, code(source))
    assert problem in trial.problem
    assert trial.pictures == {}


@pytest.mark.parametrize("caught", ["except", "except*"])
def test_what_a_notebook_can_do_without_is_not_missing(caught: str) -> None:
    source = f"try:\n    import not_here\n{caught} ImportError:\n    pass"
    cell = Cell(place="any.ipynb, cell 1", is_code=True, source=source)
    assert missing_packages([cell], Path()) == ()


def test_a_long_sum_is_no_trouble() -> None:
    source = f"import not_here_a\nx = {'+'.join('1' * 1500)}\nif x:\n    import not_here_b"
    cell = Cell(place="any.ipynb, cell 1", is_code=True, source=source)
    assert missing_packages([cell], Path()) == ("not_here_a", "not_here_b")


@pytest.mark.parametrize("notebook", [b"", b"no JSON", b"[" * 200_000, b'{"cells": 1}', b"\xff"])
def test_what_is_no_notebook_is_told(folder: Path, notebook: bytes) -> None:
    assert try_file(folder, notebook).problem == "This file is no notebook."
