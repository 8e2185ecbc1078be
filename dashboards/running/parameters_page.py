"""The page of a notebook with parameters: widgets above what it shows; when one of them changes,
the notebook runs again.

Imports Panel: only modules that run dashboards may import this one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from html import escape
from typing import Any, Final

import panel as pn
from bokeh.document import Document
from panel.io.state import set_curdoc, state
from panel.viewable import Viewable

from dashboards.failure import Failure, noted
from dashboards.live import address_state
from dashboards.running.output_panes import panes_of
from dashboards.running.parameters import Parameter
from dashboards.running.run import OTHERS, TURN, Outdated, Run

LONGEST_TEXT: Final = 10_000
"""Characters of a parameter that is a text."""

_REST: Final = 0.05  # seconds; what changes meanwhile counts as one change
_MOST_STEPS: Final = 1000  # of a slider
_NONE: Final = "–"


class Parameters:
    """The widgets of a notebook's parameters.

    Args:
        parameters: of the notebook.
        arguments: of its address, None if that is not followed.
    """

    def __init__(
        self, parameters: Iterable[Parameter], arguments: Mapping[str, Any] | None
    ) -> None:
        self._parameters = {one.name: one for one in parameters}
        self.widgets = {one.name: widget_of(one) for one in self._parameters.values()}
        self.followed = address_state.named(self.widgets, arguments or {})

    @property
    def values(self) -> dict[str, Any]:
        """What the widgets say, by the names of the parameters."""
        return {
            name: _value(self._parameters[name], widget.value)
            for name, widget in self.widgets.items()
        }


class ParametersPage:
    """What is on the page of a notebook with parameters.

    Args:
        doc: its document.
        parameters: with which it has run.
        run: what it has run.
        again: makes another run.
        name: of the notebook, for the log.
        follows: whether the address follows its widgets.
    """

    def __init__(
        self,
        doc: Document,
        parameters: Parameters,
        run: Run,
        again: Callable[[], Run],
        name: str,
        *,
        follows: bool,
    ) -> None:
        self._doc = doc
        self._parameters = parameters
        self._run = run
        self._again = again
        self._name = name
        self._follows = follows
        self._asked = self._done = 0
        self._work: asyncio.Task[None] | None = None
        self._told = pn.pane.HTML("", visible=False, styles=_TOLD)
        self._shown = pn.Column(*_shown_by(run))
        for widget in parameters.widgets.values():
            # A slider says each of its steps, and at the end where it rests.
            rests = "value_throttled" if "value_throttled" in type(widget).param else "value"
            widget.param.watch(self._changed, rests)

    def servable(self) -> None:
        """Add it to the document."""
        widgets = pn.FlexBox(
            *self._parameters.widgets.values(), align_items="end", gap="8px 20px", styles=_WIDGETS
        )
        pn.Column(widgets, self._told, self._shown).servable()

    def _changed(self, _: object) -> None:
        self._asked += 1
        self._shown.loading = True
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        """Run the notebook until it has run with the newest values."""
        while self._done != self._asked:
            asked = self._asked
            await asyncio.sleep(_REST)
            if asked != self._asked:
                continue
            run, failure, began = self._again(), None, time.monotonic()
            outdated = partial(self._is_other, asked)
            try:
                await run.cells(self._doc, self._parameters.values, is_outdated=outdated)
            except Outdated:
                run.forget(self._doc)
                continue
            # sys.exit() in a notebook must not end its process without a word to the page.
            except (Exception, SystemExit) as error:
                failure = noted(self._name, error)
            if time.monotonic() > began + TURN:  # a person may have chosen something meanwhile
                await asyncio.sleep(OTHERS)
            if outdated():
                run.forget(self._doc)
                continue
            self._done = asked
            with set_curdoc(self._doc):
                state.execute(partial(self._show, run, failure), schedule=True)

    def _is_other(self, asked: int) -> bool:
        return self._asked != asked

    def _show(self, run: Run, failure: Failure | None) -> None:
        """Show what has come of it; what was shown before stays where nothing has."""
        if failure:
            run.forget(self._doc)
            sentence = failure.sentence or "Something went wrong with these values."
            self._told.object = (
                f'<span role="alert">{escape(sentence)} What you see is from before. If it happens'
                " again, tell whoever made the dashboard this reference:"
                f" {failure.reference}</span>"
            )
        else:
            self._run.forget(self._doc)
            self._run = run
            self._shown.objects = _shown_by(run)
            if self._follows:
                address_state.follow_again(self._doc, self._parameters.followed)
        self._told.visible = failure is not None
        self._shown.loading = self._done != self._asked


def _shown_by(run: Run) -> list[Viewable]:
    return run.served or list(panes_of(run.outputs.items))


def widget_of(parameter: Parameter) -> Any:
    """The widget that lets people choose it."""
    common = {"label": parameter.label, "value": parameter.default}
    common |= {"min_width": 160, "max_width": 300, "sizing_mode": "stretch_width"}
    bounds = {"start": parameter.start, "end": parameter.end, "step": parameter.step}
    bounds = {name: bound for name, bound in bounds.items() if bound is not None}
    is_whole = parameter.kind == "int"
    if parameter.kind == "list":
        return pn.widgets.MultiChoice(options=list(parameter.choices), **common)
    if parameter.choices:
        options = {str(choice): choice for choice in parameter.choices}
        if parameter.may_be_none:
            options = {_NONE: None, **options}
        return pn.widgets.Select(options=options, **common)
    match parameter.kind:
        case "bool":
            return pn.widgets.Checkbox(**{**common, "value": bool(parameter.default)})
        case "date":
            return pn.widgets.DatePicker(**common)
        case "str":
            text = parameter.default or ""
            return pn.widgets.TextInput(max_length=LONGEST_TEXT, **{**common, "value": text})
    if _slides(parameter):
        slider = pn.widgets.IntSlider if is_whole else pn.widgets.FloatSlider
        return slider(**common, **bounds)
    number = pn.widgets.IntInput if is_whole else pn.widgets.FloatInput
    return number(**common, **bounds)


def _slides(parameter: Parameter) -> bool:
    if parameter.start is None or parameter.end is None or parameter.default is None:
        return False
    step = parameter.step or (1 if parameter.kind == "int" else 0.1)
    return (parameter.end - parameter.start) / step <= _MOST_STEPS


def _value(parameter: Parameter, value: Any) -> Any:
    """What a widget says, as the notebook gets it."""
    if parameter.kind == "str" and not parameter.choices:
        return None if value == "" and parameter.may_be_none else str(value)[:LONGEST_TEXT]
    if parameter.kind == "list":
        return list(value)
    if value is None and not parameter.may_be_none:
        return parameter.default  # a number whose field was emptied
    if parameter.kind in {"int", "float"} and value is not None and not parameter.choices:
        value = value if parameter.start is None else max(value, parameter.start)
        value = value if parameter.end is None else min(value, parameter.end)
        return float(value) if parameter.kind == "float" else value
    return value


_WIDGETS: Final = {"padding-bottom": "16px"}
_TOLD: Final = {
    "padding": "10px 14px",
    "border-radius": "8px",
    "border": "1px solid var(--line-strong)",
    "color": "var(--ink)",
}
