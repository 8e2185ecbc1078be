"""What the cells of a notebook show: their last values, what they display, draw and print.

Whoever runs cells opens an `Outputs`; `install` leads to it what IPython, Bokeh, Matplotlib and
`print` would show elsewhere. Imports no Panel.
"""

from __future__ import annotations

import builtins
import getpass
import io
import re
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from dashboards.failure import CannotWork

MOST_TEXT = 100_000
"""Characters that the cells of a notebook may print into a page."""

MORE_TEXT = "… There is more text than is shown here."

MOST = 400
"""Outputs that the cells of a notebook may have in a page."""

PYPLOT = "module://dashboards.running.pyplot"
"""Matplotlib's name for our way to show a figure."""

SHELL = "__shell__"
"""The name under which a notebook's module keeps what `get_ipython()` answers with."""

ENVIRONMENT = {"MPLBACKEND": PYPLOT, "PLOTLY_RENDERER": "plotly_mimetype"}
"""How libraries know where to show what they draw."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PERCENT = re.compile(r"(\d{1,3})%\|")
_open: list[Outputs] = []


@dataclass
class Printed:
    """Text, of standard output or of standard error."""

    text: str
    is_error: bool = False


@dataclass
class Displayed:
    """An object to be shown; `name` is the one by which a notebook may show another instead."""

    value: Any
    name: str = ""


@dataclass(frozen=True)
class Bundle:
    """Something as text of one or more kinds, by their names, such as `text/html`."""

    data: Mapping[str, Any]


@dataclass(frozen=True)
class Prose:
    """The text of a cell that is no code."""

    markdown: str


class Outputs:
    """What cells have shown, in order; what is too much is left out.

    Args:
        heard: called with the percentage that a bar of progress, such as tqdm's, has got to.

    Attributes:
        items: of `Printed`, `Displayed` and `Prose`.
        was_cleared: what was shown before, elsewhere, is to go.
    """

    def __init__(self, heard: Callable[[int], object] | None = None) -> None:
        self.items: list[Printed | Displayed | Prose] = []
        self.was_cleared = False
        self._heard = heard
        self._left = MOST_TEXT

    def show(self, value: object, name: str = "") -> None:
        """Take an object; of None there is nothing to show."""
        if value is not None:
            self._add(Displayed(value, name))

    def say(self, markdown: str) -> None:
        """Take a text of the notebook's own."""
        self._add(Prose(markdown))

    def show_again(self, value: object, name: str) -> None:
        """Show something else in the place of what is shown under this name."""
        for item in self.items:
            if isinstance(item, Displayed) and item.name == name:
                item.value = value

    def clear(self) -> None:
        """Forget what is here."""
        self.items.clear()
        self.was_cleared = True

    def write(self, text: str, *, is_error: bool) -> bool:
        """Take printed text; False once there is too much of it."""
        if self._heard and (percents := _PERCENT.findall(text)):
            self._heard(min(int(percents[-1]), 100))
        if self._left <= 0:
            return False
        last = self.items[-1] if self.items else None
        if not isinstance(last, Printed) or last.is_error != is_error:
            last = Printed("", is_error)
            self._add(last)
        before = len(last.text)
        whole, end, line = last.text.rpartition("\n")
        line += _ESCAPES.sub("", text[: self._left])
        last.text = whole + end + _as_seen(line)
        self._left -= len(last.text) - before
        if self._left <= 0:
            last.text += f"\n{MORE_TEXT}"
        return True

    def _add(self, item: Printed | Displayed | Prose) -> None:
        if len(self.items) < MOST:
            self.items.append(item)
        elif len(self.items) == MOST:
            self.items.append(Printed(f"There is more than the first {MOST} outputs."))

    @contextmanager
    def collected(self) -> Iterator[Outputs]:
        """Meanwhile what is shown comes here."""
        _open.append(self)
        try:
            with (
                redirect_stdout(_Printing(_stream(sys.stdout), self, is_error=False)),
                redirect_stderr(_Printing(_stream(sys.stderr), self, is_error=True)),
            ):
                yield self
            draw_figures()
        finally:
            _open.remove(self)


