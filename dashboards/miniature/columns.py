"""What a glyph of Bokeh's draws, as numbers and colours: its properties, read out of its data."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from bokeh.core.property.vectorization import Expr, Field, Value
from bokeh.models import (
    BooleanFilter,
    CategoricalColorMapper,
    CDSView,
    ColorMapper,
    CumSum,
    Dodge,
    FactorRange,
    GlyphRenderer,
    GroupFilter,
    IndexFilter,
    Jitter,
    LogColorMapper,
    Range,
    Stack,
)

from dashboards.miniature.colours import NOTHING, RGBA, Colours
from dashboards.miniature.thinning import Numbers


class Columns:
    """Reads the properties of one renderer's glyph.

    Args:
        renderer: of the glyph.
        ranges: of the plot that it uses, across and up.
        colours: of the scheme.
    """

    def __init__(
        self, renderer: GlyphRenderer, ranges: tuple[Range, Range], colours: Colours
    ) -> None:
        self.glyph = renderer.glyph
        self._data: dict[str, Any] = dict(renderer.data_source.data)  # type: ignore[union-attr]
        self._view = renderer.view
        self._ranges = ranges
        self._colours = colours

    def has(self, name: str) -> bool:
        """Whether the glyph has this property, and it is set to something."""
        return name in self.glyph.properties() and self._value(name) is not None

    def numbers(self, name: str, axis: int | None = None) -> Numbers:
        """A property of every mark, a single value as one; `axis`: it is a coordinate, on the first
        or the second."""
        return self._numbers(self._value(name), axis)

    def word(self, name: str, default: str = "") -> str:
        """A property that is one word for all marks."""
        found = self._value(name)
        found = found.value if isinstance(found, Value) else found
        return found if isinstance(found, str) else default

    def number(self, name: str, default: float) -> float:
        """A property that is one number for all marks; the first one, where it is not."""
        found = self.numbers(name)
        return float(found[0]) if len(found) and np.isfinite(found[0]) else default

    def colours(self, kind: str) -> list[RGBA]:
        """`fill`, `line` or `hatch`: its colour for every mark, a single one for all."""
        alpha = self.number(f"{kind}_alpha", 1.0)
        value = self._value(f"{kind}_color")
        if value is None:
            return [NOTHING]
        if isinstance(value, Value):
            value = value.value
        if not isinstance(value, Field):
            return [self._colours.shown(value, alpha)]
        raw = self._rows(value.field)
        mapper = value.transform
        if isinstance(mapper, ColorMapper):
            return mapped(raw, mapper, self._colours, alpha)
        return [self._colours.shown(one, alpha, is_own=True) for one in raw] or [NOTHING]

    def rows(self, name: str) -> Sequence[Any]:
        """The values of a property that is a column, as they are: lists of lists, or images."""
        value = self._value(name)
        if isinstance(value, Field):
            return self._rows(value.field)
        return [value.value if isinstance(value, Value) else value]

    def numbers_in(self, values: Any, axis: int) -> Numbers:
        """Values within a row, such as the corners of one polygon."""
        return coordinates(values, self._ranges[axis])

    # -- reading --------------------------------------------------------------------------------

    def _value(self, name: str) -> Any:
        if name not in self.glyph.properties():
            return None
        return self.glyph.lookup(name).get_value(self.glyph)

    def _numbers(self, value: Any, axis: int | None) -> Numbers:
        range_ = None if axis is None else self._ranges[axis]
        if isinstance(value, Expr):
            return self._computed(value.expr)
        if isinstance(value, Field):
            found = coordinates(self._rows(value.field), range_)
            return _moved(found, value.transform)
        if isinstance(value, Value):
            value = value.value
        return coordinates([value], range_)

    def _computed(self, expression: Any) -> Numbers:
        if isinstance(expression, Stack):
            columns = [coordinates(self._rows(name), None) for name in expression.fields]
            return np.sum(columns, axis=0) if columns else np.zeros(1)
        if isinstance(expression, CumSum):
            column = coordinates(self._rows(expression.field), None)
            total = np.cumsum(column)
            return total - column if expression.include_zero else total
        return np.array([np.nan])

    def _rows(self, name: str) -> Any:
        column = self._data.get(name, ())
        if self._kept is None:
            return column
        if isinstance(column, np.ndarray | pd.Series):
            return np.asarray(column)[self._kept]
        return [column[place] for place in self._kept]

    @cached_property
    def _kept(self) -> Any:
        """Places of the rows that are shown; None: all are."""
        chosen = self._view.filter if isinstance(self._view, CDSView) else None
        count = max((len(column) for column in self._data.values()), default=0)
        if isinstance(chosen, IndexFilter) and chosen.indices is not None:
            return [place for place in chosen.indices if 0 <= place < count]
        if isinstance(chosen, BooleanFilter) and chosen.booleans is not None:
            return [place for place, kept in enumerate(chosen.booleans) if kept and place < count]
        if isinstance(chosen, GroupFilter) and chosen.column_name in self._data:
            column = self._data[chosen.column_name]
            return [place for place, one in enumerate(column) if one == chosen.group]
        return None


def coordinates(values: Any, range_: Range | None) -> Numbers:
    """Numbers for values of any kind; what is none becomes one that is not finite."""
    if isinstance(range_, FactorRange):
        places = factor_places(range_)
        return np.array([_factor_place(value, places) for value in values], dtype=float)
    found = np.asarray(values)
    if found.ndim > 1:
        return np.full(len(found), np.nan)
    if found.dtype.kind == "M":
        numbers = found.astype("datetime64[us]").astype(float) / 1000
        return np.where(np.isnat(found), np.nan, numbers)
    if found.dtype.kind == "m":
        return found.astype("timedelta64[us]").astype(float) / 1000
    if found.dtype.kind in "biuf":
        return found.astype(float)
    return np.array([_number(value) for value in values], dtype=float)


def _number(value: Any) -> float:
    try:
        if isinstance(value, datetime.timedelta | np.timedelta64):
            return pd.Timedelta(value).total_seconds() * 1000
        if isinstance(value, datetime.date | np.datetime64 | pd.Period):
            value = value.start_time if isinstance(value, pd.Period) else value
            return pd.Timestamp(value).timestamp() * 1000
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def factor_places(range_: FactorRange) -> dict[Any, float]:
    """Where each factor of a categorical axis is; groups of them too, at their middle."""
    places: dict[Any, float] = {}
    groups: dict[Any, list[float]] = {}
    at, before = 0.5, None
    for factor in range_.factors:
        key = tuple(factor) if isinstance(factor, list | tuple) else factor
        group = key[0] if isinstance(key, tuple) else None
        if before is not None and group is not None and group != before:
            at += range_.group_padding
        before = group
        places[key] = at
        if group is not None:
            groups.setdefault(group, []).append(at)
        at += 1
    return {group: sum(found) / len(found) for group, found in groups.items()} | places


def _factor_place(value: Any, places: dict[Any, float]) -> float:
    try:
        if isinstance(value, list | tuple):
            value = tuple(value)
            if value in places:
                return places[value]
            if value and isinstance(value[-1], int | float):  # so far beside the factor
                rest = value[:-1]
                return places[rest[0] if len(rest) == 1 else rest] + value[-1]
        if value in places:
            return places[value]
    except (KeyError, TypeError):
        return float("nan")
    return _number(value)


def _moved(values: Numbers, transform: Any) -> Numbers:
    if isinstance(transform, Dodge):
        return values + _number(transform.value)
    if isinstance(transform, Jitter):
        chance = np.random.default_rng(0)
        return values + (chance.random(len(values)) - 0.5) * _number(transform.width)
    return values


def mapped(values: Any, mapper: ColorMapper, colours: Colours, alpha: float) -> list[RGBA]:
    """The colours that a mapper of Bokeh's gives to values."""
    palette = [colours.shown(one, alpha) for one in mapper.palette] or [NOTHING]
    nothing = colours.shown(mapper.nan_color, alpha)
    if isinstance(mapper, CategoricalColorMapper):
        factors = [tuple(one) if isinstance(one, list) else one for one in mapper.factors or ()]
        place = {factor: number for number, factor in reversed(list(enumerate(factors)))}
        return [
            palette[place[one] % len(palette)] if _is_in(one, place) else nothing for one in values
        ]
    numbers = np.asarray(coordinates(values, None))
    shares = _shares(numbers, mapper)
    steps = np.clip(np.nan_to_num(shares * len(palette)), 0, len(palette) - 1).astype(int)
    return [
        palette[step] if ok else nothing
        for step, ok in zip(steps, np.isfinite(shares), strict=True)
    ]


