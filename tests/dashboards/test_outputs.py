from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
import pytest
from IPython.display import HTML, JSON, SVG, Image, Latex, Markdown

from dashboards.output_panes import LONGEST, MOST_ROWS, html_of, panes_of
from dashboards.outputs import (
    MORE_TEXT,
    MOST,
    MOST_TEXT,
    Bundle,
    Displayed,
    Outputs,
    Printed,
    clear_output,
    display,
    draw_figures,
    update_display,
)

PNG = b"\x89PNG\r\n\x1a\n"


def collected(act: Callable[[], object]) -> Outputs:
    with Outputs().collected() as outputs:
        act()
    return outputs


def panes(*values: object) -> list[Any]:
    return list(panes_of(Displayed(value) for value in values))


def text_of(pane: Any) -> str:
    """The words of a pane and those inside it."""
    if isinstance(pane, pn.Column):
        return " ".join(map(text_of, pane))
    return str(pane.object)


def prints() -> None:
    sys.stdout.write("one\n")
    sys.stderr.write("two\n")
    display(3)
    sys.stdout.write("10 %\r100 %")
    sys.stdout.write("\x1b[31mred\x1b[0m\r\n")


def test_what_is_shown_comes_in_its_order() -> None:
    assert collected(prints).items == [
        Printed("one\n"),
        Printed("two\n", is_error=True),
        Displayed(3),
        Printed("100 %red\n"),
    ]


def test_what_is_written_over_goes_and_takes_no_time() -> None:
    outputs = Outputs()
    for text in ("done\nhalf", " of it\rall", "\r\n", "1\r2\r\n3\r4"):
        outputs.write(text, is_error=False)
    assert outputs.items == [Printed("done\nall\n2\n4")]
    began = time.process_time()
    outputs.write("\n" * 50_000 + "x\r\r\n" * 10_000, is_error=False)
    for number in range(5_000):
        outputs.write(f"{number} %\r", is_error=False)
    assert time.process_time() - began < 2


def test_too_much_text_and_too_many_outputs_are_cut(capfd: pytest.CaptureFixture[str]) -> None:
    (printed,) = collected(lambda: [print("x" * 999) for _ in range(1000)]).items  # noqa: T201
    assert isinstance(printed, Printed)
    assert len(printed.text) == MOST_TEXT + 1 + len(MORE_TEXT)
    assert len(capfd.readouterr().out) < 2 * MOST_TEXT  # the log is not flooded either
    shown = collected(lambda: [display(n) for n in range(MOST + 50)]).items
    assert len(shown) == MOST + 1
    assert "more than the first" in shown[-1].text  # type: ignore[union-attr]


def test_a_bar_of_progress_is_heard_and_leaves_its_last_state() -> None:
    heard: list[int] = []
    outputs = Outputs(heard.append)
    with outputs.collected():
        for percent in range(0, 101, 10):
            sys.stderr.write(f"\r{percent:3d}%|##  | {percent}/100")
    assert heard == list(range(0, 101, 10))
    assert outputs.items == [Printed("100%|##  | 100/100", is_error=True)]


def test_something_else_is_shown_in_the_same_place() -> None:
    def act() -> None:
        handle = display("a", display_id=True)
        display("b")
        handle.update("c")

    values = [item.value for item in collected(act).items]  # type: ignore[union-attr]
    assert values == ["c", "b"]


def test_each_place_has_a_name_of_its_own_or_none() -> None:
    def act() -> None:
        names = {display(number, display_id=True).display_id for number in range(50)}
        assert len(names) == 50
        display("unnamed")
        for none in ("", None):
            with pytest.raises(TypeError, match="display_id required"):
                update_display("instead", display_id=none)

    values = [item.value for item in collected(act).items]  # type: ignore[union-attr]
    assert values == [*range(50), "unnamed"]


def test_cleared_output_is_gone() -> None:
    def act() -> None:
        display(1)
        clear_output(wait=True)
        display(2)

    outputs = collected(act)
    assert (outputs.items, outputs.was_cleared) == ([Displayed(2)], True)
    display(3)  # no cell runs: it is shown nowhere, and is no error
    assert outputs.items == [Displayed(2)]


