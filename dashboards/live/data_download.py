"""The data behind a dashboard's page, as tables for a spreadsheet: its page asks for them
(static/frame.js).

What is given is what is shown: the rows of a table as they are filtered and sorted, its hidden
columns left out; of a plot the columns that are drawn.

Imports Panel: only `dashboards.live.session_process` may import this module.
"""

from __future__ import annotations

import csv
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
from bokeh.document import Document
from bokeh.models import GlyphRenderer, Plot
from panel.io.state import set_curdoc
from panel.widgets.tables import BaseTable

from dashboards.live.document_parts import parts_of
from dashboards.live.page_message import tell_page

log = logging.getLogger(__name__)

TABLES = "atrium-tables"
"""The page asks what there is; it is told the title and the number of rows of each table."""

DATA = "atrium-data"
"""The page asks for the table of this number; it is told the `csv`, or the `problem` in words."""

LARGEST = 64 << 20
"""Characters of a table that can be downloaded in this way."""

_SERIES = "series"
"""The column that tells lines or points of one plot apart."""

_SIGN = re.compile(r"(?<![;\s\ufeff])([;\s\ufeff]*)(?=[=+\-@＝＋－＠])")  # noqa: RUF001
"""What may begin a formula, and what stands before it."""

_BEGINS = frozenset(";\t\r\n")
"""After them another cell may begin, for a spreadsheet that parts cells in another way."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Some of the data on a page. `frame` makes it; it may be much."""

    title: str
    rows: int
    frame: Callable[[], pd.DataFrame]


def offer(doc: Document) -> None:
    """Answer the page's questions from now on."""
    doc.on_message(TABLES, partial(_tell_tables, doc))
    doc.on_message(DATA, partial(_tell_data, doc))


def tables_of(doc: Document) -> list[Table]:
    """All tables that a document shows, and the data of its plots, in this order."""
    found: list[Table] = []
    for part in _of_panel(doc):
        with _left_out_if_unknown(part):
            found += _PARTS[next(kind for kind in _PARTS if isinstance(part, kind))](part)
    plots = sorted(doc.select({"type": Plot}), key=lambda plot: (len(plot.id), plot.id))
    for number, plot in enumerate(plots, start=1):  # in the order in which they were made
        with _left_out_if_unknown(plot):
            found += _of_plot(plot, number)
    counted: Counter[str] = Counter()
    named = []
    for table in (table for table in found if table.rows):
        counted[table.title] += 1
        number = f" {counted[table.title]}" if counted[table.title] > 1 else ""
        named.append(replace(table, title=table.title + number))
    return named


def as_csv(frame: pd.DataFrame) -> str:
    """A table for a spreadsheet, in which no cell is a formula (OWASP, "CSV Injection").

    All but numbers is in quotes: nothing in it parts cells, by whichever sign.
    """
    frame = frame.copy(deep=False)
    frame.columns = [_harmless(_name(column)) for column in frame.columns]
    for place, kind in enumerate(frame.dtypes):
        column = frame.iloc[:, place]
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)):
            frame.isetitem(place, column.astype(object).map(_harmless, na_action="ignore"))
    return frame.to_csv(index=False, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC)


def _harmless(cell: Any) -> Any:
    if isinstance(cell, Number):  # in a column that holds more than numbers
        return cell
    text = cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
    text = _SIGN.sub(_as_text, text)
    return f"'{text}" if text.startswith(("\t", "\r", "\n")) else text


def _as_text(found: re.Match[str]) -> str:
    begins = found.start() == 0 or not _BEGINS.isdisjoint(found[1])
    return f"{found[1]}'" if begins else found[1]


def _name(column: object) -> str:
    return " ".join(str(part) for part in column) if isinstance(column, tuple) else str(column)


@contextmanager
def _left_out_if_unknown(part: object) -> Iterator[None]:
    """A part whose data is of a kind that nobody here knows must not hold up the others."""
    try:
        yield
    except Exception as error:
        log.info("The data of a %s cannot be read: %s", type(part).__name__, type(error).__name__)


# -- what there is ------------------------------------------------------------------------------


def _of_table(widget: BaseTable) -> Iterator[Table]:
    view = widget.current_view
    if isinstance(view, pd.DataFrame):
        hidden = set(getattr(widget, "hidden_columns", ()))
        yield _table(widget, view, index=bool(widget.show_index), hidden=hidden)


def _of_pane(pane: Any) -> Iterator[Table]:
    frame = getattr(pane.object, "data", pane.object)  # of a styled one
    if isinstance(frame, pd.DataFrame):
        yield _table(pane, frame, index=bool(getattr(pane, "index", True)))


def _of_altair(pane: Any) -> Iterator[Table]:
    frame = getattr(pane.object, "data", None)
    if isinstance(frame, pd.DataFrame):
        yield _table(pane, frame, index=False)


def _of_plotly(pane: Any) -> Iterator[Table]:
    figure = pane.object
    for trace in getattr(figure, "data", ()):
        columns = {
            name: np.asarray(trace[name])
            for name in ("labels", "x", "y", "z", "values", "lat", "lon")
            if name in trace and trace[name] is not None
        }
        title = " – ".join(filter(None, [figure.layout.title.text, trace.name]))
        yield from _of_columns(title or "Plot", columns)


