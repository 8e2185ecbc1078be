"""One look for plots and widgets: our palette, fonts and spaces, for every notebook alike.

The values here are the light ones of ``static/atrium.css``. ``static/plots.js`` replaces them
in the browser by what the page's tokens say, so that a plot follows light and dark with the
page; ``tests/notebooks/test_theme.py`` holds the three files together.
"""

from __future__ import annotations

from typing import Any, ClassVar

import holoviews as hv
import hvplot.converter
import hvplot.pandas
import panel as pn
from bokeh.models import InlineStyleSheet, NoOverlap
from bokeh.themes import Theme as BokehTheme
from panel.theme import Design
from panel.theme.base import DarkTheme, DefaultTheme, Inherit, Theme
from panel.theme.native import Native
from panel.viewable import Viewable

from dashboards.files import STATIC

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#5a3e00", "#6b3fd4")
"""The sheet's ``--data-1`` to ``--data-6``: told apart by people who see colours differently, in
light and in dark; a test simulates how they do."""

INK, INK_SOFT, LINE, LINE_STRONG, SURFACE = "#1d2528", "#566064", "#e3e0d8", "#8b8f8b", "#ffffff"

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif'

PLOT_HEIGHT = 420

_TEXT = {"text_font": FONT, "text_color": INK}

BOKEH_THEME = BokehTheme(
    json={
        "attrs": {
            "Plot": {
                # Nothing: the page shows through, in light and dark, with no edge left over.
                "background_fill_color": None,
                "border_fill_color": None,
                "outline_line_color": None,
            },
            "Axis": {
                "axis_line_color": None,
                "major_tick_line_color": None,
                "minor_tick_line_color": None,
                "axis_label_standoff": 10,
                "axis_label_text_color": INK_SOFT,
                "axis_label_text_font": FONT,
                "axis_label_text_font_size": "13px",
                "axis_label_text_font_style": "normal",
                "major_label_text_color": INK_SOFT,
                "major_label_text_font": FONT,
                "major_label_text_font_size": "13px",
            },
            "Grid": {"grid_line_color": LINE, "minor_grid_line_color": None},
            "Title": {**_TEXT, "text_font_size": "15px", "text_font_style": "bold"},
            "Label": _TEXT,
            "LabelSet": _TEXT,
            "Text": _TEXT,
            "Legend": {
                "background_fill_color": None,
                "border_line_color": None,
                "label_text_color": INK,
                "label_text_font": FONT,
                "label_text_font_size": "13px",
                "title_text_color": INK_SOFT,
                "title_text_font": FONT,
                "title_text_font_size": "13px",
                "title_text_font_style": "normal",
            },
            "ColorBar": {
                "background_fill_color": None,
                "border_line_color": None,
                "bar_line_color": None,
                "major_tick_line_color": LINE_STRONG,
                "major_label_text_color": INK_SOFT,
                "major_label_text_font": FONT,
                "major_label_text_font_size": "13px",
                "title_text_color": INK_SOFT,
                "title_text_font": FONT,
                "title_text_font_size": "13px",
                "title_text_font_style": "normal",
            },
            "Toolbar": {"logo": None, "autohide": True},
            "Line": {"line_color": PALETTE[0], "line_width": 2},
            "Scatter": {"fill_color": PALETTE[0], "line_color": PALETTE[0]},
            "VBar": {"fill_color": PALETTE[0], "line_color": SURFACE},
            "Quad": {"fill_color": PALETTE[0], "line_color": SURFACE},
            "Span": {"line_color": LINE_STRONG},
        }
    }
)


class AtriumLight(DefaultTheme):
    """Plots in our colours; the browser turns them over when the page is dark."""

    bokeh_theme = BOKEH_THEME


class AtriumDark(DarkTheme):
    """``?theme=dark`` must not give plots a second, different dark: the page decides."""

    bokeh_theme = BOKEH_THEME


