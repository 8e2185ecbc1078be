"""Matplotlib's backend in a dashboard: as "agg", and `plt.show()` shows figures in the page."""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg

from dashboards.running.outputs import draw_figures

FigureCanvas = FigureCanvasAgg
"""Matplotlib looks for it here."""


def show(*_: object, **__: object) -> None:
    """Called by `plt.show()`."""
    draw_figures()
