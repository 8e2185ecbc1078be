"""The data behind a page: what is shown and nothing else, as tables that do no harm."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import altair
import numpy as np
import pandas as pd
import panel as pn
import plotly.graph_objects
import pytest
from bokeh.document import Document
from bokeh.plotting import figure
from panel.io.state import set_curdoc

from dashboards.live import data_download
from dashboards.live.data_download import as_csv, tables_of

# Bokeh's own, for pandas to come.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")

FRAME = pd.DataFrame(
    {
        "day": pd.to_datetime(["2025-01-02", "2025-01-01"]),
        "name": ["Zürich", "=cmd|' /C calc'!A0"],
        "count": [-1.5, 2],
        "hidden": ["x", "y"],
    }
)


@pytest.fixture
def doc() -> Iterator[Document]:
    doc = Document()
    with set_curdoc(doc):
        yield doc


def shown(doc: Document, *parts: Any) -> list[tuple[str, str]]:
    """The titles and the texts of the tables on a page with these parts, without quotes."""
    pn.Column(*parts).server_doc(doc)
    return [(one.title, plain(as_csv(one.frame()))) for one in tables_of(doc)]


def plain(text: str) -> str:
    """A table without the quotes that are round each cell that is no number."""
    rows = csv.reader(io.StringIO(text, newline=""))
    return "".join(",".join(cells) + "\n" for cells in rows)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(begin: str) -> None:
    frame = pd.DataFrame({f"{begin}name": [f"{begin}1", None], "kind": pd.Categorical(["@a", "b"])})
    read = pd.read_csv(io.StringIO(as_csv(frame)), keep_default_na=False)
    assert list(read.columns) == [f"'{begin}name", "kind"]
    assert read.to_numpy().tolist() == [[f"'{begin}1", "'@a"], ["", "b"]]


def test_numbers_dates_and_letters_stay_what_they_are() -> None:
    assert as_csv(FRAME[["day", "name", "count"]]).split("\r\n") == [
        '"day","name","count"',
        '"2025-01-02","Zürich",-1.5',
        """"2025-01-01","'=cmd|' /C calc'!A0",2.0""",
        "",
    ]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("x;=1+1", "x;'=1+1"),  # where cells are parted by semicolons
        ("x\t@SUM(A1)", "x\t'@SUM(A1)"),
        ("x\n=1", "x\n'=1"),
        ("x\r \n +1", "x\r \n '+1"),
        ("  =1", "  '=1"),
        ("\ufeff=1", "\ufeff'=1"),
        ("＝1", "'＝1"),  # noqa: RUF001
        ("a;－1", "a;'－1"),  # noqa: RUF001
        (";;-1", ";;'-1"),
        (Path("=1"), "'=1"),
        (["@"], "['@']"),
        (b"=1", "'=1"),
        ("1 - 2 = -1", "1 - 2 = -1"),
        ("well-known", "well-known"),
        (-2, "-2"),
        (np.float64(-2.5), "-2.5"),
        (Decimal("-2.5"), "-2.5"),
    ],
)
def test_no_part_of_a_cell_is_a_formula(cell: object, written: str) -> None:
    frame = pd.DataFrame({"of many kinds": pd.Series([cell, "x"], dtype=object)})
    (first, *_) = list(csv.reader(io.StringIO(as_csv(frame), newline="")))[1]
    assert first == written


def test_a_cell_of_blanks_takes_no_time() -> None:
    began = time.monotonic()
    as_csv(pd.DataFrame({"a": ["\n; " * 100_000]}))
    assert time.monotonic() - began < 2


def test_a_table_is_given_as_it_is_filtered_and_sorted(doc: Document) -> None:
    table = pn.widgets.Tabulator(
        pd.concat([FRAME] * 30), label="Places", pagination="remote", page_size=5, show_index=False
    )
    table.hidden_columns = ["hidden"]
    table.add_filter("Zürich", "name")
    ((title, text),) = shown(doc, table)
    assert title == "Places"
    assert text.splitlines() == ["day,name,count", *["2025-01-02,Zürich,-1.5"] * 30]


def test_a_plot_gives_the_columns_that_it_draws(doc: Document) -> None:
    plot = figure(title="Figures", x_axis_type="datetime")
    plot.line("day", "count", source=dict(FRAME.items()))
    plot.scatter("day", "size", source={"day": FRAME["day"], "size": [1, 2], "secret": [0, 0]})
    bars = figure(title="Bars")
    for name in ("a", "b"):
        bars.vbar("x", top="top", source={"x": ["p"], "top": [1]}, legend_label=name)
    lines = figure()
    lines.multi_line([[1, 2], [3]], [[1, 2], [3]])
    assert shown(doc, plot, lines, bars) == [
        ("Figures", "day,count,size\n2025-01-02,-1.5,1\n2025-01-01,2.0,2\n"),
        ("Bars", "x,top,series\np,1,a\np,1,b\n"),
    ]


def test_others_that_draw_give_theirs(doc: Document) -> None:
    chart = altair.Chart(FRAME[["name", "count"]]).mark_bar().encode(x="name", y="count")
    traces = plotly.graph_objects.Figure(plotly.graph_objects.Scatter(x=[1, 2], y=[3, 4], name="t"))
    found = shown(doc, pn.pane.Vega(chart), pn.pane.Plotly(traces), pn.pane.DataFrame(FRAME))
    assert [title for title, _ in found] == ["Table", "t", "Table 2"]
    assert found[1][1] == "x,y\n1,3\n2,4\n"


def test_what_is_of_no_known_kind_is_left_out(
    doc: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = pn.widgets.Tabulator(FRAME, label="Broken")
    whole = pn.pane.DataFrame(FRAME, name="Whole")
    monkeypatch.setattr(type(broken), "current_view", property(lambda _: 1 / 0))
    assert [title for title, _ in shown(doc, broken, whole)] == ["Whole"]


@pytest.mark.parametrize("number", [-1, 1, "0", None, 0.0, {}])
def test_a_page_that_asks_for_what_is_not_there_is_told_so(doc: Document, number: object) -> None:
    pn.Column(pn.pane.DataFrame(FRAME)).server_doc(doc)
    assert data_download._data(doc, number).keys() == {"problem"}


def test_a_table_can_be_too_much(doc: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    pn.Column(pn.pane.DataFrame(pd.DataFrame({"n": np.arange(100)}))).server_doc(doc)
    assert "csv" in data_download._data(doc, 0)
    monkeypatch.setattr(data_download, "LARGEST", 100)
    assert "Choose less data" in data_download._data(doc, 0)["problem"]
