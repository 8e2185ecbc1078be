"""The values of a dashboard's widgets stand in its address, so that a link shows what one saw.

What comes from an address was written by anybody. So it chooses only among what a person could
choose in the page: an option, a number, a date, a tick. Free text is not taken over: many notebooks
put it into a page, a query or an expression, and a link could write there whatever it likes.

Imports Panel: only `dashboards.warm` may import this module, when it is time for that.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import panel as pn
import param
from bokeh.document import Document
from panel.io.state import set_curdoc, state
from panel.widgets.indicators import Indicator
from panel.widgets.select import SelectBase

from dashboards.page_message import tell_page

log = logging.getLogger(__name__)

LONGEST = 2000
"""Characters that an address may ask for; of a longer one nothing is taken over."""

MESSAGE = "atrium-address"
"""What the page is told by this name, static/address.js writes into the address."""

GO = "atrium-go"
"""What the page says by this name when somebody goes back or forward: all that the address asks for
now. Under the same name it is told what could not be taken over, once the rest has been."""

_TOLD = 5
"""Of what could not be taken over, so many are told."""

_LARGEST = 2**53
"""Beyond it browsers no longer tell one whole number from the next."""

Texts = list[str]


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A widget with its name in the address, and how its value is written there.

    `start`: the value that it has where the address does not name it; `usual`: that, written.
    """

    name: str
    widget: Any
    write: Callable[[Any], Texts]
    read: Callable[[Texts], Any]
    start: Any
    usual: Texts

    @property
    def texts(self) -> Texts:
        """Its value as it stands in the address; nothing while it is the usual one."""
        texts = self.write(self.widget.value)
        return [] if texts == self.usual else texts

    def take_over(self, texts: Texts) -> None:
        """Give the widget the value that these texts stand for.

        Raises:
            ValueError: a person could not have chosen it.
        """
        widget, before = self.widget, self.widget.value
        if texts == self.write(before):
            return
        if widget.disabled or not widget.visible:
            raise ValueError("not for people to change")
        try:
            value = copy.copy(self.start) if texts == self.usual else self.read(texts)
        except (TypeError, OverflowError, KeyError) as error:
            raise ValueError(str(error)) from None
        try:
            _set(widget, value)
        except Exception as error:  # the widget's own check, or the notebook's code
            log.info("A value from an address was not taken over: %s", type(error).__name__)
            _set(widget, before)
            raise ValueError("refused") from None


def follow(doc: Document, arguments: Mapping[str, Sequence[bytes]]) -> list[str]:
    """Set the widgets of a document as its address says, and let the address follow them.

    Called when the notebook has run, before its page is made. Returns the names in the address
    that could not be taken over, with their values: `kind=foo`; the first few of them.
    """
    followed = {one.name: one for one in _followed(doc)}
    texts = {
        name: [value.decode("utf-8", "replace") for value in values]
        for name, values in arguments.items()
    }
    ignored = _take_over(followed, _asked(texts))
    for one in followed.values():
        one.widget.param.watch(partial(_tell, doc, one), "value")
    doc.on_message(GO, partial(_go, doc, followed))
    return ignored


def _take_over(followed: Mapping[str, Followed], asked: Mapping[str, Texts]) -> list[str]:
    ignored = []
    is_too_long = sum(len(text) for texts in asked.values() for text in texts) > LONGEST
    for name, texts in asked.items():
        try:
            if is_too_long:
                raise ValueError("more than an address of ours holds")
            followed[name].take_over(texts)
        except (KeyError, ValueError):
            ignored += [f"{name}={text}"[:80] for text in texts[:1]]
            _make_usual(followed.get(name))
    return ignored[:_TOLD]


def _make_usual(one: Followed | None) -> None:
    with contextlib.suppress(ValueError):
        if one:
            one.take_over(one.usual)


def _go(doc: Document, followed: Mapping[str, Followed], query: object) -> None:
    """Somebody went back or forward: every widget gets what the address says, or its usual value.

    Called when the page says so, within the document's lock.
    """
    if not isinstance(query, str):
        return
    asked = _asked(parse_qs(query, keep_blank_values=True))
    with set_curdoc(doc):
        for name in followed.keys() - asked.keys():
            _make_usual(followed[name])
        tell_page(doc, GO, {"ignored": _take_over(followed, asked)})


def _asked(arguments: Mapping[str, Texts]) -> dict[str, Texts]:
    ours = r"redirects|utm_\w+"  # of the hub's, and of those who count
    return {name: texts for name, texts in arguments.items() if not re.fullmatch(ours, name)}


def _tell(doc: Document, one: Followed, _: object) -> None:
    tell_page(doc, MESSAGE, {"name": one.name, "values": one.texts})


def _set(widget: Any, value: Any) -> None:
    values = {"value": value}
    if "value_throttled" in type(widget).param:
        values["value_throttled"] = value
    with param.edit_constant(widget):
        widget.param.update(**values)


def _followed(doc: Document) -> Iterator[Followed]:
    counted: Counter[str] = Counter()
    for widget in _widgets(doc):
        slug = re.sub(r"[\W_]+", "-", str(widget.label or widget.name or "").casefold()).strip("-")
        codec = _codec(widget)
        if not slug or codec is None:
            continue
        counted[slug] += 1
        number = f"-{counted[slug]}" if counted[slug] > 1 else ""
        write, read = codec
        try:
            start = copy.copy(widget.value)
            usual = write(start)
        except Exception:  # a value that its own widget does not know
            continue
        yield Followed(
            name=slug + number, widget=widget, write=write, read=read, start=start, usual=usual
        )


def _widgets(doc: Document) -> list[Any]:
    """What a person can set in this document, in the order of the page, each once."""
    return parts_of(doc, pn.widgets.Widget)


def parts_of(doc: Document, kind: type[Any] | tuple[type[Any], ...]) -> list[Any]:
    """The parts of a document of this kind of Panel's, in the order of the page, each once."""
    template = state._templates.get(doc)
    shown = [part for part, _ in template._render_items.values()] if template is not None else []
    views = (state._views.get(root.ref["id"]) for root in doc.roots)
    shown += [view[0] for view in views if view]
    # What tells of the browser, or of the address, is part of a page and draws nothing.
    drawn = [one for one in shown if isinstance(one, pn.viewable.Viewable)]
    found = [part for one in drawn for part in one.select(lambda part: isinstance(part, kind))]
    return list({id(part): part for part in found}.values())


# -- how values are written and read ---------------------------------------------------------

Codec = tuple[Callable[[Any], Texts], Callable[[Texts], Any]]


def _codec(widget: Any) -> Codec | None:
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
