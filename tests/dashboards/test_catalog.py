from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dashboards import catalog
from dashboards.catalog import dashboards_in, find, plain_text, served_here, visible, words_of
from dashboards.running.data_files import names_in
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
    no_text = Path(os.fsdecode(b"\xff"))  # no address could name it
    write_notebook(root / f"user/{no_text}.ipynb")
    write_notebook(root / no_text / "one.ipynb")
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


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({"atrium": {"owner": "Ann"}, "authors": [{"name": "Bob"}]}, "Ann"),
        ({"atrium": {"owner": ["Ann"]}, "authors": [{"name": "Bob"}]}, "Bob"),
        ({"atrium": {"owner": "  "}, "authors": [{"name": "Bob"}, {"name": "Eve"}]}, "Bob"),
        ({"authors": [{"name": {"first": "Bob"}}]}, ""),
        ({"authors": ["Bob"]}, ""),
        ({"authors": []}, ""),
        ({"authors": {"name": "Bob"}}, ""),
        ({"atrium": ["owner"]}, ""),
        ({}, ""),
    ],
)
def test_the_owner(tmp_path: Path, metadata: dict, owner: str) -> None:
    write_notebook(tmp_path / "user/a.ipynb", **metadata)
    (found,) = dashboards_in(tmp_path)
    assert found.owner == owner


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        (["sales", " week  ly ", "Sales", ""], ("sales", "week ly")),
        ([f"t{number}" for number in range(50)], tuple(f"t{number}" for number in range(8))),
        (["x" * 30, "x" * 31, "x" * 10**6], ("x" * 30,)),
        ([1, None, ["a"], {"b": 1}, "c"], ("c",)),
        ("sales", ()),
        ({"sales": 1}, ()),
        (7, ()),
    ],
)
def test_tags_are_a_few_short_texts(tmp_path: Path, tags: object, kept: tuple[str, ...]) -> None:
    write_notebook(tmp_path / "user/a.ipynb", atrium={"tags": tags})
    (found,) = dashboards_in(tmp_path)
    assert found.tags == kept


def test_signs_that_do_not_print_are_left_out(tmp_path: Path) -> None:
    # A lone surrogate could not be sent, and what turns the direction would turn its neighbours.
    odd = "a\ud800b\u202ec\u0000d\u200b\ue000"
    write_notebook(
        tmp_path / "user/a.ipynb",
        markdown(f"# {odd}\n\n{odd}"),
        atrium={"owner": odd, "tags": [odd, "\u202e", "x\u200cy"]},
    )
    (found,) = dashboards_in(tmp_path)
    assert {found.title, found.description, found.owner, found.tags[0]} == {"abcd"}
    assert found.tags == ("abcd", "x\u200cy")


def test_data_is_as_fresh_as_the_newest_file_that_the_code_names(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "user"
    source = """
    pd.read_csv("old.csv"); open('deep/new.csv'); open("./deep//x.csv")
    open("../outside.csv"); open("/etc/hostname.csv"); open(f"{name}.csv"); open("a\0.csv")
    open("linked.csv"); open("links/new.csv"); open("folder.csv"); open(".env.csv")
    open("gone.csv"); open("a.ipynb"); open("code.py"); open("logo.PNG")
    open("*.csv"); open("\ud800.csv")
    """
    write_notebook(folder / "a.ipynb", markdown('"unnamed.csv"'), code("1"), code(source))
    outside = tmp_path / "root" / "outside.csv"
    later = ("unnamed.csv", "code.py", "logo.PNG", ".env.csv", "other.csv", "../outside.csv")
    for number, name in enumerate(("old.csv", "deep/new.csv", *later), start=1):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("1")
        os.utime(path, (number, number))
    (folder / "folder.csv").mkdir()
    (folder / "linked.csv").symlink_to(outside)
    (folder / "links").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "new.csv").write_text("1")
    (found,) = dashboards_in(tmp_path / "root")
    assert found.data_ns == 2 * 10**9
    os.utime(folder / "old.csv", (1_000, 1_000))  # the notebook has not changed
    (found,) = dashboards_in(tmp_path / "root")
    assert found.data_ns == 1_000 * 10**9


def test_code_that_names_nothing_has_no_data_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    (tmp_path / "user/data.csv").write_text("1")
    write_notebook(tmp_path / "user/a.ipynb", code("read('data' + '.csv')  # data.csv"))
    (found,) = dashboards_in(tmp_path)
    assert found.data_ns == 0


def test_names_of_data_have_an_end() -> None:
    many = "".join(f"open('{number}.csv');" for number in range(10_000))
    assert len(names_in([many, many])) == 50
    assert names_in(["'" + "a." * 2_000_000, "x = 'late.csv'"]) == ()


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


@pytest.mark.parametrize(
    "hostile", ["[", "![", "[](", "<!--", "<a", "*a", "`", "# <a\n", "# ![](\n", "&", " \n", "_a"]
)
def test_no_markdown_takes_long_to_read(hostile: str) -> None:
    notebook = {"cells": [markdown(hostile * (20_000 // len(hostile)) + " end")]}
    began = time.process_time()
    words_of(notebook)
    assert time.process_time() - began < 0.5


def test_what_the_metadata_says_is_not_looked_for_in_the_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalog, "_first_words", lambda _: pytest.fail("it was read"))
    said = {"atrium": {"title": "Sales", "description": "By month."}}
    words = words_of({"cells": [markdown("# Other")], "metadata": said})
    assert (words.title, words.description) == ("Sales", "By month.")


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
