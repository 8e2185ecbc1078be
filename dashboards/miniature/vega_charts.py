"""A chart of Vega-Lite's, and so of Altair's, as a sketch, as far as it is simple."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from dashboards.miniature.colours import RGBA
from dashboards.miniature.places import Places
from dashboards.miniature.sketch import Side, Sketch
from dashboards.miniature.thinning import Numbers

_MARKS: Final = {"line", "point", "circle", "square", "area", "bar", "tick", "rect", "trail"}
_SUMS: Final = {"sum", "mean", "average", "median", "min", "max", "count"}
_SCHEME: Final = (
    *("#4c78a8", "#f58518", "#e45756", "#72b7b2", "#54a24b"),
    *("#eeca3b", "#b279a2", "#ff9da6", "#9d755d", "#bab0ac"),
)
_BLUES: Final = ("#cfe1f2", "#08306b")  # from the lowest to the highest
_HANDLED: Final = {
    "field",
    "type",
    "aggregate",
    "title",
    "axis",
    "scale",
    "legend",
    "sort",
    "stack",
}


def draw(chart: Any, sketch: Sketch) -> bool:
    """Draw what a chart shows; whether there is anything to be seen."""
    spec = chart.to_dict() if hasattr(chart, "to_dict") else dict(chart)
    layers = spec.get("layer", [spec])
    places = Places(), Places()
    for layer in layers:
        shared = {**(spec.get("encoding") or {}), **(layer.get("encoding") or {})}
        frame = _data(layer, spec)
        mark = layer.get("mark")
        kind = mark.get("type") if isinstance(mark, dict) else mark
        if kind not in _MARKS or frame is None or layer.get("transform") or spec.get("transform"):
            return False
        own = mark if isinstance(mark, dict) else {}
        if not _Layer(frame, shared, own, places, sketch).draw(str(kind)):
            return False
    if sketch.is_empty:
        return False
    sketch.finish(Side(), Side())
    return True


def _data(layer: dict[str, Any], spec: dict[str, Any]) -> pd.DataFrame | None:
    data = layer.get("data") or spec.get("data") or {}
    rows = data.get("values")
    if rows is None:
        rows = (spec.get("datasets") or {}).get(data.get("name"))
    return pd.DataFrame(rows) if isinstance(rows, list) and rows else None


class _Layer:
    """One mark with what is encoded."""

    def __init__(
        self,
        frame: pd.DataFrame,
        encoding: dict[str, Any],
        mark: dict[str, Any],
        places: tuple[Places, Places],
        sketch: Sketch,
    ) -> None:
        self._frame = frame
        self._channels = {name: one for name, one in encoding.items() if isinstance(one, dict)}
        self._mark = mark
        self._places = places
        self._sketch = sketch

    def draw(self, kind: str) -> bool:
        """Draw it; whether that is possible."""
        ends = [self._channels.get(name) for name in ("x", "y")]
        if not all(end and set(end) <= _HANDLED for end in ends):
            return False
        frame = self._summed()
        if frame is None:
            return False
        x, y = (self._places[axis].of(frame[name]) for axis, name in enumerate(("x", "y")))
        groups = frame["color"] if "color" in frame else pd.Series([""] * len(frame))
        if kind in ("point", "circle", "square", "tick"):
            self._points(kind, x, y, frame)
        elif kind == "rect":
            half = np.full(len(x), 0.5)
            self._sketch.bars(x - half, x + half, y - half, y + half, self._graded(frame))
        elif kind == "bar":
            self._bars(x, y, groups)
        else:
            self._lines(kind, x, y, groups)
        return True

    def _summed(self) -> pd.DataFrame | None:
        """The columns that are drawn, by channel; added up, where the chart says so."""
        wanted, sums = {}, {}
        for name in ("x", "y", "color"):
            channel = self._channels.get(name) or {}
            field, sum_ = channel.get("field"), channel.get("aggregate")
            if sum_ is not None and sum_ not in _SUMS:
                return None
            if sum_:
                sums[name] = (sum_, field)
            elif isinstance(field, str) and field in self._frame:
                wanted[name] = self._frame[field]
            elif name != "color":
                return None
        frame = pd.DataFrame(wanted)
        if not sums:
            return frame
        for name, (sum_, field) in sums.items():
            frame[name] = 1 if field is None else self._frame[field]
            sums[name] = ({"average": "mean", "count": "size"}.get(sum_, sum_), field)
        by = [name for name in wanted if name in frame]
        grouped = frame.groupby(by, sort=True, observed=True)
        columns = {name: grouped[name].agg(sum_) for name, (sum_, _) in sums.items()}
        return pd.DataFrame(columns).reset_index()

    def _colours(self, groups: pd.Series) -> dict[Any, RGBA]:
        if "color" not in self._channels or "field" not in self._channels["color"]:
            own = self._mark.get("color") or (self._channels.get("color") or {}).get("value")
            return {one: self._sketch.colours.shown(own or _SCHEME[0]) for one in groups.unique()}
        scale = self._channels["color"].get("scale") or {}
        own = scale.get("range")
        shown = own if isinstance(own, list) and own else _SCHEME
        names = sorted(groups.dropna().unique(), key=str)
        return {
            name: self._sketch.colours.shown(shown[place % len(shown)])
            for place, name in enumerate(names)
        }

    def _graded(self, frame: pd.DataFrame) -> list[RGBA]:
        if "color" not in frame or not pd.api.types.is_numeric_dtype(frame["color"]):
            groups = frame["color"] if "color" in frame else pd.Series([""] * len(frame))
            colours = self._colours(groups)
            return [colours.get(one, self._sketch.colours.token("line")) for one in groups]
        values = frame["color"].to_numpy(dtype=float)
        low, high = np.nanmin(values), np.nanmax(values)
        shares = np.nan_to_num((values - low) / ((high - low) or 1))[:, None]
        first, last = (np.array(self._sketch.colours.shown(one)) for one in _BLUES)
        return [tuple(one) for one in first + (last - first) * shares]

    def _points(self, kind: str, x: Numbers, y: Numbers, frame: pd.DataFrame) -> None:
        colours = self._graded(frame)
        size = np.array([np.sqrt(float(self._mark.get("size", 60)))])
        hollow = kind == "point" and not self._mark.get("filled")
        nothing: list[RGBA] = [(0, 0, 0, 0)]
        marker = {"square": "square", "tick": "dash"}.get(kind, "circle")
        edges = colours if hollow or kind == "tick" else nothing
        self._sketch.marks(x, y, size, nothing if hollow else colours, edges, marker)

    def _bars(self, x: Numbers, y: Numbers, groups: pd.Series) -> None:
        across = (self._channels["y"].get("type") in ("nominal", "ordinal")) and (
            self._channels["x"].get("type") == "quantitative"
        )
        at, size = (y, x) if across else (x, y)
        steps = np.diff(np.unique(at[np.isfinite(at)]))
        half = (float(steps.min()) if steps.size else 1.0) * 0.42
        base, below = np.zeros(len(at)), dict[float, float]()
        for number, place in enumerate(at):
            base[number] = below.get(place, 0.0)
            below[place] = base[number] + size[number]
        colours = self._colours(groups)
        fills = [colours.get(one, self._sketch.colours.token("line")) for one in groups]
        sides = at - half, at + half, base, base + size
        self._sketch.bars(*(sides[2:] + sides[:2] if across else sides), fills)

    def _lines(self, kind: str, x: Numbers, y: Numbers, groups: pd.Series) -> None:
        below: dict[float, float] = {}
        for name, colour in self._colours(groups).items():
            mine = (groups == name).to_numpy()
            order = np.argsort(x[mine], kind="stable")
            across, up = x[mine][order], y[mine][order]
            if kind == "area":
                base = np.array([below.get(one, 0.0) for one in across])
                self._sketch.area(across, base, base + up, (*colour[:3], 0.7), across=False)
                below |= dict(zip(across, base + up, strict=True))
            else:
                self._sketch.line(across, up, colour, float(self._mark.get("strokeWidth", 2)))
