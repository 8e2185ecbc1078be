"""A figure of Plotly's as a sketch, where it is simple: lines, markers, bars, heat maps, pies."""

from __future__ import annotations

import base64
import copy
import itertools
import math
from typing import Any, Final

import numpy as np

from dashboards.miniature.colours import NOTHING, RGBA
from dashboards.miniature.columns import coordinates
from dashboards.miniature.places import Places
from dashboards.miniature.sketch import Side, Sketch
from dashboards.miniature.thinning import Numbers

_LINES: Final = {"scatter", "scattergl"}
_BARS: Final = {"bar", "histogram"}
_MOST: Final = 60  # traces
_SLICES: Final = 60
_LOW_TO_HIGH: Final = ("#0d0887", "#7e03a8", "#cc4778", "#f89540", "#f0f921")


def draw(model: Any, sketch: Sketch) -> bool:
    """Draw what Panel's model of a figure shows; whether there is anything to be seen."""
    traces = [
        _whole(trace, source.data)
        for trace, source in zip(model.data or (), model.data_sources, strict=False)
    ]
    traces = [one for one in traces if one.get("visible", True) is True]
    layout = model.layout or {}
    kinds = {one.get("type", "scatter") for one in traces}
    if not kinds <= _LINES | _BARS | {"heatmap", "pie"}:
        return False  # half of a figure would be another one
    if len({one.get("xaxis", "x") for one in traces}) > 1:
        return False
    _Drawing(layout, sketch).draw(traces[:_MOST])
    if sketch.is_empty:
        return False
    axes = [layout.get(name) or {} for name in ("xaxis", "yaxis")]
    sides = (Side(is_log=one.get("type") == "log", has_grid=kinds != {"pie"}) for one in axes)
    sketch.finish(*sides)
    if axes[1].get("autorange") == "reversed":
        sketch.axes.invert_yaxis()
    return True


def _whole(trace: dict[str, Any], columns: dict[str, Any]) -> dict[str, Any]:
    """A trace with its columns, which Panel keeps apart: `marker.color`, in a list of one."""
    found = copy.deepcopy(trace)
    for path, (column, *_) in columns.items():
        part, (*way, name) = found, path.split(".")
        for step in way:
            part = part.setdefault(step, {}) if isinstance(part, dict) else None
        if isinstance(part, dict):
            part[name] = column
    return found


