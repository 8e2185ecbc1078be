"""A plot drawn small: what matters of it, without small print.

Coordinates are numbers; what is not finite is left out, and what is more than can be seen is
thinned before it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import Wedge
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from dashboards.miniature.colours import NOTHING, RGBA, Colours
from dashboards.miniature.thinning import Numbers, evenly, thinned

_POINT: Final = 0.72
"""Of a pixel of the picture, which has 100 to the inch."""
_SMALLER: Final = 1.25
"""Pixels of the picture for one of the page: it is shown at half its size."""
_LINE_POINTS: Final = 4_000
_MARKS: Final = 4_000
_SHAPES: Final = 3_000
_CORNERS: Final = 400  # of one shape
_CELLS: Final = 640  # of an image, in each direction
_LINES: Final = 500

_MARKERS: Final = {
    "circle": "o",
    "square": "s",
    "triangle": "^",
    "inverted_triangle": "v",
    "diamond": "D",
    "cross": "+",
    "x": "x",
    "star": "*",
    "hex": "h",
    "plus": "P",
    "dash": "_",
    "asterisk": "x",
}


@dataclass(frozen=True, kw_only=True)
class Side:
    """How an axis is. `ends`: None for one that follows what is drawn."""

    ends: tuple[float | None, float | None] = (None, None)
    is_log: bool = False
    has_grid: bool = True


class Sketch:
    """Draws into the axes of one plot."""

    def __init__(self, axes: Axes, colours: Colours) -> None:
        self.axes = axes
        self.colours = colours
        self.is_empty = True
        self._extent = [math.inf, -math.inf, math.inf, -math.inf]
        self._is_round = False
        self._is_image = True  # and nothing else: it fills its axes
        axes.patch.set_alpha(0)
        for axis in (axes.xaxis, axes.yaxis):
            self._divide(axis, Side())
        axes.tick_params(length=0, which="both")
        for spine in axes.spines.values():
            spine.set_visible(False)

    # -- what is drawn --------------------------------------------------------------------------

    def line(
        self, x: Numbers, y: Numbers, colour: RGBA, width: float = 2.0, dash: Any = None
    ) -> None:
        """Points joined by lines; a gap where one is no number."""
        kept = thinned(y, _LINE_POINTS)
        x, y = x[kept], y[kept]
        if not self._note(x, y) or not colour[3]:
            return
        self.axes.plot(
            *(x, y),
            color=colour,
            linewidth=_line_width(width),
            linestyle=(0, (3, 2)) if dash else "-",
            solid_joinstyle="round",
            solid_capstyle="round",
        )

    def lines(self, paths: Sequence[Numbers], colours: Sequence[RGBA], width: float = 1.0) -> None:
        """Many lines; each is pairs of coordinates."""
        kept = []
        for place in evenly(len(paths), _LINES if any(len(one) > 2 for one in paths) else _SHAPES):
            path = paths[place][evenly(len(paths[place]), _CORNERS)]
            if len(path) and self._note(path[:, 0], path[:, 1]):
                kept.append((path, colours[place % len(colours)]))
        if not kept:
            return
        drawn, shown = zip(*kept, strict=True)
        self.axes.add_collection(
            LineCollection(drawn, colors=shown, linewidths=_line_width(width)), autolim=False
        )

    def area(self, x: Numbers, low: Numbers, high: Numbers, colour: RGBA, *, across: bool) -> None:
        """What lies between two lines; `across`: x and y are exchanged."""
        kept = thinned(high, _LINE_POINTS)
        x, low, high = x[kept], low[kept], high[kept]
        for edge in (low, high):
            if not (self._note(edge, x) if across else self._note(x, edge)):
                return
        fill = self.axes.fill_betweenx if across else self.axes.fill_between
        fill(x, low, high, color=colour, linewidth=0)

    def bars(
        self,
        left: Numbers,
        right: Numbers,
        bottom: Numbers,
        top: Numbers,
        fills: Sequence[RGBA],
        edges: Sequence[RGBA] = (NOTHING,),
    ) -> None:
        """Rectangles."""
        count = min(map(len, (left, right, bottom, top)))
        few = evenly(count, _SHAPES)
        left, right, bottom, top = (one[:count][few] for one in (left, right, bottom, top))
        corners = np.stack([left, bottom, left, top, right, top, right, bottom], axis=1)
        self.shapes(
            list(corners.reshape(-1, 4, 2)),
            [fills[place % len(fills)] for place in few],
            [edges[place % len(edges)] for place in few],
        )

    def shapes(
        self,
        corners: Sequence[Numbers],
        fills: Sequence[RGBA],
        edges: Sequence[RGBA] = (NOTHING,),
        width: float = 1.0,
    ) -> None:
        """Polygons; each is pairs of coordinates."""
        kept = []
        for place in evenly(len(corners), _SHAPES):
            shape = corners[place][evenly(len(corners[place]), _CORNERS)]
            shape = shape[np.isfinite(shape).all(axis=1)]
            if len(shape) > 2 and self._note(shape[:, 0], shape[:, 1]):
                kept.append((shape, fills[place % len(fills)], edges[place % len(edges)]))
        if not kept:
            return
        shapes, inside, outside = zip(*kept, strict=True)
        wide = any(edge[3] for edge in outside)
        self.axes.add_collection(
            PolyCollection(
                shapes,
                facecolors=inside,
                edgecolors=outside if wide else "none",
                linewidths=_line_width(width) * 0.6 if wide else 0,
            ),
            autolim=False,
        )

    def marks(
        self,
        x: Numbers,
        y: Numbers,
        sizes: Numbers,
        fills: Sequence[RGBA],
        edges: Sequence[RGBA] = (NOTHING,),
        marker: str = "circle",
    ) -> None:
        """Markers of these diameters, in pixels of the page."""
        few = evenly(min(len(x), len(y)), _MARKS)
        x, y = x[few], y[few]
        if not self._note(x, y):
            return
        across = np.clip(np.nan_to_num(sizes, nan=4.0) * _SMALLER, 4, 60) * _POINT
        shape = _MARKERS.get(marker.split("_dot")[0], "o")
        is_line = shape in "+x_"
        self.axes.scatter(
            *(x, y),
            s=np.broadcast_to(across**2, max(len(across), 1))[few % len(across)],
            marker=shape,
            c=[
                (edges if is_line else fills)[place % len(edges if is_line else fills)]
                for place in few
            ],
            edgecolors=None if is_line else [edges[place % len(edges)] for place in few],
            linewidths=0.7 if not is_line and any(fill[3] for fill in fills) else 1.6,
        )

    def image(self, pixels: Any, left: float, right: float, bottom: float, top: float) -> None:
        """Rows of colours, the lowest first."""
        if not self._note(np.array([left, right]), np.array([bottom, top]), is_image=True):
            return
        steps = [max(1, math.ceil(size / _CELLS)) for size in pixels.shape[:2]]
        self.axes.imshow(
            pixels[:: steps[0], :: steps[1]],
            extent=(left, right, bottom, top),
            origin="lower",
            aspect="auto",
            interpolation="nearest" if max(pixels.shape[:2]) < 100 else "antialiased",
            zorder=1,
        )

    def wedge(
        self,
        place: tuple[float, float],
        radii: tuple[float, float],
        angles: tuple[float, float],
        fill: RGBA,
        edge: RGBA = NOTHING,
    ) -> None:
        """A part of a disc, or of a ring; angles in degrees, against the clock."""
        (x, y), (inner, outer) = place, radii
        box = np.array([x - outer, x + outer]), np.array([y - outer, y + outer])
        if not np.isfinite([*radii, *angles]).all() or not self._note(*box):
            return
        self._is_round = True
        self.axes.add_patch(
            Wedge(place, outer, *angles, width=outer - inner, facecolor=fill, edgecolor=edge)
        )

    def ruler(self, at: float, colour: RGBA, width: float, *, upright: bool) -> None:
        """A line from one end to the other."""
        if math.isfinite(at):
            rule = self.axes.axvline if upright else self.axes.axhline
            rule(at, color=colour, linewidth=_line_width(width))

    def band(self, low: float, high: float, colour: RGBA, *, upright: bool) -> None:
        """A stripe from one end to the other."""
        if math.isfinite(low) and math.isfinite(high):
            (self.axes.axvspan if upright else self.axes.axhspan)(low, high, color=colour, lw=0)

    def _note(self, x: Numbers, y: Numbers, *, is_image: bool = False) -> bool:
        """Remember how far it goes; whether there is anything to be seen of it."""
        self._is_image &= is_image
        is_number = np.isfinite(x) & np.isfinite(y)
        if not is_number.any():
            return False
        x, y = x[is_number], y[is_number]
        ends = [x.min(), x.max(), y.min(), y.max()]
        if max(map(abs, ends)) > 1e150:  # nothing that an axis could show
            return False
        for place, (pick, end) in enumerate(zip((min, max, min, max), ends, strict=True)):
            self._extent[place] = pick(self._extent[place], float(end))
        self.is_empty = False
        return True

    # -- its frame ------------------------------------------------------------------------------

    def finish(self, x: Side, y: Side) -> None:
        """Set the ends of both axes, and a quiet grid."""
        if self._is_round:
            x, y = (replace(side, ends=(None, None)) for side in (x, y))
            self.axes.set_aspect("equal", adjustable="datalim")
        for side, name, axis, found in (
            (x, "x", self.axes.xaxis, self._extent[:2]),
            (y, "y", self.axes.yaxis, self._extent[2:]),
        ):
            ends = _limits(side, found, is_tight=self._is_image)
            self.axes.set(**{f"{name}scale": "log"} if side.is_log else {}, **{f"{name}lim": ends})
            self._divide(axis, side)
            if side.has_grid:
                axis.grid(True, color=self.colours.token("line"), linewidth=1)
        self.axes.set_axisbelow(True)

    def _divide(self, axis: Any, side: Side) -> None:
        """Say where the lines of the grid are."""
        axis.set_major_locator(LogLocator(numticks=5) if side.is_log else MaxNLocator(4))
        axis.set_minor_locator(NullLocator())
        for set_formatter in (axis.set_major_formatter, axis.set_minor_formatter):
            set_formatter(NullFormatter())


def _line_width(pixels: float) -> float:
    """In points; of a line that has so many pixels on the page."""
    return min(max(pixels * _SMALLER, 1.2), 8) * _POINT


def _limits(side: Side, found: Sequence[float], *, is_tight: bool) -> tuple[float, float]:
    """The ends of an axis: those that are given, else a little beyond what was found."""
    low, high = found if math.isfinite(found[0]) else (0.0, 1.0)
    if is_tight:
        pass
    elif side.is_log:
        low = low if low > 0 else (high / 1000 if high > 0 else 0.1)
        high = max(high, low * 10)
        room = (high / low) ** 0.05
        low, high = low / room, high * room
    else:
        room = (high - low) * 0.05 or abs(high) * 0.05 or 0.5
        low, high = low - room, high + room
    first, last = (
        float(one)
        if one is not None and math.isfinite(one) and (one > 0 or not side.is_log)
        else own
        for one, own in zip(side.ends, (low, high), strict=True)
    )
    return (first, last) if first != last else (first - 0.5, last + 0.5)
