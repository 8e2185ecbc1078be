"""What cells have shown (`dashboards.running.outputs`) -> what Panel draws of it, as Jupyter would.

Imports Panel: only modules that run dashboards may import this one.
"""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator
from html import escape, unescape
from io import BytesIO
from types import FunctionType, MethodType
from typing import Any

import pandas as pd
import panel as pn
from panel.pane.markup import HTMLBasePane
from panel.viewable import Viewable

from dashboards.running.outputs import MORE_TEXT, MOST_TEXT, Bundle, Displayed, Printed, Prose

MOST_ROWS, MOST_COLUMNS = 100, 60
"""Of a larger table these are shown."""

LONGEST = 8_000_000
"""Characters of an output as Jupyter has it; a longer one is not shown."""

_TEXT = (
    "font: 14px/1.5 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; margin: 0;"
    " overflow: auto; overflow-wrap: anywhere; max-height: 460px;"
)
_NOTE = {"color": "var(--ink-soft)", "font-size": "14px"}
#: ipywidgets are drawn for a light page; so they stand on one.
_LIGHT = {"background": "#ffffff", "color": "#1d2528", "border-radius": "8px", "padding": "8px"}
#: Kinds of text, the one to be shown first.
_KINDS = (
    *("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "image/gif"),
    *("text/latex", "application/json", "text/plain"),
)
_CHART = re.compile(r"application/vnd\.(plotly|vega(?:lite)?)\.v\d+(?:\.\d+)*\+json")
_DRAWING = ("matplotlib.", "seaborn.")


def panes_of(items: Iterable[Printed | Displayed | Prose]) -> Iterator[Viewable]:
    """What there is to draw of them, in order."""
    for item in items:
        match item:
            case Prose(markdown):
                yield pn.pane.Markdown(markdown)
            case Printed(text, is_error) if text.strip():
                yield _text(text.strip("\n"), is_error=is_error)
            case Displayed(value):
                yield from _panes_of_value(value)


def html_of(items: Iterable[Printed | Displayed | Prose]) -> Iterator[str]:
    """The same as HTML, for an ipywidget; what only a script draws, as text."""
    return (part for pane in panes_of(items) for part in _html(pane))


def _html(pane: Any) -> Iterator[str]:
    if isinstance(pane, pn.Column):
        yield from (part for one in pane for part in _html(one))
    elif isinstance(pane, pn.pane.Matplotlib):
        pane.object.savefig(file := BytesIO(), format="png", bbox_inches="tight")
        yield _image("image/png", _base64(file.getvalue()))
    elif isinstance(pane, pn.pane.DataFrame):
        yield pane.object.to_html()
    elif isinstance(pane, HTMLBasePane) and not isinstance(pane, pn.pane.JSON):
        yield unescape(pane._transform_object(pane.object)["object"])
    else:
        yield f"<pre>{escape(repr(getattr(pane, 'object', pane)))}</pre>"


def _panes_of_value(value: Any) -> Iterator[Viewable]:
    if isinstance(value, pd.DataFrame | pd.Series) or _is_styler(value):
        yield _table(value)
    elif isinstance(value, Bundle):
        yield from _panes_of_bundle(dict(value.data))
    elif isinstance(value, Viewable):
        yield value
    elif _has_pane(value):
        yield _drawn(pn.panel(value))
    elif not _is_of_drawing(value):
        yield from _panes_of_bundle(_bundle_of(value))


def _has_pane(value: Any) -> bool:
    """Whether Panel draws this kind of thing otherwise than by the texts that Jupyter takes."""
    if isinstance(value, str | bytes | dict | list | tuple | type):
        return False
    if isinstance(value, FunctionType | MethodType) and not hasattr(value, "_dinfo"):
        return False  # Panel would call it
    try:
        kind: Any = pn.pane.PaneBase.get_pane_type(value)
    except Exception:
        return False
    return kind is pn.pane.Matplotlib or not issubclass(kind, HTMLBasePane | pn.pane.LaTeX)


def _drawn(pane: Any) -> Viewable:
    if isinstance(pane, pn.pane.Matplotlib):
        pane.param.update(tight=True, sizing_mode="scale_width", max_width=760, align="start")
    elif isinstance(pane, pn.pane.IPyWidget):
        return pn.Column(pane, styles=_LIGHT)
    return pane


def _is_of_drawing(value: Any, depth: int = 2) -> bool:
    """Whether something is only the reply of what draws, such as the axes of a plot."""
    if type(value).__module__.startswith(_DRAWING):
        figure = sys.modules.get("matplotlib.figure")
        return figure is None or not isinstance(value, figure.Figure)
    if depth and isinstance(value, list | tuple | dict):
        parts = list(value.values() if isinstance(value, dict) else value)[:50]
        return any(_is_of_drawing(part, depth - 1) for part in parts)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype == object:
        return any(_is_of_drawing(part) for part in value.flat[:50])
    return False


def _is_styler(value: Any) -> bool:
    return type(value).__module__ == "pandas.io.formats.style"


def _table(value: Any) -> Viewable:
    """A table's first rows and columns, and how many there are."""
    data = value.data if _is_styler(value) else value
    data = data.to_frame() if isinstance(data, pd.Series) else data
    rows, columns = data.shape
    kept = []
    if rows > MOST_ROWS:
        kept.append(f"the first {MOST_ROWS} of {rows:,} rows")
    if columns > MOST_COLUMNS:
        kept.append(f"the first {MOST_COLUMNS} of {columns:,} columns")
    if not kept:
        shown, note = value, f"{rows:,} {'row' if rows == 1 else 'rows'}" if rows > 20 else ""
    else:
        shown, note = data.iloc[:MOST_ROWS, :MOST_COLUMNS], f"These are {' and '.join(kept)}."
    scrolls = {"overflow": "auto", "max-height": "460px"}
    table = pn.pane.DataFrame(shown, sizing_mode=None, max_width=None, width=None)
    parts: list[Viewable] = [pn.Column(table, styles=scrolls, sizing_mode="stretch_width")]
    if note:
        parts.append(pn.pane.HTML(note, styles=_NOTE))
    return pn.Column(*parts)


def _text(text: str, *, is_error: bool = False) -> Viewable:
    more = f"\n{MORE_TEXT}" if len(text) > MOST_TEXT + len(MORE_TEXT) else ""
    colour = "var(--ink-soft)" if is_error else "inherit"
    # What is long scrolls in its place, by the keyboard too.
    place = ' tabindex="0"' if text.count("\n") > 20 or len(text) > 2000 else ""
    return pn.pane.HTML(
        f'<pre{place} style="{_TEXT} color: {colour}">{escape(text[:MOST_TEXT])}{more}</pre>'
    )


def _bundle_of(value: Any) -> dict[str, Any]:
    """A value as IPython's own rules have it."""
    from IPython.core.formatters import DisplayFormatter

    data, _ = DisplayFormatter().format(value)
    return {
        kind: _base64(found) if isinstance(found, bytes) else found for kind, found in data.items()
    }


def _image(kind: str, data: str) -> str:
    return f'<img alt="" src="data:{kind};base64,{escape(data)}" style="max-width: 100%">'


def _base64(found: bytes) -> str:
    return b64encode(found).decode()


def _panes_of_bundle(data: dict[str, Any]) -> Iterator[Viewable]:
    for kind, found in data.items():
        if (chart := _CHART.fullmatch(kind)) and isinstance(found, dict):
            yield pn.pane.Plotly(found) if chart[1] == "plotly" else pn.pane.Vega(found)
            return
    kind = next((kind for kind in _KINDS if kind in data), None)
    if kind is None:
        return
    found = data[kind]
    if isinstance(found, list):
        found = "".join(map(str, found))
    if kind not in {"application/json", "text/plain"} and len(str(found)) > LONGEST:
        yield pn.pane.HTML("This output is too large to be shown.", styles=_NOTE)
    elif kind == "application/json":
        yield pn.pane.JSON(found, depth=2)
    elif kind in {"text/markdown", "text/latex"}:
        yield pn.pane.Markdown(str(found))
    elif kind == "text/plain":
        yield _text(str(found))
    elif kind.startswith("image/") and kind != "image/svg+xml":
        yield pn.pane.HTML(_image(kind, "".join(str(found).split())))
    else:
        yield pn.pane.HTML(str(found))
