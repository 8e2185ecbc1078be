"""A plot of Bokeh's, and so of HoloViews' and hvPlot's, as a sketch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from bokeh.models import (
    BoxAnnotation,
    DataRange1d,
    FactorRange,
    GlyphRenderer,
    Grid,
    LogScale,
    Plot,
    Range,
    Range1d,
    Span,
)

from dashboards.miniature.columns import Columns, coordinates, factor_places
from dashboards.miniature.glyphs import GLYPHS
from dashboards.miniature.sketch import Side, Sketch


def draw(plot: Plot, sketch: Sketch) -> bool:
    """Draw what a plot shows; whether there is anything to be seen."""
    colours, main = sketch.colours, (plot.x_range, plot.y_range)
    second, side = None, plot.y_range
    for renderer in plot.renderers:
        if not isinstance(renderer, GlyphRenderer) or not renderer.visible:
            continue
        ranges = (
            plot.extra_x_ranges.get(renderer.x_range_name, plot.x_range),
            plot.extra_y_ranges.get(renderer.y_range_name, plot.y_range),
        )
        target = sketch
        if ranges[1] is not plot.y_range:
            second = second or Sketch(sketch.axes.twinx(), colours)
            target, side = second, ranges[1]
        draw_glyph = GLYPHS.get(type(renderer.glyph).__name__)
        if draw_glyph:
            draw_glyph(Columns(renderer, ranges, colours), target)
    if sketch.is_empty and (second is None or second.is_empty):
        return False
    for one in [*plot.renderers, *plot.center]:
        if getattr(one, "visible", False):
            _annotate(one, sketch)
    grids = [one for one in plot.center if isinstance(one, Grid) and one.visible]
    lines = {one.dimension for one in grids if one.grid_line_color is not None}
    x, y = (
        Side(
            ends=_ends(range_),
            is_log=isinstance(scale, LogScale),
            has_grid=number in lines and not isinstance(range_, FactorRange),
        )
        for number, (range_, scale) in enumerate(
            zip(main, (plot.x_scale, plot.y_scale), strict=True)
        )
    )
    sketch.finish(x, y)
    if second is not None and not second.is_empty:
        second.finish(replace(x, has_grid=False), Side(ends=_ends(side), has_grid=False))
    return True


def _ends(range_: Range) -> tuple[float | None, float | None]:
    """The ends of an axis; None for those that follow the data."""
    if isinstance(range_, FactorRange):
        places = factor_places(range_).values()
        return (min(places) - 0.5, max(places) + 0.5) if places else (None, None)
    if isinstance(range_, Range1d | DataRange1d):
        start, end = (float(one) for one in coordinates([range_.start, range_.end], None))
        return start, end
    return None, None


def _annotate(one: Any, sketch: Sketch) -> None:
    if isinstance(one, Span):
        colour = sketch.colours.shown(one.line_color, float(one.line_alpha or 0))
        at = float(coordinates([one.location], None)[0])
        sketch.ruler(at, colour, float(one.line_width), upright=one.dimension == "height")
    elif isinstance(one, BoxAnnotation):
        fill = sketch.colours.shown(one.fill_color, float(one.fill_alpha or 0))
        left, right, bottom, top = coordinates([one.left, one.right, one.bottom, one.top], None)
        if math.isfinite(bottom) and math.isfinite(top):
            sketch.band(bottom, top, fill, upright=False)
        elif math.isfinite(left) and math.isfinite(right):
            sketch.band(left, right, fill, upright=True)
