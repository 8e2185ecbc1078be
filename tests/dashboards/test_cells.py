from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

from dashboards.failure import CannotWork, traceback_of
from dashboards.running.cells import SHOW, cells_of, evaluated, makes_own_page
from dashboards.running.magics import Shell
from tests.dashboards.notebooks import code, markdown, write_notebook


def shown(path: Path) -> list[object]:
    """What the cells of a notebook show when they run."""
    outputs: list[object] = []
    space: dict[str, Any] = {SHOW: outputs.append}
    space["get_ipython"] = lambda: Shell(space, outputs.append)
    for cell in cells_of(path):
        if cell.is_code and (waits := evaluated(cell.code, space)):
            asyncio.run(awaited(waits))
    return [output for output in outputs if output is not None]


async def awaited(waits: Awaitable[object]) -> object:
    return await waits


@pytest.mark.parametrize(
    ("source", "outputs"),
    [
        ("x = 1\nx + 1", [2]),
        ("x = 1\nx + 1;", []),
        ("x = 1", []),
        ("# only a comment", []),
        ("%matplotlib inline\n%%time\n3", [3]),
        ("%%time\n4", [4]),
        ("%%bash\nrm -rf /", []),
        ("!pip install x\n5", [5]),
        ("if True:\n    %load_ext x\n    y = 6\ny", [6]),
        ("x = 7 % 4\nx", [3]),
        ("(1,\n 2)", [(1, 2)]),
        ("x = 'one\n'", SyntaxError),
        ("%time x = 8\nx", [8]),
        ("x = %time 9\nx", [9]),
        ("text = '''\n%no magic\n'''\n!ls\ntext.strip()", ["%no magic"]),
        ("%timeit 1 / 0", []),
        ("len?\n?len\n10", [10]),
        ("%%html\n<b>11</b>", [{"text/html": "<b>11</b>\n"}]),
        ("%%javascript\nalert(1)", []),
        ("%nothing of this name\n12", [12]),
        ("import asyncio\nawait asyncio.sleep(0, 13)", [13]),
        ("files = !ls", CannotWork),
    ],
)
def test_the_last_value_of_a_cell_is_shown(
    tmp_path: Path, source: str, outputs: list[object] | type[Exception]
) -> None:
    if isinstance(outputs, type):
        with pytest.raises(outputs):
            shown(write_notebook(tmp_path / "n.ipynb", code(source)))
        return
    assert shown(write_notebook(tmp_path / "n.ipynb", code(source))) == outputs


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A_TEST=14", "14"),
        ("A_TEST 14", "14"),
        ("A_TEST = 14 and 15 ", "14 and 15"),
        ("A_TEST two words", "two words"),
        ("A_TEST=b=c==", "b=c=="),
        ("A_TEST='14'", "'14'"),
        ("A_TEST=", ""),
        ("A_TEST=$x", "6"),
        ("A_TEST={x + 1}/$x", "7/6"),
        ("A_TEST={no", "{no"),
        ("A_TEST B=14", UsageError),
    ],
)
def test_the_environment_is_set_and_asked_as_ipython_does(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    value: str | type[Exception],
) -> None:
    monkeypatch.setenv("A_TEST", "before")
    path = write_notebook(
        tmp_path / "n.ipynb",
        code(f"%env\nx = 6\n%env {line}\nkept = %env A_TEST\nkept"),
        code("%env"),
    )
    if isinstance(value, str):
        assert shown(path) == [value]
        assert os.environ["A_TEST"] == value
    else:
        with pytest.raises(value):
            shown(path)
    assert not capsys.readouterr().out
    with pytest.raises(UsageError, match="A_TEST_OF_NOBODY"):
        shown(write_notebook(tmp_path / "none.ipynb", code("%env A_TEST_OF_NOBODY")))


def test_an_error_names_its_cell(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", markdown("# T"), code("a = 1"), code("def f(:"))
    with pytest.raises(SyntaxError) as caught:
        shown(path)
    assert caught.value.filename == "n.ipynb, cell 3"
    said = traceback_of(caught.value).splitlines()
    assert said[0].strip() == 'File "n.ipynb, cell 3", line 1'
    assert "def f(:" in said[1]


def test_a_page_of_its_own_is_guessed_from_the_text(tmp_path: Path) -> None:
    own = write_notebook(tmp_path / "a.ipynb", code("pn.extension(template='fast')"))
    plain = write_notebook(tmp_path / "b.ipynb", markdown("template="), code("pn.extension()"))
    assert makes_own_page(cells_of(own))
    assert not makes_own_page(cells_of(plain))


def test_what_is_captured_has_a_name_or_none(tmp_path: Path) -> None:
    sources = ("%%capture kept\n1", "%%capture --no-stderr\n1", "%%time\n1", "x = '%%capture'")
    path = write_notebook(tmp_path / "n.ipynb", *map(code, sources))
    assert [cell.captured for cell in cells_of(path)] == ["kept", "", None, None]


def test_lines_keep_their_numbers_below_magics(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", code("%%time\n%config x\n1 / 0"))
    with pytest.raises(ZeroDivisionError) as caught:
        shown(path)
    assert caught.traceback[-1].lineno == 2  # counted from 0


def test_run_takes_a_module_or_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given.py").write_text("made = before + 1")
    write_notebook(tmp_path / "other.ipynb", code("made += 1"))
    source = "before = 1\n%run given.py\n%run -i given\n%run other.ipynb\nmade"
    assert shown(write_notebook(tmp_path / "n.ipynb", code(source))) == [3]


def test_a_notebook_that_is_run_leaves_no_cell_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_notebook(tmp_path / "n.ipynb", code("%run other.ipynb"))
    write_notebook(
        tmp_path / "other.ipynb", code("1"), code("import asyncio\nawait asyncio.sleep(0)")
    )
    with pytest.raises(CannotWork, match=r"await something.*other\.ipynb"):
        shown(path)
    write_notebook(tmp_path / "other.ipynb", code("1"), code("2\n1 / 0  # of it"))
    with pytest.raises(ZeroDivisionError) as caught:
        shown(path)
    assert "1 / 0  # of it" in traceback_of(caught.value)
