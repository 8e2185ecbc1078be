"""Matplotlib's backend in a dashboard: draws as "agg" does, and `plt.show()` shows it in the page."""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg

from dashboards.outputs import draw_figures

FigureCanvas = FigureCanvasAgg
"""Matplotlib looks for it here."""


def show(*_: object, **__: object) -> None:
    """Called by `plt.show()`."""
    draw_figures()