def _table(part: Any, frame: pd.DataFrame, *, index: bool, hidden: Any = ()) -> Table:
    def shown() -> pd.DataFrame:
        whole = frame.reset_index() if index else frame
        return whole.drop(columns=[name for name in whole.columns if name in hidden])

    name = getattr(part, "label", "") or part.name or ""
    # Panel gives a name to what has none: its kind and a number.
    is_given = not re.fullmatch(rf"{type(part).__name__}\d+", name)
    return Table(title=name if name and is_given else "Table", rows=len(frame), frame=shown)


def _of_plot(plot: Any, number: int) -> Iterator[Table]:
    """The columns of its lines, points and bars: those with the same columns and a name of their
    own below each other, those with the same first column beside each other."""
    labels, shapes = _labels(plot), dict[tuple[str, ...], list[pd.DataFrame]]()
    for renderer in plot.renderers:
        if not isinstance(renderer, GlyphRenderer) or not renderer.visible:
            continue
        data: Any = getattr(renderer.data_source, "data", {})
        used = [field for field in _fields(renderer.glyph) if field in data]
        for table in _of_columns("", {field: np.asarray(data[field]) for field in used}):
            frame = table.frame()
            frame[_SERIES] = labels.get(renderer.id, renderer.name or "")
            shapes.setdefault(tuple(used), []).append(frame)
    frames = (whole for alike in shapes.values() for whole in _below(alike))
    for whole in _beside(frames):
        yield Table(title=_title(plot, number), rows=len(whole), frame=lambda whole=whole: whole)


def _below(frames: list[pd.DataFrame]) -> list[pd.DataFrame]:
    names = {frame[_SERIES].iat[0] for frame in frames if len(frame)}
    if 1 < len(names) == len(frames):
        return [pd.concat(frames, ignore_index=True)]
    return [frame.drop(columns=_SERIES) for frame in frames]


def _beside(frames: Iterable[pd.DataFrame]) -> list[pd.DataFrame]:
    found: list[pd.DataFrame] = []
    for frame in frames:
        for place, other in enumerate(found):
            if _SERIES not in other and _SERIES not in frame and _begins_alike(other, frame):
                found[place] = pd.concat(
                    [other, frame.drop(columns=list(other), errors="ignore")], axis=1
                )
                break
        else:
            found.append(frame)
    return found


def _begins_alike(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    return one.columns[0] == other.columns[0] and one.iloc[:, 0].equals(other.iloc[:, 0])


def _of_columns(title: str, columns: dict[str, np.ndarray[Any, Any]]) -> Iterator[Table]:
    """A table of columns of one length, if they are that."""
    if columns and len({column.shape for column in columns.values()}) == 1:
        first = next(iter(columns.values()))
        if first.ndim == 1 and not any(isinstance(v, list | np.ndarray) for v in first[:1]):
            frame = pd.DataFrame(columns)
            yield Table(title=title, rows=len(frame), frame=lambda: frame)


def _fields(glyph: Any) -> list[str]:
    """The columns that a glyph draws, each once."""
    values = [getattr(glyph, name) for name in glyph.dataspecs()]
    fields = [v if isinstance(v, str) else getattr(v, "field", None) for v in values]
    return list(dict.fromkeys(field for field in fields if isinstance(field, str)))


def _labels(plot: Any) -> dict[str, str]:
    items = [item for legend in plot.legend for item in legend.items]
    return {
        renderer.id: label
        for item in items
        for renderer in item.renderers
        if isinstance(label := getattr(item.label, "value", item.label), str)
    }


def _title(plot: Any, number: int) -> str:
    words = getattr(plot.title, "text", "") or ""
    y_axes = [axis.axis_label for axis in plot.left if isinstance(axis.axis_label, str)]
    return words or next(filter(None, y_axes), "") or f"Plot {number}"


_PARTS: dict[type[Any], Callable[[Any], Iterator[Table]]] = {
    BaseTable: _of_table,
    pn.pane.DataFrame: _of_pane,
    pn.pane.Perspective: _of_pane,
    pn.pane.Vega: _of_altair,
    pn.pane.Plotly: _of_plotly,
}


def _of_panel(doc: Document) -> list[Any]:
    return parts_of(doc, tuple(_PARTS))


# -- what the page is told ------------------------------------------------------------------------


def _tell_tables(doc: Document, _: object) -> None:
    with set_curdoc(doc):
        found = [{"title": table.title, "rows": table.rows} for table in tables_of(doc)]
        tell_page(doc, TABLES, {"tables": found})


def _tell_data(doc: Document, number: object) -> None:
    with set_curdoc(doc):
        tell_page(doc, DATA, _data(doc, number))


def _data(doc: Document, number: object) -> dict[str, Any]:
    found = tables_of(doc)
    if not isinstance(number, int) or not 0 <= number < len(found):
        return {"problem": "This is no longer on the page."}
    try:
        table = as_csv(found[number].frame())
    except Exception as error:
        log.info("A table cannot be written: %s", type(error).__name__)
        return {"problem": "This cannot be written as a table."}
    if len(table) > LARGEST:
        return {"problem": "This is more than can be downloaded here. Choose less data."}
    return {"title": found[number].title, "csv": table}
