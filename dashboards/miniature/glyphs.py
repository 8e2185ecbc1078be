"""One function for each kind of Bokeh's glyphs: its properties, as a sketch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from bokeh.models import ColorMapper

from dashboards.miniature.colours import NOTHING
from dashboards.miniature.columns import Columns, painted
from dashboards.miniature.sketch import Sketch
from dashboards.miniature.thinning import Numbers

_HALF_ROOT_3: Final = math.sqrt(3) / 2


def _same_length(*all_numbers: Numbers) -> tuple[Numbers, ...]:
    count = max(map(len, all_numbers))
    return tuple(np.resize(one, count) if len(one) == 1 else one for one in all_numbers)


def _points(columns: Columns) -> tuple[Numbers, ...]:
    return _same_length(columns.numbers("x", 0), columns.numbers("y", 1))


def _line(columns: Columns, sketch: Sketch) -> None:
    x, y = _points(columns)
    dash = getattr(columns.glyph, "line_dash", None)
    width = columns.number("line_width", 1.0)
    sketch.line(x, y, columns.colours("line")[0], width, dash or None)


def _step(columns: Columns, sketch: Sketch) -> None:
    x, y = _points(columns)
    if len(x) < 2:
        return
    across, up = np.repeat(x, 2), np.repeat(y, 2)
    mode = columns.word("mode", "before")
    if mode == "after":
        across, up = across[1:], up[:-1]
    elif mode == "before":
        across, up = across[:-1], up[1:]
    else:
        middles = np.repeat((x[1:] + x[:-1]) / 2, 2)
        across = np.concatenate([x[:1], middles, x[-1:]])
    sketch.line(across, up, columns.colours("line")[0], columns.number("line_width", 1.0))


def _scatter(columns: Columns, sketch: Sketch) -> None:
    x, y = _points(columns)
    marker = columns.word("marker", "circle")
    size = columns.numbers("size")
    sketch.marks(x, y, size, columns.colours("fill"), columns.colours("line"), marker)


def _circle(columns: Columns, sketch: Sketch) -> None:
    x, y = _points(columns)
    radius = columns.numbers("radius")
    size = np.array([8.0]) if not len(radius) else _relative(radius, x)
    sketch.marks(x, y, size, columns.colours("fill"), columns.colours("line"))


def _relative(radius: Numbers, x: Numbers) -> Numbers:
    """Diameters on a page, of radii in the units of an axis that shows these places."""
    finite = x[np.isfinite(x)]
    room = float(np.ptp(finite)) if finite.size else 0.0
    return 2 * radius / (room or 1.0) * 500


def _bar(columns: Columns, sketch: Sketch) -> None:
    x, half, bottom, top = _same_length(
        columns.numbers("x", 0),
        columns.numbers("width") / 2,
        columns.numbers("bottom", 1),
        columns.numbers("top", 1),
    )
    _bars(columns, sketch, x - half, x + half, bottom, top)


def _bar_across(columns: Columns, sketch: Sketch) -> None:
    y, half, left, right = _same_length(
        columns.numbers("y", 1),
        columns.numbers("height") / 2,
        columns.numbers("left", 0),
        columns.numbers("right", 0),
    )
    _bars(columns, sketch, left, right, y - half, y + half)


def _quad(columns: Columns, sketch: Sketch) -> None:
    sides = _same_length(
        columns.numbers("left", 0),
        columns.numbers("right", 0),
        columns.numbers("bottom", 1),
        columns.numbers("top", 1),
    )
    _bars(columns, sketch, *sides)


def _rect(columns: Columns, sketch: Sketch) -> None:
    x, y = _points(columns)
    x, y, wide, high = _same_length(x, y, columns.numbers("width"), columns.numbers("height"))
    _bars(columns, sketch, x - wide / 2, x + wide / 2, y - high / 2, y + high / 2)


def _block(columns: Columns, sketch: Sketch) -> None:
    x, y = _points(columns)
    x, y, wide, high = _same_length(x, y, columns.numbers("width"), columns.numbers("height"))
    _bars(columns, sketch, x, x + wide, y, y + high)


def _bars(columns: Columns, sketch: Sketch, *sides: Numbers) -> None:
    left, right, bottom, top = sides
    sketch.bars(left, right, bottom, top, columns.colours("fill"), columns.colours("line"))


def _segment(columns: Columns, sketch: Sketch) -> None:
    ends = _same_length(
        columns.numbers("x0", 0),
        columns.numbers("y0", 1),
        columns.numbers("x1", 0),
        columns.numbers("y1", 1),
    )
    paths = list(np.stack(ends, axis=1).reshape(-1, 2, 2))
    sketch.lines(paths, columns.colours("line"), columns.number("line_width", 1.0))


def _multi_line(columns: Columns, sketch: Sketch) -> None:
    sketch.lines(_paths(columns), columns.colours("line"), columns.number("line_width", 1.0))


def _paths(columns: Columns) -> list[Numbers]:
    """One for each row, whose place says its colour; empty where there are no pairs."""
    rows = zip(columns.rows("xs"), columns.rows("ys"), strict=False)
    pairs = ((columns.numbers_in(xs, 0), columns.numbers_in(ys, 1)) for xs, ys in rows)
    return [np.stack((x, y), axis=1) if len(x) == len(y) else np.empty((0, 2)) for x, y in pairs]


def _patch(columns: Columns, sketch: Sketch) -> None:
    x, y = _points(columns)
    sketch.shapes([np.stack([x, y], axis=1)], columns.colours("fill"), columns.colours("line"))


def _patches(columns: Columns, sketch: Sketch) -> None:
    sketch.shapes(_paths(columns), columns.colours("fill"), columns.colours("line"))


def _multi_polygons(columns: Columns, sketch: Sketch) -> None:
    fills, edges = columns.colours("fill"), columns.colours("line")
    shapes, inside, outside = [], [], []
    for place, (xs, ys) in enumerate(zip(columns.rows("xs"), columns.rows("ys"), strict=False)):
        for x, y in zip(xs, ys, strict=False):  # of each polygon the outer edge
            corners = columns.numbers_in(x[0], 0), columns.numbers_in(y[0], 1)
            shapes.append(np.stack(corners, axis=1))
            inside.append(fills[place % len(fills)])
            outside.append(edges[place % len(edges)])
    sketch.shapes(shapes, inside, outside)


def _area(columns: Columns, sketch: Sketch) -> None:
    x, low, high = _same_length(
        columns.numbers("x", 0), columns.numbers("y1", 1), columns.numbers("y2", 1)
    )
    sketch.area(x, low, high, columns.colours("fill")[0], across=False)


def _area_across(columns: Columns, sketch: Sketch) -> None:
    y, low, high = _same_length(
        columns.numbers("y", 1), columns.numbers("x1", 0), columns.numbers("x2", 0)
    )
    sketch.area(y, low, high, columns.colours("fill")[0], across=True)


def _image(columns: Columns, sketch: Sketch) -> None:
    mapper = columns.glyph.color_mapper  # type: ignore[attr-defined]
    if not isinstance(mapper, ColorMapper):
        return
    alpha = columns.number("global_alpha", 1.0)
    for values, *box in _images(columns):
        sketch.image(painted(values, mapper, sketch.colours, alpha), *box)


def _image_rgba(columns: Columns, sketch: Sketch) -> None:
    for values, *box in _images(columns):
        if values.dtype == np.uint32:
            values = values.view(np.uint8).reshape(*values.shape, 4)
        if values.dtype == np.uint8 and values.ndim == 3:
            sketch.image(values, *box)


def _images(columns: Columns) -> list[Any]:
    """Each image with its sides; thinned, so that no more is coloured than is seen."""
    x, y, wide, high = _same_length(
        columns.numbers("x", 0),
        columns.numbers("y", 1),
        columns.numbers("dw"),
        columns.numbers("dh"),
    )
    found = []
    for number, image in enumerate(columns.rows("image")):
        values = np.asarray(image)
        if values.ndim < 2 or number >= len(x):
            continue
        steps = [max(1, size // 640) for size in values.shape[:2]]
        values = np.ascontiguousarray(values[:: steps[0], :: steps[1]])
        found.append(
            (values, x[number], x[number] + wide[number], y[number], y[number] + high[number])
        )
    return found


def _hexes(columns: Columns, sketch: Sketch) -> None:
    q, r = _same_length(columns.numbers("q"), columns.numbers("r"))
    glyph: Any = columns.glyph
    size, scale = float(glyph.size), float(glyph.aspect_scale)
    if glyph.orientation == "pointytop":
        x, y = size * 2 * _HALF_ROOT_3 * (q + r / 2) / scale, -1.5 * size * r
        across, up = size * _HALF_ROOT_3 / scale, size
        corners = np.array([(0, up), (across, up / 2), (across, -up / 2)])
    else:
        x, y = 1.5 * size * q, -size * 2 * _HALF_ROOT_3 * (r + q / 2) * scale
        across, up = size, size * _HALF_ROOT_3 * scale
        corners = np.array([(across / 2, up), (across, 0), (across / 2, -up)])
    whole = np.concatenate([corners, -corners])
    shapes = [whole + place for place in np.stack([x, y], axis=1)]
    sketch.shapes(shapes, columns.colours("fill"), columns.colours("line"))


def _wedge(columns: Columns, sketch: Sketch) -> None:
    x, y = _points(columns)
    start, end = (_degrees(columns, name) for name in ("start_angle", "end_angle"))
    if columns.word("direction") == "clock" or getattr(columns.glyph, "direction", "") == "clock":
        start, end = end, start
    _rings(columns, sketch, (x, y, start, end))


def _degrees(columns: Columns, name: str) -> Numbers:
    values = columns.numbers(name)
    units = getattr(columns.glyph, f"{name}_units", "rad")
    return values if units == "deg" else np.degrees(values)


def _annulus(columns: Columns, sketch: Sketch) -> None:
    x, y = _points(columns)
    _rings(columns, sketch, (x, y, np.array([0.0]), np.array([360.0])))


def _rings(columns: Columns, sketch: Sketch, places: tuple[Numbers, ...]) -> None:
    is_ring = columns.has("inner_radius")
    inner = columns.numbers("inner_radius") if is_ring else np.array([0.0])
    outer = columns.numbers("outer_radius" if is_ring else "radius")
    fills, edges = columns.colours("fill"), columns.colours("line")
    rows = np.stack(_same_length(*places, inner, outer), axis=1)[:500]
    for number, (x, y, start, end, inside, outside) in enumerate(rows):
        fill, edge = fills[number % len(fills)], edges[number % len(edges)]
        sketch.wedge((x, y), (inside, outside), (start, end), fill, edge)


def _spans(columns: Columns, sketch: Sketch, *, upright: bool) -> None:
    places = columns.numbers("x", 0) if upright else columns.numbers("y", 1)
    colour, width = columns.colours("line")[0], columns.number("line_width", 1.0)
    if colour != NOTHING:
        for place in places[:200]:
            sketch.ruler(float(place), colour, width, upright=upright)


GLYPHS: Final[dict[str, Callable[[Columns, Sketch], None]]] = {
    "Line": _line,
    "Step": _step,
    "Scatter": _scatter,
    "Circle": _circle,
    "VBar": _bar,
    "HBar": _bar_across,
    "Quad": _quad,
    "Rect": _rect,
    "Block": _block,
    "Segment": _segment,
    "MultiLine": _multi_line,
    "Patch": _patch,
    "Patches": _patches,
    "MultiPolygons": _multi_polygons,
    "VArea": _area,
    "HArea": _area_across,
    "Image": _image,
    "ImageRGBA": _image_rgba,
    "HexTile": _hexes,
    "Wedge": _wedge,
    "AnnularWedge": _wedge,
    "Annulus": _annulus,
    "VSpan": lambda columns, sketch: _spans(columns, sketch, upright=True),
    "HSpan": lambda columns, sketch: _spans(columns, sketch, upright=False),
}