def test_figures_come_where_they_are_shown() -> None:
    import matplotlib.pyplot as plt

    def act() -> None:
        plt.plot([1, 2])
        draw_figures()
        display("between")
        plt.figure()
        figure = plt.figure()
        display(figure)

    values = [item.value for item in collected(act).items]  # type: ignore[union-attr]
    assert [type(value).__name__ for value in values] == ["Figure", "str", "Figure", "Figure"]
    assert plt.get_fignums() == []
    assert all(isinstance(pane, pn.pane.Matplotlib) for pane in panes(values[0], values[2]))


def test_the_replies_of_what_draws_are_not_shown() -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2)
    replies = (axes, axes[0, 0], axes[0, 0].plot([1]), plt.hist([1, 2]), plt.title("x"))
    plt.close("all")
    assert panes(*replies) == []
    assert len(panes(figure, [1, 2], (3,), np.array([1, 2]))) == 4


class Bad:
    def _repr_html_(self) -> str:
        raise ValueError("no")

    def __repr__(self) -> str:
        return "<bad>"


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("<b>x</b>", pn.pane.HTML, "&#x27;&lt;b&gt;x&lt;/b&gt;&#x27;"),
        ({"a": 1}, pn.pane.HTML, "{&#x27;a&#x27;: 1}"),
        (print, pn.pane.HTML, "print"),
        (lambda: 1 / 0, pn.pane.HTML, "lambda"),
        (HTML("<i>x</i>"), pn.pane.HTML, "<i>x</i>"),
        (Markdown("*x*"), pn.pane.Markdown, "*x*"),
        (Latex("$x$"), pn.pane.Markdown, "$x$"),
        (SVG("<svg xmlns='http://www.w3.org/2000/svg'/>"), pn.pane.HTML, "<svg"),
        (JSON({"a": 1}), pn.pane.JSON, "{'a': 1}"),
        (Image(PNG, format="png"), pn.pane.HTML, "data:image/png;base64,iVBOR"),
        (Bundle({"text/plain": "x", "text/html": ["<u>", "</u>"]}), pn.pane.HTML, "<u></u>"),
        (HTML("x" * (LONGEST + 1)), pn.pane.HTML, "too large"),
        ("x" * (MOST_TEXT * 2), pn.pane.HTML, MORE_TEXT),
        (pd.Timestamp("2026-01-31"), pn.pane.HTML, "Timestamp"),
        (pn.widgets.IntSlider, pn.pane.HTML, "IntSlider"),
    ],
)
def test_an_object_is_shown_as_jupyter_shows_it(value: object, kind: type, text: str) -> None:
    (pane,) = panes(value)
    assert type(pane) is kind
    assert text in str(pane.object)


def test_an_object_that_cannot_say_what_it_is_spoils_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (pane,) = panes(Bad())
    assert "&lt;bad&gt;" in pane.object
    assert "ValueError: no" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pd.DataFrame({"a": range(1_000_000)}), "the first 100 of 1,000,000 rows"),
        (pd.Series(range(5_000)), "the first 100 of 5,000 rows"),
        (pd.DataFrame([range(3_000)]), "the first 60 of 3,000 columns"),
        (pd.DataFrame({"a": range(500)}).style.highlight_max(), "the first 100 of 500 rows"),
        (pd.DataFrame({"a": range(50)}), "50 rows"),
    ],
)
def test_a_large_table_shows_its_beginning_and_says_so(table: Any, words: str) -> None:
    pd.set_option("display.max_rows", None)
    try:
        (pane,) = panes(table)
        assert words in text_of(pane)
        (inside,) = pane.select(pn.pane.DataFrame)
        assert len(inside.object) <= MOST_ROWS
        assert len("".join(html_of([Displayed(table)]))) < 200_000
    finally:
        pd.reset_option("display.max_rows")


def test_what_is_shown_in_an_ipywidget_is_html() -> None:
    import matplotlib.pyplot as plt

    figure = plt.figure()
    plt.close("all")
    items = [Printed("<b>"), Displayed(figure), Displayed(Markdown("*x*")), Displayed(HTML("<u>"))]
    text, picture, slanted, raw = html_of(items)
    assert "&lt;b&gt;" in text
    assert picture.startswith('<img alt="" src="data:image/png;base64,')
    assert "<em>x</em>" in slanted
    assert raw == "<u>"
