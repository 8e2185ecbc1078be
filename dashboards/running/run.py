"""One run of a notebook's cells, in a namespace of its own.

Imports Panel: only modules that run dashboards may import this one.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

import panel as pn
from bokeh.document import Document
from bokeh.io.doc import patch_curdoc
from panel.io.state import set_curdoc, state
from panel.viewable import Viewable

from dashboards.catalog import Dashboard
from dashboards.running.cells import SHOW, Cell, evaluated
from dashboards.running.magics import Shell
from dashboards.running.outputs import SHELL, Bundle, Displayed, Outputs, Printed, display

TURN: Final = 0.2  # seconds after which others have their turn
#: Seconds of a turn; Panel waits 0.05 before it takes what a page has said.
OTHERS: Final = 0.07
_AGAIN: Final = 0.5  # seconds between two words about a cell that goes on


class Outdated(Exception):
    """Nobody wants to see any more what this run would show."""


class Captured:
    """What `%%capture name` leaves."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    @property
    def stdout(self) -> str:
        return self._printed(is_error=False)

    @property
    def stderr(self) -> str:
        return self._printed(is_error=True)

    @property
    def outputs(self) -> list[Any]:
        return [item.value for item in self._outputs.items if isinstance(item, Displayed)]

    def _printed(self, *, is_error: bool) -> str:
        printed = (item for item in self._outputs.items if isinstance(item, Printed))
        return "".join(item.text for item in printed if item.is_error is is_error)

    def show(self) -> None:
        """Show it after all."""
        sys.stdout.write(self.stdout)
        sys.stderr.write(self.stderr)
        display(*self.outputs)

    __call__ = show


class Run:
    """Runs cells for a document.

    Args:
        dashboard: the notebook that they are of.
        cells: in their order.
        left: what shared cells have left, None where they run here as all others.
        progressed: called with the number of the code cell that runs, how many there are, and its
            own percentage, None if it tells none.

    Attributes:
        outputs: what the cells have shown.
        served: what they have made servable, where that was caught.
        callbacks: of the document, that the cells have added.
    """

    def __init__(
        self,
        dashboard: Dashboard,
        cells: tuple[Cell, ...],
        left: Mapping[str, Any] | None = None,
        progressed: Callable[[int, int, int | None], object] | None = None,
    ) -> None:
        self._name = f"bokeh_app_{secrets.token_hex(16)}"  # as Bokeh and Panel know such modules
        self.outputs = Outputs(self._heard)
        self.served: list[Viewable] = []
        self.callbacks: set[Any] = set()
        self._dashboard = dashboard
        self._cells = cells
        self._left = left
        self._progressed = progressed
        self._step = (0, sum(cell.is_code for cell in cells))
        self._told = 0.0

    async def cells(
        self,
        doc: Document,
        given: Mapping[str, Any] | None = None,
        *,
        is_outdated: Callable[[], bool] | None = None,
    ) -> None:
        """Run all of them.

        Args:
            doc: to which they belong.
            given: values for names of the cell with the parameters; None where there is no such.
                What cells make servable is caught then.
            is_outdated: asked between two cells; others have their turn then.

        Raises whatever a cell raises, and Outdated.
        """
        module = ModuleType(self._name)
        module.__file__ = os.fspath(self._dashboard.path)
        doc.modules.add(module)
        before = set(doc.session_callbacks)
        try:
            with surroundings(doc, self._dashboard), self._catching(doc, given is not None):
                await self._all(module.__dict__, dict(given or {}), is_outdated)
        finally:
            self.callbacks = set(doc.session_callbacks) - before

    def forget(self, doc: Document) -> None:
        """Take back what the cells have left in a document, so that others may run for it."""
        for callback in self.callbacks & set(doc.session_callbacks):
            doc.callbacks.remove_session_callback(callback)
        module = sys.modules.pop(self._name, None)
        if module in doc.modules._modules:
            doc.modules._modules.remove(module)

    async def _all(
        self,
        space: dict[str, Any],
        given: dict[str, Any],
        is_outdated: Callable[[], bool] | None,
    ) -> None:
        shell = Shell(space, lambda bundle: self.outputs.show(Bundle(bundle)))
        space.update({SHOW: display, "display": display, SHELL: shell})
        space["get_ipython"] = lambda: shell
        yielded = time.monotonic()
        if any("ipywidgets" in cell.source for cell in self._cells):
            importlib.import_module("dashboards.running.ipywidgets_output").install()
        for cell in self._cells:
            if is_outdated and time.monotonic() > yielded + TURN:
                await asyncio.sleep(OTHERS)
                yielded = time.monotonic()
            if is_outdated and is_outdated():
                raise Outdated
            if not cell.is_code:
                self.outputs.say(cell.source)
                continue
            self._begin_step()
            if cell.is_shared and self._left is not None:
                exec(cell.imports, space)
                space.update(self._left)
            else:
                await self._run(cell, space)
            if cell.has_parameters:
                space.update(given)
                given = {}

    async def _run(self, cell: Cell, space: dict[str, Any]) -> None:
        outputs, name = self.outputs, cell.captured
        if name is not None:
            outputs = Outputs()
            space[name or "_"] = Captured(outputs)
        with outputs.collected():
            waits = evaluated(cell.code, space)
            if waits is not None:
                await waits

    def _begin_step(self) -> None:
        number, count = self._step
        self._step = (number + 1, count)
        if self._progressed:
            self._progressed(*self._step, None)

    def _heard(self, percent: int) -> None:
        if self._progressed and time.monotonic() > self._told + _AGAIN:
            self._told = time.monotonic()
            self._progressed(*self._step, percent)

    @contextmanager
    def _catching(self, doc: Document, is_asked: bool) -> Iterator[None]:
        """Keep what is made servable, instead of adding it to the document."""
        if not is_asked:
            yield
            return

        def serve(self: Viewable, *_: object, title: str | None = None, **__: object) -> Any:
            doc.title = title or doc.title
            served.append(self)
            return doc

        def add_root(model: Any, setter: Any = None) -> None:
            if doc in state._templates:  # a page of its own
                Document.add_root(doc, model, setter)
            else:
                served.append(pn.pane.Bokeh(model))

        served, kept = self.served, Viewable.server_doc
        Viewable.server_doc = serve  # pyright: ignore[reportAttributeAccessIssue]
        vars(doc)["add_root"] = add_root
        try:
            yield
        finally:
            Viewable.server_doc = kept
            del vars(doc)["add_root"]


@contextmanager
def surroundings(doc: Document, dashboard: Dashboard) -> Iterator[None]:
    """The surroundings of notebook code: its document, its folder, imports from beside it."""
    folder = os.fspath(dashboard.path.parent)
    path = list(sys.path)
    # The folder stays the current one: callbacks that read a file come later.
    os.chdir(folder)
    sys.path.insert(0, folder)
    state._launching.add(doc)
    try:
        with patch_curdoc(doc), set_curdoc(doc):
            yield
    finally:
        state._launching.discard(doc)
        sys.path[:] = path
