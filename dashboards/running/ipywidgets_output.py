"""ipywidgets' `Output`, which shows what is shown inside it; `interact` has one.

In Jupyter its kernel and its page see to that, and ipywidgets_bokeh draws none. Here it is a text
of HTML, and `with output:` takes what is shown as long as it lasts.

Imports ipywidgets: only what runs a notebook that speaks of them may import this module.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

import ipywidgets
from ipywidgets.widgets import interaction, widget_output
from traitlets import Tuple

from dashboards.failure import noted
from dashboards.running.output_panes import html_of
from dashboards.running.outputs import Outputs, display, draw_figures

_Theirs = widget_output.Output


class Output(ipywidgets.HTML):
    """Stands for ipywidgets' own."""

    outputs = Tuple(help="Pieces of HTML, one for each output.")

    capture = _Theirs.capture
    clear_output = _Theirs.clear_output
    _inside: ClassVar[list[tuple[Outputs, ExitStack]]] = []

    def append_stdout(self, text: str) -> None:
        """As ipywidgets'."""
        with self:
            print(text, end="")  # noqa: T201 - it is shown

    append_stderr = append_stdout

    def append_display_data(self, value: Any) -> None:
        """As ipywidgets'."""
        with self:
            display(value)

    def __enter__(self) -> Output:
        stack, outputs = ExitStack(), Outputs()
        stack.enter_context(outputs.collected())
        self._inside.append((outputs, stack))
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        outputs, stack = self._inside.pop()
        is_told = isinstance(error, Exception)
        with stack:
            if is_told:
                failure = noted("A widget", error)
                sentence = failure.sentence or "Something went wrong here."
                outputs.write(f"{sentence} Reference: {failure.reference}", is_error=True)
        before = () if outputs.was_cleared else self.outputs
        self.outputs = (*before, *html_of(outputs.items))
        self.value = "".join(self.outputs)
        return is_told


def install() -> None:
    """Put it in the place of ipywidgets' own."""
    for module in (ipywidgets, ipywidgets.widgets, widget_output, interaction):
        vars(module)["Output"] = Output
    interaction.show_inline_matplotlib_plots = draw_figures