class Atrium(Native):
    """Panel's design in our tokens.

    A notebook that brings a template or a design of its own (Fast, Material, Bootstrap) keeps
    it: Panel asks for this one only where nothing else is asked for.
    """

    modifiers: ClassVar[dict[type[Viewable], dict[str, Any]]] = {
        Viewable: {"stylesheets": [Inherit, "atrium:widgets"]}
    }
    _themes: ClassVar[dict[str, type[Theme]]] = {"default": AtriumLight, "dark": AtriumDark}

    @classmethod
    def _resolve_stylesheets(
        cls, value: list[Any], defining_cls: type[Design], inherited: list[Any]
    ) -> list[Any]:
        """Panel's, but our marker is not a file that Panel could look for."""
        ours = [sheet for sheet in value if sheet == "atrium:widgets"]
        others = [sheet for sheet in value if sheet not in ours]
        return [*super()._resolve_stylesheets(others, defining_cls, inherited), *ours]

    @classmethod
    def _patch_modifiers(cls, doc: Any, modifiers: dict[str, Any], cache: dict[str, Any]) -> None:
        """Put our sheet into a document once, however many components refer to it."""
        sheets = modifiers.get("stylesheets", [])
        ours = "atrium:widgets" in sheets
        modifiers["stylesheets"] = [sheet for sheet in sheets if sheet != "atrium:widgets"]
        super()._patch_modifiers(doc, modifiers, cache)
        if not ours:
            return
        sheet = cache.get("atrium:widgets")
        if sheet is None:
            sheet = InlineStyleSheet(css=(STATIC / "widgets.css").read_text("utf-8"))
            cache["atrium:widgets"] = sheet
        modifiers["stylesheets"] = [*modifiers["stylesheets"], sheet]


def apply() -> None:
    """Make the look the default of this process. Call it once, before any notebook runs.

    Defaults only: what a notebook says itself wins. Imports nothing from the network, opens
    no document.
    """
    pn.config.apply_signatures = False  # they are for editors, and cost every notebook
    pn.extension()  # what the first call in a process does beside is done then
    pn.config.design = Atrium
    _leave_figures_without_design()
    pn.config.sizing_mode = "stretch_width"
    renderer = hv.renderer("bokeh")
    renderer.theme = BOKEH_THEME
    renderer.webgl = False  # a plain canvas starts sooner, and its lines are smooth
    hv.Cycle.default_cycles["default_colors"] = list(PALETTE)
    hvplot.converter.HoloViewsConverter._default_cmaps["categorical"] = list(PALETTE)
    _plot_defaults()


def _leave_figures_without_design() -> None:
    """Panel (1.9.4) counts the design among what a Bokeh pane gives its figure, which has no such
    property: the second figure that a bound function returns would fail."""

    def keep(pane: Any, names: list[str]) -> None:
        vars(pane)["_given"] = [name for name in names if name != "design"]

    given = property(lambda pane: vars(pane)["_given"], keep)
    type.__setattr__(pn.pane.Bokeh, "_overrides", given)


def _keep_labels_apart(plot: Any, _element: object) -> None:
    """HoloViews' hook: on a narrow screen dates along an axis must not run into each other."""
    for axis in getattr(plot.state, "xaxis", []):
        axis.major_label_policy = NoOverlap(min_distance=8)


def _plot_defaults() -> None:
    """Defaults of HoloViews' elements, which know nothing of Bokeh's theme."""
    cycle = hv.Cycle(list(PALETTE))
    plain: dict[str, Any] = {
        "show_grid": True,
        "responsive": True,
        "height": PLOT_HEIGHT,
        "hooks": [_keep_labels_apart],
    }
    hv.opts.defaults(
        hv.opts.Curve(color=cycle, line_width=2, **plain),
        hv.opts.Scatter(color=cycle, size=6, **plain),
        hv.opts.Points(color=cycle, size=6, **plain),
        hv.opts.Area(color=cycle, **plain),
        hv.opts.Histogram(color=cycle, line_color=SURFACE, **plain),
        hv.opts.Bars(color=cycle, line_color=None, **plain),
        hv.opts.BoxWhisker(box_fill_color=cycle, **plain),
        hv.opts.HeatMap(responsive=True, height=PLOT_HEIGHT),
        hv.opts.Image(responsive=True, height=PLOT_HEIGHT),
        hv.opts.QuadMesh(responsive=True, height=PLOT_HEIGHT),
        hv.opts.Overlay(legend_position="top_left", **plain),
        hv.opts.NdOverlay(legend_position="top_left", **plain),
        backend="bokeh",
    )
