from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.cells import SHOW, cells_of, makes_own_page
from tests.dashboards.notebooks import code, markdown, write_notebook


def shown(path: Path) -> list[object]:
    """What the cells of a notebook show when they run."""
    outputs: list[object] = []
    space = {SHOW: outputs.append}
    for cell in cells_of(path):
        if cell.is_code:
            exec(cell.code, space)
    return outputs


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
    ],
)
def test_the_last_value_of_a_cell_is_shown(
    tmp_path: Path, source: str, outputs: list[object]
) -> None:
    assert shown(write_notebook(tmp_path / "n.ipynb", code(source))) == outputs


def test_an_error_names_its_cell(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", markdown("# T"), code("a = 1"), code("def f(:"))
    with pytest.raises(SyntaxError) as caught:
        shown(path)
    assert caught.value.filename == "n.ipynb, cell 3"


def test_a_page_of_its_own_is_guessed_from_the_text(tmp_path: Path) -> None:
    own = write_notebook(tmp_path / "a.ipynb", code("pn.extension(template='fast')"))
    plain = write_notebook(tmp_path / "b.ipynb", markdown("template="), code("pn.extension()"))
    assert makes_own_page(cells_of(own))
    assert not makes_own_page(cells_of(plain))
