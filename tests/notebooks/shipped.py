"""The notebooks that come with the project, and how a test runs one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*/*.ipynb"))
SENSOR_EXPLORER = ROOT / "notebooks" / "user" / "sensor_explorer.ipynb"

_RUN = """
import json, sys
import panel as pn
space = sys.modules["__main__"].__dict__
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), cell["id"], "exec"), space)
exec(sys.argv[2], space)
"""


def named(stem: str) -> Path:
    """The notebook of this name; no two folders have one of the same."""
    (found,) = (path for path in NOTEBOOKS if path.stem == stem)
    return found


def cells(notebook: Path) -> list[dict[str, Any]]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def run(notebook: Path, then: str = "", **environment: str) -> str:
    """Run a notebook from top to bottom in a fresh process, then a line of Python in it.

    Returns what was printed. Raises AssertionError with the traceback.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", _RUN, os.fspath(notebook), then],
        env={**kept, **environment},
        cwd=notebook.parent,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def names_of(notebook: Path, *ids: str) -> dict[str, Any]:
    """What the code cells with these ids define; nothing else of the notebook runs."""
    module = ModuleType(f"bokeh_app_{notebook.stem}")
    module.__file__ = os.fspath(notebook)
    sys.modules[module.__name__] = module  # Panel's cache looks there for a function's module
    space = module.__dict__
    for cell in cells(notebook):
        if cell["id"] in ids:
            exec(compile("".join(cell["source"]), cell["id"], "exec"), space)
    return space
