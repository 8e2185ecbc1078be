"""The parts of a lab that need no lab: sample viewers, folders, a kernel that computes."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dashboards.lab import beside, preview_server
from dashboards.lab.beside import files_beside
from dashboards.lab.extension import note_kernels
from dashboards.lab.preview import folders_in, place_below
from dashboards.lab.viewers import FILE, ViewersError, sample_viewers, viewers_of
from hub_extensions.publishing import data_files
from tests.dashboards.notebooks import code, markdown, write_notebook


def test_there_is_a_sample_viewer_for_each_kind_of_person() -> None:
    viewers = {one.title: one.user for one in sample_viewers(["acme", "globex"])}
    assert list(viewers) == ["A member of acme", "A member of globex", "An admin"]
    assert viewers["A member of globex"].tenant == "globex"
    assert viewers["A member of globex"].groups == ("customers", "globex")
    assert viewers["An admin"].roles == ("Tenant Admin",)
    assert viewers["An admin"].email == "admin@acme.example"
    assert len({one.key for one in sample_viewers(["acme", "globex", "initech"])}) == 4


@pytest.mark.parametrize(
    "told",
    [
        "no JSON",
        "3",
        "[3]",
        "[{}]",
        '[{"title": ""}]',
        '[{"title": "A", "name": 3}]',
        '[{"title": "A", "groups": "user"}]',
        '[{"title": "A", "roles": [3]}]',
        json.dumps([{"title": "A"}] * 51),
        "[" * 100_000,
    ],
)
def test_a_wrong_file_of_viewers_is_refused_with_a_sentence(told: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(told)
    with pytest.raises(ViewersError, match=FILE):
        viewers_of(tmp_path)


def test_viewers_of_an_author(tmp_path: Path) -> None:
    assert viewers_of(tmp_path) == ()
    title = "<b>" + 200 * "x"
    (tmp_path / FILE).write_text(json.dumps([{"title": title, "email": "x@y.z", "roles": ["R"]}]))
    (viewer,) = viewers_of(tmp_path)
    assert (viewer.key, viewer.title, viewer.user.email) == ("own-1", title[:100], "x@y.z")
    assert viewer.user.tenant is None


def test_folders_are_found_some_levels_deep_and_not_by_links(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "a" / "b" / "c" / "d" / "e").mkdir(parents=True)
    (work / ".git").mkdir()
    (work / "__pycache__").mkdir()
    (work / "link").symlink_to(tmp_path)
    names = [name for name, _ in folders_in(work)]
    assert names == ["work", "work · a", "work · a · b", "work · a · b · c", "work · a · b · c · d"]


def test_more_folders_than_anybody_keeps_take_no_time(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / str(number)).mkdir()
    assert len(list(folders_in(tmp_path))) == 200


def test_what_can_be_published_with_a_notebook_and_what_it_names(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "lookup" / "a" / "b" / "c" / "d").mkdir(parents=True)
    (work / "__pycache__").mkdir()
    (tmp_path / "secret.csv").write_text("")
    (work / "link.csv").symlink_to(tmp_path / "secret.csv")
    (work / "linked").symlink_to(tmp_path)
    for name in (
        *(
            "costs.csv",
            "old.csv",
            "lookup/regions.json",
            "lookup/logo.png",
            "helpers.py",
            "random.py",
        ),
        *(".env", "other.ipynb", "__pycache__/helpers.pyc", "viewers.json", "a\\b", "a\nb"),
        *("lookup/a/b/c/near.csv", "lookup/a/b/c/d/far.csv"),
    ):
        (work / name).write_text("x")
    with (work / "large.csv").open("wb") as file:
        file.truncate(data_files.LARGEST + 1)
    reads = "open('costs.csv'), Path('lookup') / \"regions.json\", './lookup/logo.png'"
    notebook = write_notebook(
        work / "my.ipynb", markdown("'old.csv'"), code(f"import helpers\n{reads}")
    )
    found = files_beside(notebook)
    named = ["costs.csv", "helpers.py", "lookup/logo.png", "lookup/regions.json"]
    others = ["large.csv", "old.csv", "random.py", "lookup/a/b/c/near.csv"]
    assert [one.name for one in found] == named + others
    assert [one.name for one in found if one.is_named] == named
    assert [one.name for one in found if one.is_too_large] == ["large.csv"]
    assert beside.LARGEST == data_files.LARGEST
    for one in found:
        data_files.check_name(one.name)


def test_of_many_files_those_are_offered_that_the_notebook_names(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.csv").touch()
    found = files_beside(write_notebook(tmp_path / "my.ipynb", code("'199.csv'")))
    assert (len(found), found[0].name, found[1].is_named) == (100, "199.csv", False)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/user/a@b/lab/preview/", ""),
        ("/user/a@b/lab/preview/show/work/a%20b", "show/work/a%20b"),
        ("/user/a%252Bc@b/lab/preview/as/member/", "as/member/"),
    ],
)
def test_a_page_is_found_however_the_way_to_it_is_written(path: str, place: str) -> None:
    assert place_below(path, "/user/a%2Bc@b/lab/preview/") == place


@pytest.mark.parametrize(("state", "noted"), [("busy", True), ("idle", False)])
def test_a_kernel_that_computes_is_use_of_the_lab(state: str, noted: bool) -> None:
    times: dict[str, datetime] = {}
    app: Any = SimpleNamespace(
        kernel_manager=SimpleNamespace(list_kernels=lambda: [{"execution_state": state}]),
        web_app=SimpleNamespace(settings={"last_activity_times": times}),
    )
    note_kernels(app)
    assert bool(times) == noted


def test_a_preview_that_is_merely_open_is_none() -> None:
    from jupyter_server_proxy.config import ServerProcess

    process = ServerProcess(name="preview", **preview_server())
    (pattern,) = process.exclude_last_activity_patterns
    home = "/user/ann/lab/preview/"
    merely_open = ("changes", "alive", "as/member/dashboards/work/x/ws", "as/member/announcement")
    assert all(pattern.match(home + path) for path in merely_open)
    assert not pattern.match(f"{home}as/member/dashboards/work/x")
