"""Runs a notebook for a session of Bokeh's.

Imports Panel: only `dashboards.warm` may import this module, when it is time for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn
from bokeh.application.handlers.document_lifecycle import DocumentLifecycleHandler
from bokeh.application.handlers.handler import Handler
from bokeh.document import Document
from panel.io.application import Application
from panel.io.state import set_curdoc, state
from panel.template.base import BasicTemplate

from dashboards import address_state, compiled
from dashboards.catalog import Dashboard
from dashboards.cells import Content, content_of, leaves_address_to_us, remember_lines
from dashboards.failure import Failure, noted
from dashboards.output_panes import panes_of
from dashboards.parameters import parameters_of
from dashboards.parameters_page import Parameters, ParametersPage
from dashboards.run import Run, surroundings
from dashboards.shared import KEPT, as_given


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
        progressed: told how far it is, see `dashboards.run.Run`.
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
        self.progressed: Callable[[int, int, int | None], object] | None = None
        self.failure: Failure | None = None
        self.ignored: list[str] = []
        remember_lines(self.cells)
        self._follows = leaves_address_to_us(content)

    def modify_document(self, doc: Document) -> None:
        """Called by Bokeh, when `NotebookApplication` has run the cells."""

    async def run(self, doc: Document) -> None:
        """Run all cells. An error ends up in `failure`."""
        left = self.left
        if isinstance(left, Failure):
            self.failure = left
            return
        doc.title = self.dashboard.title
        try:
            await self._run(doc)
        # sys.exit() in a notebook must not end its process without a word to the page.
        except (Exception, SystemExit) as error:
            self.failure = noted(self._name, error)
        doc.config.update(
            reconnect_session=False, notifications=None, notify_connection_status=False
        )

    @property
    def _name(self) -> str:
        return f"{self.dashboard.group}/{self.dashboard.name}"

    async def _run(self, doc: Document) -> None:
        request = getattr(doc.session_context, "request", None)
        arguments = request.arguments if self._follows and request else None
        parameters = None
        if found := parameters_of(self.cells):
            with set_curdoc(doc):
                parameters = Parameters(found, arguments)
        run = self._new_run(self.progressed)
        await run.cells(doc, parameters.values if parameters else None)
        with surroundings(doc, self.dashboard):
            self._lay_out(doc, run, parameters)
            if arguments is not None:
                known = parameters.followed if parameters else ()
                self.ignored = address_state.follow(doc, arguments, known)

    def _new_run(self, progressed: Callable[[int, int, int | None], object] | None = None) -> Run:
        left = self.left
        if isinstance(left, dict) and KEPT in left:
            left = as_given(left[KEPT])
        return Run(self.dashboard, self.cells, left, progressed)  # pyright: ignore[reportArgumentType]

    def _lay_out(self, doc: Document, run: Run, parameters: Parameters | None) -> None:
        """A notebook that serves nothing is a page of its outputs."""
        template = state._templates.get(doc)
        if isinstance(template, BasicTemplate) and template.title == _USUAL_TITLE:
            template.title = self.dashboard.title
        if template is not None:
            # Its own page: parameters come by the address alone.
            for served in run.served:
                served.server_doc(doc)
        elif parameters is not None:
            page = ParametersPage(
                *(doc, parameters, run, self._new_run, self._name), follows=self._follows
            )
            page.servable()
        elif not doc.roots:
            pn.Column(*panes_of(run.outputs.items), sizing_mode="stretch_width").servable()


_USUAL_TITLE = BasicTemplate.param["title"].default


class NotebookApplication(Application):
    """The application of a session. Its notebook runs before Bokeh asks for the document: there
    cells may await something."""

    def __init__(self, notebook: NotebookHandler) -> None:
        super().__init__(notebook)
        self.add(DocumentLifecycleHandler())
        self._notebook = notebook

    async def on_session_created(self, session_context: Any) -> None:
        """Called by Bokeh once there is an empty document."""
        await super().on_session_created(session_context)
        document = session_context._document
        # As Panel does before a document is filled.
        state._thread_id_[document] = threading.get_ident()
        self._set_session_prefix(document)
        await self._notebook.run(document)