def painted(values: Any, mapper: ColorMapper, colours: Colours, alpha: float) -> Any:
    """The same for an image: rows of colours."""
    palette = np.array([colours.shown(one, alpha) for one in mapper.palette] or [NOTHING])
    shares = _shares(values.astype(float), mapper)
    steps = np.clip(np.nan_to_num(shares * len(palette)), 0, len(palette) - 1).astype(int)
    nothing = np.array(colours.shown(mapper.nan_color, alpha))
    return np.where(np.isfinite(shares)[..., None], palette[steps], nothing)


def _shares(values: Numbers, mapper: ColorMapper) -> Numbers:
    """How far each value is from the lowest, 0, to the highest, 1."""
    low, high = getattr(mapper, "low", None), getattr(mapper, "high", None)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.full(values.shape, np.nan)
    low = float(finite.min()) if low is None else _number(low)
    high = float(finite.max()) if high is None else _number(high)
    if isinstance(mapper, LogColorMapper):
        low = max(low, 1e-12)
        with np.errstate(all="ignore"):
            values, low, high = np.log(values), np.log(low), np.log(max(high, low * 2))
    return (values - low) / ((high - low) or 1.0)


def _is_in(value: Any, places: dict[Any, int]) -> bool:
    try:
        return value in places
    except TypeError:
        return False
