"""Runs a notebook for a session of Bokeh's.

Imports Panel: only `dashboards.warm` may import this module, when it is time for that.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import panel as pn
from bokeh.application.handlers.handler import Handler
from bokeh.document import Document
from bokeh.io.doc import patch_curdoc
from panel.io import handlers as panel_handlers
from panel.io.state import set_curdoc, state
from panel.template.base import BasicTemplate

from dashboards import address_state, compiled
from dashboards.catalog import Dashboard
from dashboards.cells import (
    SHOW,
    Cell,
    Content,
    content_of,
    leaves_address_to_us,
    remember_lines,
)
from dashboards.failure import Failure, noted


class NotebookHandler(Handler):
    """Makes the document of one version of a notebook, for its one session.

    Args:
        dashboard: the notebook.
        shared: where the hub keeps what its viewers share, None if it does not.
        content: what is in the notebook, where that is not in its file.

    Raises OSError or ValueError when the file cannot be read as a notebook.

    Attributes:
        left: what shared cells have left, or why they could not; None where they run here, as all
            others.
        failure: why the document is empty, None if nothing went wrong.
        ignored: what the address asked for in vain, `kind=foo`.
    """

    def __init__(
        self, dashboard: Dashboard, shared: Path | None = None, content: Content | None = None
    ) -> None:
        super().__init__()
        self.dashboard = dashboard
        content = content or content_of(dashboard.path)
        if shared:
            compiled.use_kept(content, shared)
        self.cells = content.cells
        self.has_shared_cells = any(cell.is_shared for cell in self.cells)
        self.left: dict[str, Any] | Failure | None = None
        self.failure: Failure | None = None
        self.ignored: list[str] = []
        remember_lines(self.cells)
        self._follows = leaves_address_to_us(content)

    def modify_document(self, doc: Document) -> None:
        """Run all cells. An error ends up in `failure`."""
        left, self.left = self.left, None
        if isinstance(left, Failure):
            self.failure = left
            return
        module = ModuleType(f"bokeh_app_{secrets.token_hex(16)}")
        module.__file__ = os.fspath(self.dashboard.path)
        doc.modules.add(module)
        doc.title = self.dashboard.title
        with _running(doc, self.dashboard):
            try:
                outputs = self._run(module, left)
                template = state._templates.get(doc)
                if isinstance(template, BasicTemplate) and not _titled(template):
                    template.title = self.dashboard.title
                if not doc.roots and template is None:
                    _lay_out(outputs)
                request = getattr(doc.session_context, "request", None)
                if self._follows and request:
                    self.ignored = address_state.follow(doc, request.arguments)
            # sys.exit() in a notebook must not end its process without a word to the page.
            except (Exception, SystemExit) as error:
                self.failure = noted(f"{self.dashboard.group}/{self.dashboard.name}", error)
        doc.config.update(
            reconnect_session=False, notifications=None, notify_connection_status=False
        )

    def _run(self, module: ModuleType, left: dict[str, Any] | None) -> list[Any]:
        """Run the cells in the module; returns what they show, in order."""
        outputs: list[Any] = []
        space = module.__dict__
        space[SHOW] = outputs.append
        space["display"] = panel_handlers.display
        space["get_ipython"] = lambda: None
        for cell in self.cells:
            if cell.is_shared and left is not None:
                exec(cell.imports, space)
                space.update(left)
            elif cell.is_code:
                _run_cell(cell, space, outputs)
            else:
                outputs.append(cell.source)
        return [output for output in outputs if output is not None]


def _run_cell(cell: Cell, space: dict[str, Any], outputs: list[Any]) -> None:
    exec(cell.code, space)
    outputs.extend(panel_handlers.CELL_DISPLAY)
    panel_handlers.CELL_DISPLAY.clear()
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
        outputs.extend(figure for figure in figures if not any(figure is o for o in outputs))
        pyplot.close("all")


def _lay_out(outputs: list[Any]) -> None:
    """A notebook that serves nothing is a page of its outputs."""
    shown = [
        output
        for output in outputs
        # A figure's own reply to being asked for, such as the axes of a plot, is not a picture.
        if isinstance(output, str | pn.viewable.Viewable) or _is_shown(output)
    ]
    column = pn.Column(*shown, sizing_mode="stretch_width")
    for item in column:
        if isinstance(item, pn.pane.Matplotlib):
            item.param.update(tight=True, sizing_mode="scale_width", max_width=760, align="start")
    column.servable()


def _is_shown(output: object) -> bool:
    try:
        pane = pn.panel(output)
    except Exception:
        return False
    # Matplotlib's functions answer with lists of artists, which are words for nobody.
    return not (isinstance(pane, pn.pane.Str) and isinstance(output, list | tuple))


def _titled(template: BasicTemplate) -> bool:
    return template.title != template.param["title"].default


@contextmanager
def _running(doc: Document, dashboard: Dashboard) -> Iterator[None]:
    """The surroundings of notebook code: its document, its folder, imports from beside it."""
    folder = os.fspath(dashboard.path.parent)
    path = list(sys.path)
    # The folder stays the current one: callbacks that read a file come later.
    os.chdir(folder)
    sys.path.insert(0, folder)
    state._launching.add(doc)
    try:
        with panel_handlers._patch_ipython_display(), patch_curdoc(doc), set_curdoc(doc):
            yield
    finally:
        state._launching.discard(doc)
        panel_handlers.CELL_DISPLAY.clear()
        sys.path[:] = path
