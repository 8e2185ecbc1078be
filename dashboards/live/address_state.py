"""The values of a dashboard's widgets stand in its address, so that a link shows what one saw.

What comes from an address was written by anybody: `dashboards.live.widget_values` reads it.

Imports Panel: only `dashboards.forks.warm` may import this module, when it is time for that.
"""

from __future__ import annotations

import copy
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

import panel as pn
import param
from bokeh.document import Document
from panel.io.state import set_curdoc

from dashboards.live.document_parts import parts_of
from dashboards.live.page_message import tell_page
from dashboards.live.widget_values import Codec, Texts, codec

log = logging.getLogger(__name__)

LONGEST = 2000
"""Characters that an address may ask for; of a longer one nothing is taken over."""

MESSAGE = "atrium-address"
"""What the page is told by this name, static/address.js writes into the address."""

GO = "atrium-go"
"""What the page says by this name when somebody goes back or forward: all that the address asks for
now. Under the same name it is told what could not be taken over, once the rest has been."""


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


_now: WeakKeyDictionary[Document, dict[str, Followed]] = WeakKeyDictionary()
"""What of a document the address follows now, by its names there."""


def named(widgets: Mapping[str, Any], arguments: Mapping[str, Sequence[bytes]]) -> list[Followed]:
    """Widgets that stand in the address by these names, set as it says; what it says in vain,
    `follow` tells."""
    codecs = {name: (widget, codec(widget)) for name, widget in widgets.items()}
    found = [
        _followed_as(name, widget, how) for name, (widget, how) in codecs.items() if how is not None
    ]
    asked = _asked(_texts_in(arguments))
    for one in found if _length(asked) <= LONGEST else ():
        with suppress(KeyError, ValueError):
            one.take_over(asked[one.name])
    return found


def watch(doc: Document, followed: Iterable[Followed]) -> None:
    """Let the address follow these."""
    for one in followed:
        one.widget.param.watch(partial(_tell, doc, one), "value")


def follow_again(doc: Document, known: Sequence[Followed]) -> None:
    """After the notebook has run again, in the same document: its widgets are others, and get the
    values that those before them had. `known`: as for `follow`; they are the same."""
    names = {one.name for one in known}
    before = {name: one.texts for name, one in _now.get(doc, {}).items() if name not in names}
    others = _others(doc, known)
    for one in others:
        if texts := before.pop(one.name, None):
            with suppress(ValueError):
                one.take_over(texts)
                continue
            before[one.name] = texts
    for name, texts in before.items():
        if texts:  # there is no such widget any more, or no such value
            tell_page(doc, MESSAGE, {"name": name, "values": []})
    watch(doc, others)


def _others(doc: Document, known: Sequence[Followed]) -> list[Followed]:
    """What of a document the address follows, beside what is known already."""
    names, widgets = {one.name for one in known}, {id(one.widget) for one in known}
    found = [
        one for one in _followed(doc) if id(one.widget) not in widgets and one.name not in names
    ]
    _now[doc] = {one.name: one for one in (*known, *found)}
    return found


def follow(
    doc: Document, arguments: Mapping[str, Sequence[bytes]], known: Sequence[Followed] = ()
) -> list[str]:
    """Set the widgets of a document as its address says, and let the address follow them.

    Called when the notebook has run, before its page is made. `known`: made by `named`. Returns the
    names in the address that could not be taken over, with their values: `kind=foo`.
    """
    _others(doc, known)
    ignored = _take_over(_now[doc], _asked(_texts_in(arguments)))
    watch(doc, _now[doc].values())
    doc.on_message(GO, partial(_go, doc))
    return ignored


def _take_over(followed: Mapping[str, Followed], asked: Mapping[str, Texts]) -> list[str]:
    ignored = []
    is_too_long = _length(asked) > LONGEST
    for name, texts in asked.items():
        try:
            if is_too_long:
                raise ValueError("more than an address of ours holds")
            followed[name].take_over(texts)
        except (KeyError, ValueError):
            ignored += [f"{name}={text}"[:80] for text in texts[:1]]
            _make_usual(followed.get(name))
    return ignored


def _make_usual(one: Followed | None) -> None:
    with suppress(ValueError):
        if one:
            one.take_over(one.usual)


def _go(doc: Document, query: object) -> None:
    """Somebody went back or forward: every widget gets what the address says, or its usual value.

    Called when the page says so, within the document's lock.
    """
    if not isinstance(query, str):
        return
    followed, asked = dict(_now[doc]), _asked(parse_qs(query, keep_blank_values=True))
    with set_curdoc(doc):
        for name, one in followed.items():
            if name not in asked:
                _make_usual(one)
        tell_page(doc, GO, {"ignored": _take_over(followed, asked)})


def _texts_in(arguments: Mapping[str, Sequence[bytes]]) -> dict[str, Texts]:
    return {
        name: [value.decode("utf-8", "replace") for value in values]
        for name, values in arguments.items()
    }


def _length(asked: Mapping[str, Texts]) -> int:
    return sum(len(text) for texts in asked.values() for text in texts)


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
        how = codec(widget)
        if not slug or how is None:
            continue
        counted[slug] += 1
        number = f"-{counted[slug]}" if counted[slug] > 1 else ""
        with suppress(Exception):  # a value that its own widget does not know
            yield _followed_as(slug + number, widget, how)


def _followed_as(name: str, widget: Any, how: Codec) -> Followed:
    """A widget by its name in the address, with the value that it has now as its usual one."""
    write, read = how
    start = copy.copy(widget.value)
    return Followed(
        name=name, widget=widget, write=write, read=read, start=start, usual=write(start)
    )


def _widgets(doc: Document) -> list[Any]:
    """What a person can set in this document, in the order of the page, each once."""
    return parts_of(doc, pn.widgets.Widget)