class _Printing(io.TextIOBase):
    """A standard stream: what is printed comes into the log as ever, and to where it is shown."""

    def __init__(self, stream: TextIO, outputs: Outputs, *, is_error: bool) -> None:
        super().__init__()
        self._stream = stream
        self._outputs = outputs
        self._is_error = is_error

    encoding = "utf-8"

    @property
    def buffer(self) -> Any:
        return self._stream.buffer

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        if self._outputs.write(text, is_error=self._is_error):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


def _as_seen(text: str) -> str:
    """Text as a terminal leaves it: what stands before a carriage return is written over."""
    *lines, last = text.split("\n")
    ended = (line.rstrip("\r") for line in lines)  # a return before the end of a line does nothing
    return "\n".join([*(line.rpartition("\r")[2] for line in ended), last.rpartition("\r")[2]])


def _stream(stream: Any) -> TextIO:
    """What is printed where cells of cells run, as in an ipywidget, is shown in one place."""
    return stream._stream if isinstance(stream, _Printing) else stream


# -- what notebooks call ---------------------------------------------------------------------


class Handle:
    """As IPython's DisplayHandle: shows another object in the same place."""

    def __init__(self, name: str) -> None:
        self.display_id = name

    def update(self, value: object, **_: object) -> None:
        """Show this instead."""
        update_display(value, display_id=self.display_id)

    def display(self, value: object, **_: object) -> None:
        """Show this too, under the same name."""
        display(value, display_id=self.display_id)


def display(*values: Any, raw: bool = False, display_id: object = None, **_: object) -> Any:
    """As IPython's `display`; what comes when no cell runs is shown nowhere."""
    name = secrets.token_hex(16) if display_id is True else str(display_id or "")
    for value in values:
        if _open:
            _open[-1].show(Bundle(value) if raw else value, name)
    return Handle(name) if name else None


def update_display(value: Any, *, display_id: object, **_: object) -> None:
    """As IPython's; what was shown without a name has none to be found by."""
    if not display_id:
        raise TypeError("display_id required for update_display")
    if _open:
        _open[-1].show_again(value, str(display_id))


def publish_display_data(data: Mapping[str, Any], *_: object, **__: object) -> None:
    """As IPython's."""
    display(data, raw=True)


def clear_output(wait: bool = False) -> None:
    """As IPython's."""
    if _open:
        _open[-1].clear()


def draw_figures() -> None:
    """Take the figures that Matplotlib has open, and close them."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums() if _open else ():
        figure = pyplot.figure(number)
        if all(getattr(item, "value", None) is not figure for item in _open[-1].items):
            _open[-1].show(figure)
    pyplot.close("all")


def _get_ipython() -> Any:
    """As IPython's, for a notebook's own code; libraries are in no IPython."""
    return sys._getframe(1).f_globals.get(SHELL)


def _ask(*_: object, **__: object) -> NoReturn:
    raise CannotWork(
        "This dashboard asks for keyboard input, which a page cannot give; use a widget instead."
    )


def install() -> None:
    """Lead here what notebooks call; to be called once, before processes are forked."""
    import bokeh.io
    import bokeh.plotting
    import IPython
    import IPython.core.display_functions
    import IPython.display

    for module in (IPython.core.display_functions, IPython.display):
        for function in (display, update_display, publish_display_data, clear_output):
            setattr(module, function.__name__, function)
    IPython.get_ipython = _get_ipython  # pyright: ignore[reportAttributeAccessIssue]
    warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
    for module in (bokeh.io, bokeh.plotting):
        vars(module)["show"] = lambda value, *_, **__: display(value)
        vars(module)["output_notebook"] = lambda *_, **__: None
    builtins.input = getpass.getpass = _ask
