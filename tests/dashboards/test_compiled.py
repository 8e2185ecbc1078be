from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.running.cells import Cell, content_in, content_of
from dashboards.running.compiled import code_of, use_kept
from tests.dashboards.notebooks import code, markdown, write_notebook


def notebook(folder: Path, *sources: str) -> Path:
    return write_notebook(folder / "one.ipynb", markdown("# Title"), *map(code, sources))


def keep(path: Path) -> Path:
    """Keep the code of a notebook beside it."""
    file = path.with_name(f"code-{content_of(path).digest}")
    file.write_bytes(code_of(path.name, path.read_bytes()))
    return file


def used(path: Path) -> list[Cell]:
    """The cells of a notebook, with what is kept for them."""
    content = content_in(path.name, path.read_bytes())
    use_kept(content, path.parent)
    return list(content.cells)


def is_compiled(cell: Cell) -> bool:
    return "code" in vars(cell)


def test_what_is_kept_is_not_compiled_again(tmp_path: Path) -> None:
    path = notebook(tmp_path, "x = 1", "x + 1")
    assert not any(map(is_compiled, used(path)))
    keep(path)
    title, first, last = used(path)
    assert not is_compiled(title)
    assert is_compiled(first)
    assert is_compiled(last)
    assert last.code.co_code == content_of(path).cells[2].code.co_code
    assert last.code.co_filename == "one.ipynb, cell 3"


def test_shared_cells_have_their_import_lines_too(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "one.ipynb", code("import os\nx = os.getpid()", "shared"))
    keep(path)
    assert {"code", "imports"} <= vars(used(path)[0]).keys()


def test_what_has_changed_is_not_taken_for_what_is_kept(tmp_path: Path) -> None:
    keep(notebook(tmp_path, "x = 1"))
    assert not any(map(is_compiled, used(notebook(tmp_path, "x = 2"))))
    assert is_compiled(used(notebook(tmp_path, "x = 1"))[1])
    renamed = notebook(tmp_path, "x = 1").rename(tmp_path / "two.ipynb")
    assert not any(map(is_compiled, used(renamed)))  # its name stands in tracebacks


def test_a_cell_that_is_no_python_is_told_by_its_name_as_ever(tmp_path: Path) -> None:
    path = notebook(tmp_path, "x = 1", "def f(:")
    keep(path)
    _, good, bad = used(path)
    assert is_compiled(good)
    with pytest.raises(SyntaxError) as caught:
        _ = bad.code
    assert caught.value.filename == "one.ipynb, cell 3"


@pytest.mark.parametrize("left", [b"", b"\x00", b"[\xff\xff\xff\x7f"])
def test_what_is_kept_badly_is_compiled_anew(tmp_path: Path, left: bytes) -> None:
    path = notebook(tmp_path, "x = 1")
    keep(path).write_bytes(left)
    assert used(path)[1].code


NESTED = "".join(f"{' ' * depth}try: pass\n{' ' * depth}finally:\n" for depth in range(20))


@pytest.mark.parametrize(
    "source",
    [
        *("(" * 100_000, "-" * 100_000 + "1", "!ls\n" + "-" * 100_000, "x = " + "1+" * 100_000),
        *("x = '\0'", "\ud800", NESTED + " " * 20 + "pass", "x = 'a' * 10 ** 9"),
    ],
    ids=["parentheses", "minus", "magics", "sum", "null", "surrogate", "finally", "text"],
)
def test_the_compiler_comes_to_an_end(tmp_path: Path, source: str) -> None:
    path = notebook(tmp_path, "y = 1", source)
    asked = [sys.executable, "-I", "-m", "dashboards.running.compiled", path.name]
    with (tmp_path / "left").open("wb") as file, path.open("rb") as given:
        done = subprocess.run(
            asked, stdin=given, stdout=file, stderr=subprocess.PIPE, text=True, timeout=30
        )
    assert file.name
    assert (tmp_path / "left").stat().st_size <= 16 << 20
    if done.returncode == 0:
        content = content_in(path.name, path.read_bytes())
        (tmp_path / "left").rename(tmp_path / f"code-{content.digest}")
        use_kept(content, tmp_path)
        assert is_compiled(content.cells[1])