class _Drawing:
    """One figure; what its axes name is placed as it comes."""

    def __init__(self, layout: dict[str, Any], sketch: Sketch) -> None:
        self._layout = layout
        template = (layout.get("template") or {}).get("layout") or {}
        self._colorway = layout.get("colorway") or template.get("colorway") or ()
        self._is_stacked = layout.get("barmode") in ("stack", "relative")
        self._is_overlaid = layout.get("barmode") == "overlay"
        self._sketch = sketch
        self._places = Places(), Places()
        self._stacked: dict[float, float] = {}
        self._stacked_areas: dict[str, Numbers] = {}

    def draw(self, traces: list[dict[str, Any]]) -> None:
        bars = sum(one.get("type") in _BARS for one in traces)
        place = itertools.count()
        for number, trace in enumerate(traces):
            kind = trace.get("type", "scatter")
            if kind in _LINES:
                self._line(trace, self._colour(trace, number))
            elif kind == "heatmap":
                self._heat_map(trace)
            elif kind == "pie":
                self._pie(trace)
            else:
                self._bars(trace, self._colour(trace, number), (next(place), bars))

    def _colour(self, trace: dict[str, Any], number: int) -> RGBA:
        for part in (trace.get("line"), trace.get("marker")):
            colour = (part or {}).get("color")
            if isinstance(colour, str):
                return self._sketch.colours.shown(colour, _share(trace.get("opacity")))
        if self._colorway:
            return self._sketch.colours.shown(self._colorway[number % len(self._colorway)])
        return self._sketch.colours.data(number)

    def _pair(self, trace: dict[str, Any]) -> tuple[Numbers, Numbers]:
        x, y = (_values(trace.get(name)) for name in ("x", "y"))
        count = max(len(x), len(y))
        across = self._places[0].of(x) if len(x) else np.arange(count, dtype=float)
        up = self._places[1].of(y) if len(y) else np.arange(count, dtype=float)
        count = min(len(across), len(up))
        return across[:count], up[:count]

    def _line(self, trace: dict[str, Any], colour: RGBA) -> None:
        x, y = self._pair(trace)
        mode = trace.get("mode") or ("lines+markers" if len(x) < 20 else "lines")
        group = trace.get("stackgroup")
        if group and len(x):
            below = self._stacked_areas.get(group, np.zeros(len(y)))
            if len(below) == len(y):
                self._sketch.area(x, below, below + y, (*colour[:3], 0.5), across=False)
                y = self._stacked_areas[group] = below + y
        elif trace.get("fill") == "tozeroy" and len(x):
            self._sketch.area(x, np.zeros(len(y)), y, (*colour[:3], 0.4), across=False)
        if "lines" in mode:
            line = trace.get("line") or {}
            dash = line.get("dash") not in (None, "solid")
            self._sketch.line(x, y, colour, _number(line.get("width"), 2.0), dash)
        if "markers" in mode:
            marker = trace.get("marker") or {}
            size = np.atleast_1d(coordinates(np.atleast_1d(_values(marker.get("size", 6))), None))
            if marker.get("sizemode") == "area" and marker.get("sizeref"):
                size = np.sqrt(size / float(marker["sizeref"]))
            elif marker.get("sizeref"):
                size = size / float(marker["sizeref"])
            self._sketch.marks(x, y, size, self._marked(marker, colour))

    def _marked(self, marker: dict[str, Any], colour: RGBA) -> list[RGBA]:
        own, alpha = marker.get("color"), _share(marker.get("opacity"))
        if own is None or isinstance(own, str):
            return [(*colour[:3], colour[3] * alpha)]
        values = _values(own)
        if values.dtype.kind in "biuf":
            return [tuple(one) for one in self._graded(values.astype(float), marker)]
        return [self._sketch.colours.shown(one, alpha, is_own=True) for one in values]

    def _graded(self, values: Numbers, scaled: dict[str, Any]) -> Any:
        """Colours from the lowest to the highest."""
        scaled = self._layout.get(scaled.get("coloraxis") or "", scaled)
        scale = scaled.get("colorscale")
        if not isinstance(scale, list | tuple) or not scale:
            steps = list(zip(np.linspace(0, 1, len(_LOW_TO_HIGH)), _LOW_TO_HIGH, strict=True))
        else:
            steps = [(float(at), colour) for at, colour in scale]
        at, shown = zip(*steps, strict=True)
        table = np.array([self._sketch.colours.shown(one) for one in shown])
        finite = values[np.isfinite(values)]
        if not finite.size:
            return np.tile(NOTHING, (*values.shape, 1))
        low = _number(scaled.get("zmin", scaled.get("cmin")), float(finite.min()))
        high = _number(scaled.get("zmax", scaled.get("cmax")), float(finite.max()))
        shares = (values - low) / ((high - low) or 1)
        colours = np.stack([np.interp(shares, at, table[:, one]) for one in range(4)], axis=-1)
        return np.where(np.isfinite(values)[..., None], colours, 0.0)

    def _heat_map(self, trace: dict[str, Any]) -> None:
        rows = np.array([coordinates(row, None) for row in _values(trace.get("z"))], dtype=float)
        if rows.ndim == 2 and rows.size:
            high, wide = rows.shape
            self._sketch.image(self._graded(rows, trace), -0.5, wide - 0.5, -0.5, high - 0.5)

    def _bars(self, trace: dict[str, Any], colour: RGBA, place: tuple[int, int]) -> None:
        across = trace.get("orientation") == "h"
        if trace.get("type") == "histogram":
            across = across or trace.get("x") is None
            at, size = _counted(coordinates(_values(trace.get("y" if across else "x")), None))
        else:
            x, y = self._pair(trace)
            at, size = (y, x) if across else (x, y)
        if not len(at):
            return
        steps = np.diff(np.unique(at[np.isfinite(at)]))
        wide = (float(steps.min()) if steps.size else 1.0) * 0.8
        low, base = -wide / 2, np.zeros(len(at))
        if self._is_stacked:
            base = np.array([self._stacked.get(one, 0.0) for one in at])
            self._stacked |= dict(zip(at, base + size, strict=True))
        elif not self._is_overlaid and place[1] > 1:
            wide /= place[1]
            low += wide * place[0]
        sides = at + low, at + low + wide, base, base + size
        fills = self._marked(trace.get("marker") or {}, colour)
        self._sketch.bars(*(sides[2:] + sides[:2] if across else sides), fills)

    def _pie(self, trace: dict[str, Any]) -> None:
        sizes = np.nan_to_num(coordinates(_values(trace.get("values")), None))[:_SLICES]
        total = float(sizes.sum())
        if not len(sizes) or sizes.min() < 0 or not total > 0:
            return
        if trace.get("sort", True):
            order = np.argsort(-sizes, kind="stable")
        else:
            order = np.arange(len(sizes))
        own = (trace.get("marker") or {}).get("colors")
        ends = 90 - 360 * np.cumsum(sizes[order]) / total
        hole = min(max(_number(trace.get("hole"), 0.0), 0.0), 0.95)
        begin = 90.0
        for number, (slice_, end) in enumerate(zip(order, ends, strict=True)):
            colour = self._colour({}, number)
            if own is not None and slice_ < len(own):
                colour = self._sketch.colours.shown(own[slice_])
            edge = self._sketch.colours.token("surface")
            self._sketch.wedge((0, 0), (hole, 1), (float(end), begin), colour, edge)
            begin = float(end)


def _values(values: Any) -> Any:
    """A column as an array; Plotly packs numbers."""
    if isinstance(values, dict) and "bdata" in values:
        flat = np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])
        if "shape" in values:
            shape = values["shape"]
            shape = shape.split(",") if isinstance(shape, str) else shape
            flat = flat.reshape([int(one) for one in shape])
        return flat
    return np.asarray(() if values is None else values)


def _counted(values: Numbers) -> tuple[Numbers, Numbers]:
    values = values[np.isfinite(values)]
    counts, edges = np.histogram(values, bins=min(40, max(5, int(math.sqrt(len(values) or 1)))))
    return (edges[1:] + edges[:-1]) / 2, counts.astype(float)


def _number(value: Any, default: float) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return default
    return found if math.isfinite(found) else default


def _share(value: Any) -> float:
    return min(max(_number(value, 1.0), 0.0), 1.0)
