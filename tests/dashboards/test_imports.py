from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.running.imports import imported_by
from tests.dashboards.notebooks import code, markdown, write_notebook

THREAD = """
import threading, time
threading.Thread(target=time.sleep, args=[60], daemon=True).start()
"""


def test_modules_of_the_environment_that_notebooks_name(tmp_path: Path) -> None:
    write_notebook(
        tmp_path / "user/one.ipynb",
        code("import pandas as pd, json\nfrom hvplot.pandas import hvPlot"),
        markdown("import bokeh"),
        code("%matplotlib inline\ndef late():\n    import numpy.random"),
    )
    write_notebook(tmp_path / "finance/two.ipynb", code("import pandas\nimport panel as pn"))
    assert imported_by(tmp_path) == ["hvplot.pandas", "numpy.random", "pandas", "panel"]


@pytest.mark.parametrize(
    "line",
    [
        "import nothing_of_this_name",
        "import beside",
        "from . import pandas",
        "from .pandas import DataFrame",
        "import pip.__main__",
        "from tornado._private import x",
        "import antigravity",
        "import dashboards.server",
        "import hub_extensions.descope_project",
        "import",
        "(" * 5000,
        "import 漢字",
        "#import pandas",
    ],
)
def test_what_is_not_imported_before_the_fork(tmp_path: Path, line: str) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "beside.py").write_text("raise SystemExit")
    write_notebook(tmp_path / "user/one.ipynb", code(line))
    assert imported_by(tmp_path) == []


def test_only_folders_that_are_audiences_are_looked_into(tmp_path: Path) -> None:
    write_notebook(tmp_path / ".hidden/one.ipynb", code("import pandas"))
    write_notebook(tmp_path / "two.ipynb", code("import pandas"))
    write_notebook(tmp_path / "outside/three.ipynb", code("import pandas"))
    inside = tmp_path / "inside"
    (inside / "user").mkdir(parents=True)
    (inside / "user" / "link.ipynb").symlink_to(tmp_path / "outside/three.ipynb")
    (inside / "linked").symlink_to(tmp_path / "outside")
    assert imported_by(inside) == []


@pytest.mark.parametrize(
    ("source", "left"),
    [
        (THREAD, "one"),
        ("raise SystemExit(3)", ""),
        ("import nothing_of_this_name", ""),
        ("works = True", ""),
    ],
    ids=["starts a thread", "leaves", "lacks another", "works"],
)
def test_a_module_that_starts_a_thread_is_found(tmp_path: Path, source: str, left: str) -> None:
    (tmp_path / "one.py").write_text(source)
    ask = "import sys; sys.path.append(sys.argv[1])"
    ask += "; from dashboards.forks.template_process import import_all"
    ask += "; print(import_all(['one', 'json']))"
    command = [sys.executable, "-c", ask, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == left
