"""Hub and dashboard servers know the same notebooks, and let the same people see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboards import catalog
from hub_extensions.notebook_files import LARGEST, Notebook, meant, notebooks_in
from tests.dashboards.notebooks import markdown, write_notebook


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything that may lie there."""
    root = tmp_path / "notebooks"
    for group in ("user", "finance", "admin", "dashboards", "Räume & co"):
        write_notebook(root / group / "report.ipynb", markdown("# Report"))
    write_notebook(root / "finance" / "two words.ipynb", markdown("# Two"))
    write_notebook(root / ".hidden" / "x.ipynb")
    write_notebook(root / "user" / ".hidden.ipynb")
    write_notebook(tmp_path / "outside" / "x.ipynb")
    (root / "user" / "linked.ipynb").symlink_to(root / "user" / "report.ipynb")
    (root / "user" / "escaped.ipynb").symlink_to(tmp_path / "outside" / "x.ipynb")
    (root / "user" / "other.ipynb").symlink_to(root / "finance" / "report.ipynb")
    (root / "user" / "lost.ipynb").symlink_to(root / "nowhere.ipynb")
    (root / "elsewhere").symlink_to(tmp_path / "outside")
    (root / "user" / "data.csv").write_text("a,b")
    (root / "user" / "folder.ipynb").mkdir()
    (root / "finance" / "broken.ipynb").write_text("{")
    (root / "finance" / "no_cells.ipynb").write_text(json.dumps({"cells": {}}))
    (root / "finance" / "odd_cells.ipynb").write_text(json.dumps({"cells": [1]}))
    (root / "finance" / "latin.ipynb").write_bytes(b'{"cells": [], "x": "\xe9"}')
    (root / "finance" / "large.ipynb").write_text('{"cells": []}' + " " * LARGEST)
    (root / "stray.ipynb").write_text("{}")
    return root


@pytest.mark.parametrize(
    "groups", [set(), {"user"}, {"finance", "user"}, {"admin"}, {"Admin", "elsewhere", ".hidden"}]
)
def test_what_the_hub_says_is_what_a_gallery_shows(groups: set[str], folder: Path) -> None:
    shown = catalog.visible(catalog.dashboards_in(folder), groups)
    said = [notebook for notebook in notebooks_in(folder) if notebook.opens_to(groups)]
    assert {notebook.id for notebook in said} == {f"{one.group}/{one.name}" for one in shown}


def test_a_folder_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        notebooks_in(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("finance/report", ["finance/report"]),
        (" finance/report.ipynb ", ["finance/report"]),
        ("two words", ["finance/two words"]),
        ("https://h.test/user/a@b.c/dashboards/finance/two%20words?x=1#y", ["finance/two words"]),
        ("/hub/user-redirect/dashboards/finance/report/", ["finance/report"]),
        ("http://h.test/user/a/dashboards/dashboards/report", ["dashboards/report"]),
        ("/user/a@b.c/dashboards/R%C3%A4ume%20%26%20co/report", ["Räume & co/report"]),
        ("/hub/spawn/a/admin?next=%2Fuser%2Fa%2Fadmin%2Fdashboards%2Fadmin%2Freport", None),
        ("REPORT", []),
        ("finance", []),
        ("http://[", []),
        ("", []),
    ],
)
def test_people_name_a_dashboard_in_several_ways(
    words: str, found: list[str] | None, folder: Path
) -> None:
    matches = [notebook.id for notebook in meant(notebooks_in(folder), words)]
    assert matches == (["admin/report"] if found is None else found)


def test_a_name_alone_may_mean_several() -> None:
    notebooks = [Notebook(group=group, name="report", readable=True) for group in ("a", "b")]
    assert meant(notebooks, "report") == notebooks
    assert meant(notebooks, "b/report") == notebooks[1:]
