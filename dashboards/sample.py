"""A sample of our own, drawn before a fork: it shows what most notebooks show.

Much of what a first plot takes is made once in a process; made before the fork, it is there for
everybody. Imports Panel: only what is about to fork may import this module, once it is warm.
"""

from __future__ import annotations

from typing import Any

import hvplot.pandas  # noqa: F401
import pandas as pd
import panel as pn
import panel.io.browser  # Panel's own imports leave it to the first session
from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.server.contexts import BokehSessionContext


def draw() -> None:
    """Draw it, move its widgets, and let it go. Leaves no thread and no session."""
    document = Application(FunctionHandler(_fill)).create_document()
    document.to_json()
    context = BokehSessionContext("sample", None, document)  # type: ignore[arg-type]
    for callback in document.session_destroyed_callbacks:
        callback(context)
    document.clear()


def _fill(document: Document) -> None:
    frame = pd.DataFrame({"x": range(20), "y": [value % 7 for value in range(20)]})
    window = pn.widgets.IntSlider(name="window", start=1, end=5)
    kind = pn.widgets.Select(name="kind", options=["line", "scatter"])

    def plot(window: int, kind: str) -> Any:
        rolled = frame.rolling(window, min_periods=1).mean()
        return rolled.hvplot(x="x", y="y", kind=kind, responsive=True, height=200)

    table = pn.widgets.Tabulator(frame, pagination="remote")
    pn.Column(kind, window, pn.bind(plot, window, kind), table).server_doc(document)
    kind.value, window.value = "scatter", 2
