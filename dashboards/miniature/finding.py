"""What a document shows first, in the order in which it is seen, and its place in a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import panel as pn
from bokeh.document import Document
from bokeh.models import Column, GridBox, Plot, Row, Tabs
from bokeh.models import GridPlot as BokehGridPlot
from matplotlib.figure import Figure
from panel.io.state import state

from dashboards.miniature import bokeh_plots, numbers, plotly_figures, vega_charts
from dashboards.miniature.colours import Colours
from dashboards.miniature.sketch import Sketch

_LOW: Final = 120  # pixels; a lower plot is a decoration beside a larger one
_LOOKED_AT: Final = 5_000  # models of a document
_NOT_MAIN: Final = frozenset({"nav", "header", "modal"})  # parts of a page template
_ROOM: Final = 0.035  # of the height, round a plot


class Box(NamedTuple):
    """A part of a picture, from 0 to 1, from its lower left."""

    left: float
    bottom: float
    width: float
    height: float


Draw = Callable[[Figure, Box, Colours], bool]


@dataclass(frozen=True)
class Seen:
    """Something that a document shows.

    Attributes:
        draw: draws it into a part of a picture; whether it could.
        rank: 0 for plots, 1 for numbers, 2 for tables: the lowest of a document are shown.
        is_low: it is less high than what is looked at for itself.
        path: the layouts that it is in, from the outermost: each with whether it is a row.
    """

    draw: Draw
    rank: int
    is_low: bool
    path: tuple[tuple[str, bool], ...]


def seen_in(document: Document) -> list[Seen]:
    """What is worth a picture, in order; all of one rank."""
    panes = dict(_panes(document))
    roots = [root for root in document.roots if not _NOT_MAIN.intersection(root.tags)]
    found = [one for root in roots for one in _walk(root, panes, (("", False),), [_LOOKED_AT])]
    rank = min((one.rank for one in found), default=0)
    found = [one for one in found if one.rank == rank]
    return [one for one in found if not one.is_low] or found


def arranged(seen: list[Seen]) -> list[tuple[Seen, Box]]:
    """Up to four of them with the parts of the picture that they get."""
    whole, half = Box(0, 0, 1, 1), 0.5
    left, right = Box(0, 0, half, 1), Box(half, 0, half, 1)
    upper, lower = Box(0, half, 1, half), Box(0, 0, 1, half)
    quarters = [Box(x, y, half, half) for y in (half, 0) for x in (0, half)]
    if len(seen) == 2:
        boxes = [left, right] if _beside(*seen) else [upper, lower]
    elif len(seen) == 3:
        if _beside(seen[0], seen[1]) and not _beside(seen[0], seen[2]):
            boxes = [*quarters[:2], lower]
        else:
            boxes = [upper, *quarters[2:]]
    else:
        boxes = [whole] if len(seen) == 1 else quarters
    return list(zip(seen, boxes, strict=False))


def _beside(one: Seen, other: Seen) -> bool:
    """Whether the innermost layout that they share is a row."""
    shared = False
    for step, its in zip(one.path, other.path, strict=False):
        if step != its:
            break
        shared = step[1]
    return shared


def _panes(document: Document) -> Iterator[tuple[str, Any]]:
    """Panel's objects by the ids of the models that they made."""
    for view, _, shown_in, _ in list(state._views.values()):
        if shown_in is document and isinstance(view, pn.viewable.Viewable):
            for one in view.select():
                for model, _ in getattr(one, "_models", {}).values():
                    yield model.id, one


def _walk(
    model: Any, panes: dict[str, Any], path: tuple[tuple[str, bool], ...], left: list[int]
) -> Iterator[Seen]:
    left[0] -= 1
    pane = panes.get(getattr(model, "id", ""))
    is_visible = getattr(model, "visible", True) and getattr(pane, "visible", True)
    if left[0] < 0 or not is_visible:
        return
    draw, rank = _drawing(model, pane)
    if draw:
        height = getattr(model, "height", None) or getattr(model, "min_height", None) or _LOW
        yield Seen(draw, rank, rank == 0 and height < _LOW, path)
        return
    for step, child in _children(model):
        yield from _walk(child, panes, (*path, *step), left)


def _children(model: Any) -> Iterator[tuple[tuple[tuple[str, bool], ...], Any]]:
    """What a layout shows first, each with the steps that lead to it."""
    own = (model.id, isinstance(model, Row))
    children = getattr(model, "children", None)
    if isinstance(model, Tabs):
        if 0 <= model.active < len(model.tabs):
            yield ((model.id, False),), model.tabs[model.active].child  # type: ignore[union-attr]
    elif isinstance(model, BokehGridPlot | GridBox):
        for child, row, *_ in sorted(model.children, key=lambda one: one[1:3]):
            yield ((model.id, False), (f"{model.id} {row}", True)), child
    elif getattr(model, "collapsed", False) and isinstance(children, list):
        yield from ()
    elif isinstance(children, dict):
        for name in children:
            some = children[name]
            for child in some if isinstance(some, list) else [some]:
                if hasattr(child, "id"):
                    yield (own,), child
    elif isinstance(children, list):
        wide = getattr(model, "css_classes", ())
        is_row = isinstance(model, Row) or (not isinstance(model, Column) and "flex" in str(wide))
        for child in children:
            if hasattr(child, "id"):
                yield ((model.id, is_row),), child


def _drawing(model: Any, pane: Any) -> tuple[Draw | None, int]:
    """What draws it and its rank; None for what is only a part of the page."""
    if isinstance(model, Plot):
        return partial(_sketched, partial(bokeh_plots.draw, model)), 0
    if isinstance(pane, pn.pane.Plotly) and hasattr(model, "data_sources"):
        return partial(_sketched, partial(plotly_figures.draw, model)), 0
    if isinstance(pane, pn.pane.Vega) and pane.object is not None:
        return partial(_sketched, partial(vega_charts.draw, pane.object)), 0
    if isinstance(pane, pn.pane.Matplotlib) and isinstance(pane.object, Figure):
        return partial(numbers.draw_figure, pane.object), 0
    if isinstance(pane, pn.indicators.Number):
        return partial(numbers.draw_number, pane), 1
    if isinstance(pane, pn.widgets.Tabulator | pn.widgets.DataFrame):
        return partial(numbers.draw_table, pane.value), 2
    if isinstance(pane, pn.pane.DataFrame):
        return partial(numbers.draw_table, pane.object), 2
    return None, 0


def _sketched(draw: Callable[[Sketch], bool], figure: Figure, box: Box, colours: Colours) -> bool:
    across = _ROOM * 9 / 16
    axes = figure.add_axes(
        (
            box.left + across,
            box.bottom + _ROOM,
            box.width - 2 * across,
            box.height - 2 * _ROOM,
        )
    )
    return draw(Sketch(axes, colours))
