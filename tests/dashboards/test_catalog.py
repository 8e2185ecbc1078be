from __future__ import annotations

import os
from pathlib import Path

import pytest

from dashboards.catalog import dashboards_in, find, plain_text, served_here, visible
from tests.dashboards.notebooks import code, markdown, write_notebook


def names(root: Path) -> set[str]:
    return {f"{d.group}/{d.name}" for d in dashboards_in(root)}


def test_a_folder_is_an_audience(tmp_path: Path) -> None:
    for place in ("user/one", "finance/two", "Finance/three", "admin/four"):
        write_notebook(tmp_path / f"{place}.ipynb", code("1"))
    every = dashboards_in(tmp_path)

    def seen(*groups: str) -> set[str]:
        return {d.name for d in visible(every, groups)}

    assert seen() == set()
    assert seen("user") == {"one"}
    assert seen("finance") == {"two"}
    assert seen("user", "finance") == {"one", "two"}
    assert seen("admin") == {"one", "two", "three", "four"}


def test_the_admin_folder_runs_in_a_server_of_its_own(tmp_path: Path) -> None:
    write_notebook(tmp_path / "user/one.ipynb")
    write_notebook(tmp_path / "admin/four.ipynb")
    found = {d.name: d for d in dashboards_in(tmp_path)}
    assert served_here(found["one"], serves_admin=False)
    assert not served_here(found["one"], serves_admin=True)
    assert not served_here(found["four"], serves_admin=False)
    assert served_here(found["four"], serves_admin=True)


def test_what_is_no_notebook_of_the_folder_is_left_out(tmp_path: Path) -> None:
    root, outside = tmp_path / "notebooks", tmp_path / "outside"
    write_notebook(outside / "secret.ipynb")
    write_notebook(root / "user/one.ipynb")
    write_notebook(root / "user/.hidden.ipynb")
    write_notebook(root / "user/.ipynb_checkpoints/one.ipynb")
    write_notebook(root / "user/deeper/two.ipynb")
    write_notebook(root / ".git/three.ipynb")
    write_notebook(root / "loose.ipynb")
    (root / "user/data.csv").write_text("a\n1\n")
    (root / "user/folder.ipynb").mkdir()
    (root / "user/link.ipynb").symlink_to(outside / "secret.ipynb")
    (root / "user/broken.ipynb").symlink_to(root / "user/nowhere.ipynb")
    (root / "user/disguise.ipynb").symlink_to(root / "user/data.csv")
    (root / "user/again.ipynb").symlink_to("one.ipynb")
    (root / "linked").symlink_to(outside, target_is_directory=True)
    assert names(root) == {"user/one", "user/again"}


def test_a_dashboard_is_found_by_its_exact_names_only(tmp_path: Path) -> None:
    write_notebook(tmp_path / "user/one.ipynb")
    every = dashboards_in(tmp_path)
    assert find(every, "user", "one")
    for group, name in (
        ("User", "one"),
        ("user", "ONE"),
        ("user", "one.ipynb"),
        ("user", "./one"),
        ("user", "../user/one"),
        ("user", "one\0"),
        ("", "user/one"),
        ("..", "one"),
    ):
        assert find(every, group, name) is None


@pytest.mark.parametrize(
    ("cells", "metadata", "title", "description"),
    [
        ([markdown("# Sales\n\nBy month.\n\nMore.")], {}, "Sales", "By month."),
        ([markdown("# Sales\nBy month,\nby town.")], {}, "Sales", "By month, by town."),
        ([code("1"), markdown("Words only.")], {}, "The file name", "Words only."),
        ([code("1")], {}, "The file name", ""),
        ([markdown("# <b>A</b> & *b*\n\n[c](http://x) `d`")], {}, "A & b", "c d"),
        ([markdown("## Two\n\n### Three\n\nText")], {}, "Two", "Text"),
        ([markdown("# Sales")], {"atrium": {"title": "Mine"}}, "Mine", ""),
        ([markdown("# S\n\nd")], {"atrium": {"description": "Other"}}, "S", "Other"),
        ([markdown("# S")], {"atrium": {"title": ["no"]}}, "S", ""),
        ([markdown("# S")], {"atrium": "no"}, "S", ""),
    ],
)
def test_title_and_description(
    tmp_path: Path, cells: list, metadata: dict, title: str, description: str
) -> None:
    write_notebook(tmp_path / "user/the_file-name.ipynb", *cells, **metadata)
    (found,) = dashboards_in(tmp_path)
    assert (found.title, found.description) == (title, description)


def test_long_texts_are_cut(tmp_path: Path) -> None:
    write_notebook(tmp_path / "user/a.ipynb", markdown(f"# {'x' * 500}\n\n{'word ' * 500}"))
    (found,) = dashboards_in(tmp_path)
    assert len(found.title) == 120
    assert len(found.description) <= 300


@pytest.mark.parametrize(
    "content", [b"", b"no json", b"[]", b"{}", b'{"cells": 1}', b'{"cells": [1]}', b"\xff\xfe"]
)
def test_a_file_that_is_no_notebook_is_shown_to_admins_only(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user/bad.ipynb").write_bytes(content)
    every = dashboards_in(tmp_path)
    assert every[0].problem
    assert visible(every, {"user"}) == ()
    assert visible(every, {"admin"}) == every


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "user/a.ipynb", markdown("# One"))
    (before,) = dashboards_in(tmp_path)
    write_notebook(path, markdown("# Two"))
    os.utime(path, ns=(before.modified_ns + 1, before.modified_ns + 1))
    (after,) = dashboards_in(tmp_path)
    assert (before.title, after.title) == ("One", "Two")
    assert before.version != after.version


def test_plain_text_keeps_what_only_looks_like_markup() -> None:
    assert plain_text("2 * 3 * 4 and a_b_c") == "2 * 3 * 4 and a_b_c"
    assert plain_text("a < b > c") == "a < b > c"


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"language": "R", "name": "ir"}}, "R"),
        ({"language_info": {"name": "julia"}}, "julia"),
        ({"kernelspec": {"language": "python"}, "language_info": {"name": "R"}}, None),
        ({"kernelspec": {"language": "Python"}}, None),
        ({"kernelspec": [1], "language_info": "R"}, None),
        ({"kernelspec": {"language": {"of": 1}}}, None),
        ({}, None),
        ({"kernelspec": {"language": "<b>" * 100}}, "<b>" * 9),
    ],
)
def test_a_notebook_for_another_kernel_says_so(
    tmp_path: Path, metadata: dict, language: str | None
) -> None:
    write_notebook(tmp_path / "user/one.ipynb", markdown("# One"), **metadata)
    (found,) = dashboards_in(tmp_path)
    assert found.title == "One" if language is None else found.problem
    assert (found.problem or "").count(f"is written in {language}") == (language is not None)


def test_a_notebook_of_fifty_megabytes_is_not_read(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "user/one.ipynb", markdown("# One"))
    with path.open("ab") as file:
        file.truncate(50 << 20)
    (found,) = dashboards_in(tmp_path)
    assert "Clear its outputs" in (found.problem or "")
