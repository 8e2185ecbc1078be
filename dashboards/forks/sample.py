"""A sample of our own, drawn before a fork: it shows what most notebooks show.

Much of what a first plot takes is made once in a process; made before the fork, it is there for
everybody. Imports Panel: only what is about to fork may import this module, once it is warm.
"""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace
from typing import Any

import holoviews as hv
import hvplot.pandas  # noqa: F401
import pandas as pd
import panel as pn
import panel.io.browser  # Panel's own imports leave it to the first session
from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.models import PrintfTickFormatter
from bokeh.server.contexts import BokehSessionContext

from dashboards.live.rendering import dashboard_page, resources_at

_TABLE = "date,count,share\n" + "".join(f"2025-03-{n:02},{n % 7},{n / 7}\n" for n in range(1, 31))


def draw() -> None:
    """Draw it, make its page, move its widgets, and let it go. Leaves no thread and no session."""
    document = Application(FunctionHandler(_fill)).create_document()
    session: Any = SimpleNamespace(document=document, token="")
    dashboard_page(session, resources_at("/"), "/", {"ignored": ()})
    context = BokehSessionContext("sample", None, document)  # type: ignore[arg-type]
    for callback in document.session_destroyed_callbacks:
        callback(context)
    document.clear()


def _fill(document: Document) -> None:
    frame = pd.read_csv(StringIO(_TABLE), parse_dates=["date"]).set_index("date")
    column = pn.widgets.Select(name="column", options={"Count": "count", "Share": "share"})
    days = PrintfTickFormatter(format="%d days")
    window = pn.widgets.IntSlider(name="window", start=1, end=5, format=days)
    factor = pn.widgets.FloatSlider(name="factor", start=0, end=2, value=1)
    download = pn.widgets.FileDownload(callback=lambda: StringIO(_TABLE), filename="sample.csv")

    def curve(column: str, window: int, factor: float) -> Any:
        rolled = factor * frame[[column]].rolling(window, min_periods=1).mean()
        high = rolled[rolled[column] > 3]
        hover = {"hover_tooltips": [("Date", "@date{%F}")], "legend": False}
        hover["hover_formatters"] = {"@date": "datetime"}
        line = rolled.hvplot.line(y=column, color="#0072b2", **hover, hover="vline")
        return (line * high.hvplot.scatter(y=column, size=60, **hover)).opts(framewise=True)

    def bars(window: int) -> Any:
        return frame["count"].head(window).hvplot.bar(responsive=True, height=200)

    chosen = {"column": column, "window": window, "factor": factor}
    pn.Row(
        pn.Column(column, window, factor, download, css_classes=["side"]),
        pn.Column(
            "# A title",
            pn.pane.HTML(pn.bind("<b>{}</b>".format, window)),
            pn.pane.HoloViews(hv.DynamicMap(pn.bind(curve, **chosen)), height=200),
            pn.bind(bars, window),
            pn.widgets.Tabulator(frame, pagination="remote"),
        ),
    ).server_doc(document)
    column.value, window.value, factor.value = "share", 2, 1.5
