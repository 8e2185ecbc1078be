from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards import compiled
from dashboards.cells import Cell, cells_of
from tests.dashboards.notebooks import code, markdown, write_notebook


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What holds the notebooks, and a place for the code of those in `user`."""
    (tmp_path / "shared" / "user" / compiled.CODE).mkdir(parents=True)
    (tmp_path / "notebooks" / "user").mkdir(parents=True)
    return tmp_path


def place(root: Path) -> Path:
    return root / "shared" / "user" / compiled.CODE


def notebook(root: Path, *sources: str, name: str = "one") -> Path:
    path = root / "notebooks" / "user" / f"{name}.ipynb"
    return write_notebook(path, markdown("# Title"), *map(code, sources))


def kept(root: Path) -> list[Path]:
    compiled.keep_all(root / "notebooks", root / "shared")
    return sorted(place(root).iterdir())


def codes(cells: tuple[Cell, ...]) -> list[object]:
    """What of each cell has been compiled, without compiling it."""
    return [vars(cell).get("code") for cell in cells]


def test_a_notebook_is_compiled_once_for_all(root: Path) -> None:
    path = notebook(root, "x = 1", "x + 1")
    kept(root)
    cells = cells_of(path)
    assert codes(cells) == [None] * 3
    assert compiled.use_kept(cells, place(root))
    found = codes(cells)
    assert found[0] is None
    fresh = [cell.code for cell in cells_of(notebook(root, "x = 1 ", "x + 1"))[1:]]
    assert [one.co_code for one in found[1:]] == [one.co_code for one in fresh]
    assert found[2].co_filename == "one.ipynb, cell 3"


def test_shared_cells_have_their_import_lines_too(root: Path) -> None:
    path = root / "notebooks" / "user" / "one.ipynb"
    write_notebook(path, code("import os\nx = os.getpid()", "shared"))
    kept(root)
    cells = cells_of(path)
    compiled.use_kept(cells, place(root))
    assert {"code", "imports"} <= vars(cells[0]).keys()


def test_what_has_changed_is_not_taken_for_what_is_kept(root: Path) -> None:
    notebook(root, "x = 1")
    (before,) = kept(root)
    changed = cells_of(notebook(root, "x = 22"))
    assert not compiled.use_kept(changed, place(root))
    (after,) = kept(root)
    assert before != after
    assert compiled.use_kept(changed, place(root))


@pytest.mark.parametrize("change", [{"is_code": True}, {"place": "two.ipynb, cell 1"}])
def test_what_only_looks_the_same_has_another_name(change: dict[str, object]) -> None:
    cell = {"place": "one.ipynb, cell 1", "is_code": False, "source": "x"}
    assert compiled._name([Cell(**cell)]) != compiled._name([Cell(**cell | change)])


def test_outputs_do_not_count(root: Path) -> None:
    path = notebook(root, "x = 1")
    before = kept(root)
    path.write_text(path.read_text().replace('"outputs": []', '"outputs": [{"text": "1"}]'))
    assert kept(root) == before


def test_a_cell_that_is_no_python_is_told_by_its_name_as_ever(root: Path) -> None:
    path = notebook(root, "x = 1", "def f(:")
    kept(root)
    cells = cells_of(path)
    assert compiled.use_kept(cells, place(root))
    with pytest.raises(SyntaxError) as caught:
        _ = cells[2].code
    assert caught.value.filename == "one.ipynb, cell 3"


@pytest.mark.parametrize("left", [b"", b"\x00", b"[\xff\xff\xff\x7f"])
def test_what_is_kept_badly_is_compiled_anew(root: Path, left: bytes) -> None:
    path = notebook(root, "x = 1")
    (file,) = kept(root)
    file.write_bytes(left)
    cells = cells_of(path)
    assert not compiled.use_kept(cells, place(root))
    assert cells[1].code


def test_who_may_not_read_the_notebook_may_not_read_its_code(root: Path) -> None:
    path = notebook(root, "password = 'secret'")
    path.chmod(0o640)
    assert [file.stat().st_mode & 0o777 for file in kept(root)] == [0o440]
    path.chmod(0o600)
    assert [file.stat().st_mode & 0o777 for file in kept(root)] == [0o400]


def test_no_link_is_followed_to_what_only_we_can_read(root: Path) -> None:
    secret = write_notebook(root / "secret.ipynb", code("password = 'secret'"))
    link = root / "notebooks" / "user" / "one.ipynb"
    link.symlink_to(secret)
    assert kept(root) == []
    with pytest.raises(OSError, match="symbolic"):
        compiled._read(link)  # as if it had become one after we have looked


def test_a_pipe_holds_nobody_up(root: Path) -> None:
    pipe = root / "notebooks" / "user" / "one.ipynb"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no file"):
        compiled._read(pipe)


@pytest.mark.parametrize(
    "source",
    ["(" * 100_000, "-" * 100_000 + "1", "x = " + "1+" * 100_000 + "1", "x = '\0'", "\ud800"],
    ids=["parentheses", "minus", "sum", "null", "surrogate"],
)
def test_what_is_too_much_for_the_compiler_keeps_no_other_from_its_code(
    root: Path, source: str
) -> None:
    notebook(root, source, name="bad")
    good = cells_of(notebook(root, "x = 1", name="good"))
    asked = [sys.executable, "-I", "-m", "dashboards.compiled"]
    subprocess.run([*asked, str(root / "notebooks"), str(root / "shared")], check=True)
    assert compiled.use_kept(good, place(root))


def test_a_folder_without_a_place_is_left_out(root: Path) -> None:
    write_notebook(root / "notebooks" / "finance" / "one.ipynb", code("x = 1"))
    kept(root)
    assert os.listdir(root / "shared") == ["user"]
