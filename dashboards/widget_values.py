"""The values of widgets as texts, and back, such as an address can hold.

Texts may come from anybody. So they choose only among what a person could choose in the page: an
option, a number, a date, a tick. Free text is not taken over: many notebooks put it into a page, a
query or an expression, and a link could write there whatever it likes.

Imports Panel: only `dashboards.warm` may import this module, when it is time for that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

import panel as pn
import param
from panel.widgets.indicators import Indicator
from panel.widgets.select import SelectBase

Texts = list[str]

Codec = tuple[Callable[[Any], Texts], Callable[[Texts], Any]]
"""How a widget's value is written, and how it is read: KeyError, TypeError, ValueError or
OverflowError for what a person could not have chosen."""

_LARGEST = 2**53
"""Beyond it browsers no longer tell one whole number from the next."""


def codec(widget: Any) -> Codec | None:
    """How a widget's value is written and read; None for one that does not stand in an address."""
    if isinstance(widget, Indicator) or "value" not in type(widget).param:
        return None
    kind = type(widget).param["value"]  # an instance would make a copy of its own
    if isinstance(widget, pn.widgets.AutocompleteInput) and not widget.restrict:
        return None  # free text
    if isinstance(widget, SelectBase | pn.widgets.DiscreteSlider):
        if isinstance(kind, param.List):
            return partial(_labels, widget), partial(_options, widget)
        return partial(_label, widget), partial(_option, widget)
    if isinstance(kind, param.Boolean) and not isinstance(kind, param.Event):
        return lambda value: [str(bool(value)).lower()], lambda texts: _BOOLEANS[_one(texts)]
    if isinstance(kind, param.Color):
        return _written, _one
    for kinds, read in _READERS:
        if isinstance(kind, kinds):
            return _written, partial(_read, widget, kind, read)
    return None


_BOOLEANS = {"true": True, "false": False}


def _one(texts: Texts) -> str:
    (text,) = texts
    return text


def _names(widget: Any) -> dict[str, Any]:
    if isinstance(widget, SelectBase):
        return dict(zip(map(str, widget.labels), widget.values, strict=True))
    options = widget.options
    return options if isinstance(options, dict) else {str(option): option for option in options}


def _label(widget: Any, value: Any) -> Texts:
    return _labels(widget, [value])


def _labels(widget: Any, values: Any) -> Texts:
    names = _names(widget)
    labels = [name for value in values for name in names if _same(names[name], value)]
    return labels or [""]


def _same(one: Any, other: Any) -> bool:
    return one is other or bool(one == other)


def _option(widget: Any, texts: Texts) -> Any:
    return _names(widget)[_one(texts)]


def _options(widget: Any, texts: Texts) -> list[Any]:
    names = _names(widget)
    return [names[text] for text in dict.fromkeys(texts)] if texts != [""] else []


def _written(value: Any) -> Texts:
    if value is None:
        return [""]
    if isinstance(value, list | tuple):
        return [text for part in value for text in _written(part)]
    return [value.isoformat() if isinstance(value, date) else str(value)]


def _whole(text: str) -> int:
    value = int(text)
    if abs(value) > _LARGEST:
        raise ValueError("too large a number")
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("no number")
    return int(value) if value.is_integer() and "." not in text and abs(value) < _LARGEST else value


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


_READERS: tuple[tuple[Any, Callable[[str], Any]], ...] = (
    ((param.CalendarDate, param.CalendarDateRange), date.fromisoformat),
    ((param.Date, param.DateRange), _moment),
    (param.Integer, _whole),
    ((param.Number, param.Range), _number),
)


def _read(widget: Any, kind: Any, read: Callable[[str], Any], texts: Texts) -> Any:
    """One number or moment, or the two ends of a range, within the widget's own bounds."""
    is_range = isinstance(kind, param.Range)
    if isinstance(widget, pn.widgets.IntRangeSlider):
        read = _whole
    before = widget.value[0] if is_range and widget.value else widget.value
    if read is _moment and isinstance(before, date) and not isinstance(before, datetime):
        read = date.fromisoformat
    values = tuple(read(text) for text in texts)
    if len(values) != (2 if is_range else 1) or (is_range and values[0] > values[1]):
        raise ValueError("not as many values as it has, or in the wrong order")
    start, end = getattr(widget, "start", None), getattr(widget, "end", None)
    for value in map(_comparable, values):
        if start is not None and value < _comparable(start):
            raise ValueError("below what the widget offers")
        if end is not None and value > _comparable(end):
            raise ValueError("above what the widget offers")
    return values if is_range else values[0]


def _comparable(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as it stands there
    return value
