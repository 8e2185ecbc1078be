"""Pictures for cards: each kind of mark where it should be, in the colours of the scheme."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import partial
from math import pi
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import panel as pn
import plotly.graph_objects as go
import pytest
from bokeh.document import Document
from bokeh.models import (
    BoxAnnotation,
    CDSView,
    ColumnDataSource,
    IndexFilter,
    LinearColorMapper,
    Range1d,
    Span,
)
from bokeh.plotting import figure
from bokeh.transform import cumsum, dodge, factor_cmap
from matplotlib.figure import Figure
from PIL import Image

from dashboards.miniature import SIZE, _picture, pictures
from dashboards.miniature.colours import TOKENS, Colours
from dashboards.miniature.finding import Seen
from dashboards.miniature.thinning import thinned
from hub_extensions import pictures as hub_side

RED, BLUE = (255, 0, 0), (0, 0, 255)
TEN = list(range(11))


def pictures_of(*shown: Any) -> dict[str, Image.Image]:
    """By scheme, what a dashboard of these looks like; each is what the hub takes."""
    document = Document()
    pn.Column(*shown).server_doc(document)
    found = pictures(document)
    assert all(map(hub_side.is_picture, found.values()))
    return {scheme: Image.open(io.BytesIO(data)) for scheme, data in found.items()}


def drawn(*shown: Any) -> Image.Image:
    """The light picture."""
    return pictures_of(*shown)["light"]


def has(
    picture: Image.Image, colour: tuple[int, int, int], box: tuple[float, float, float, float]
) -> float:
    """How much of a part of the picture, from 0 to 1 from its upper left, is of this colour."""
    left, upper, right, lower = box
    sides = (left * SIZE[0], upper * SIZE[1], right * SIZE[0], lower * SIZE[1])
    pixels = np.asarray(picture.crop(tuple(map(round, sides)))).astype(int)
    near = (abs(pixels[..., :3] - colour).max(axis=-1) < 40) & (pixels[..., 3] > 120)
    return float(near.mean())


LEFT, RIGHT = (0, 0, 0.5, 1), (0.5, 0, 1, 1)
UPPER, LOWER = (0, 0, 1, 0.5), (0, 0.5, 1, 1)


def plot(draw: Callable[[Any], Any], **options: Any) -> Any:
    """A plot from 0 to 10 both ways."""
    found = figure(**{"height": 300, "x_range": (0, 10), "y_range": (0, 10), **options})
    draw(found)
    return found


COLOURS = {"fill_color": "red", "line_color": "red"}
#: What is drawn into the left half alone, in red.
GLYPHS: dict[str, Callable[[Any], Any]] = {
    "line": lambda p: p.line([0, 2, 4], [1, 9, 1], line_color="red", line_width=6),
    "step": lambda p: p.step([0, 2, 4], [1, 9, 1], line_color="red", line_width=6),
    "scatter": lambda p: p.scatter([1, 2, 3], [2, 5, 8], size=30, **COLOURS),
    "square": lambda p: p.scatter([1, 2, 3], [2, 5, 8], size=30, marker="square", **COLOURS),
    "x": lambda p: p.scatter([1, 2, 3], [2, 5, 8], size=30, marker="x", **COLOURS),
    "circle": lambda p: p.circle([1, 2, 3], [2, 5, 8], radius=0.5, **COLOURS),
    "vbar": lambda p: p.vbar(x=[1, 3], top=[4, 8], width=1, **COLOURS),
    "hbar": lambda p: p.hbar(y=[1, 3], right=[3, 4], height=1, **COLOURS),
    "quad": lambda p: p.quad(left=[1], right=[4], bottom=[1], top=[9], **COLOURS),
    "rect": lambda p: p.rect(x=[2], y=[5], width=3, height=4, **COLOURS),
    "block": lambda p: p.block(x=[1], y=[2], width=3, height=4, **COLOURS),
    "segment": lambda p: p.segment(
        x0=[1, 2], y0=[1, 1], x1=[3, 4], y1=[9, 9], line_color="red", line_width=6
    ),
    "multi_line": lambda p: p.multi_line(
        [[1, 2], [3, 4]], [[1, 9], [9, 1]], line_color="red", line_width=6
    ),
    "patch": lambda p: p.patch([1, 4, 2], [1, 2, 9], **COLOURS),
    "patches": lambda p: p.patches([[1, 2, 1], [3, 4, 4]], [[1, 2, 3], [4, 5, 9]], **COLOURS),
    "multi_polygons": lambda p: p.multi_polygons([[[[1, 4, 4, 1]]]], [[[[1, 1, 9, 9]]]], **COLOURS),
    "varea": lambda p: p.varea(x=[1, 4], y1=[0, 0], y2=[5, 9], fill_color="red"),
    "harea": lambda p: p.harea(y=[1, 9], x1=[0, 0], x2=[4, 2], fill_color="red"),
    "image": lambda p: p.image(
        [np.ones((3, 3))],
        x=0,
        y=0,
        dw=5,
        dh=9,
        color_mapper=LinearColorMapper(["blue", "red"], low=0, high=1),
    ),
    "image_rgba": lambda p: p.image_rgba(
        [np.full((2, 2), 0xFF0000FF, dtype=np.uint32)], x=0, y=0, dw=5, dh=9
    ),
    "hex_tile": lambda p: p.hex_tile(q=[0], r=[0], size=3, **COLOURS),
    "vspan": lambda p: (p.vspan(x=[2], line_color="red", line_width=9), p.line([0], [0])),
}


@pytest.mark.parametrize("kind", GLYPHS)
def test_each_kind_of_glyph_is_drawn_where_it_is(kind: str) -> None:
    picture = drawn(plot(GLYPHS[kind]))
    assert has(picture, RED, LEFT) > 0.004
    assert has(picture, RED, RIGHT) < 0.001 or kind == "vspan"


@pytest.mark.parametrize("left_out", [[1, 9, 5], [], [np.nan] * 2])
@pytest.mark.parametrize(
    ("kind", "style"),
    [
        ("multi_line", {"line_color": "colour", "line_width": 6}),
        ("patches", {"line_color": "colour", "fill_color": "colour"}),
    ],
)
def test_what_cannot_be_drawn_takes_its_colour_with_it(
    kind: str, style: dict[str, Any], left_out: list[float]
) -> None:
    source = ColumnDataSource(
        {
            "xs": [[1, 2], [6, 9, 6], [1, 4, 1]],
            "ys": [left_out, [1, 1, 9], [1, 1, 9]],
            "colour": ["lime", "blue", "red"],
        }
    )
    picture = drawn(plot(lambda p: getattr(p, kind)("xs", "ys", source=source, **style)))
    assert has(picture, BLUE, RIGHT) > 0.004
    assert has(picture, RED, LEFT) > 0.004
    assert has(picture, BLUE, LEFT) + has(picture, RED, RIGHT) < 0.001


def test_higher_is_above_unless_an_axis_is_turned() -> None:
    assert has(drawn(plot(lambda p: p.vbar([5], 1, 10, 8, **COLOURS))), RED, UPPER) > 0.02
    turned = {"y_range": Range1d(10, 0)}
    picture = drawn(plot(lambda p: p.vbar([5], 1, 10, 8, **COLOURS), **turned))
    assert has(picture, RED, LOWER) > 0.02
    assert has(picture, RED, UPPER) < 0.001


def test_axes_are_by_category_by_moment_and_by_order_of_magnitude() -> None:
    names = ["a", "b", "c", "d"]
    source = ColumnDataSource({"name": names, "size": [9, 0, 0, 9], "more": [0, 0, 0, 9]})
    chosen = factor_cmap("name", ["red", "blue"], ["a", "d"])
    picture = drawn(
        plot(
            lambda p: p.vbar(
                dodge("name", 0.2), top="size", width=0.5, source=source, fill_color=chosen
            ),
            x_range=names,
        )
    )
    assert has(picture, RED, (0, 0, 0.25, 1)) > 0.1
    assert has(picture, BLUE, (0.75, 0, 1, 1)) > 0.1
    assert has(picture, RED, RIGHT) + has(picture, BLUE, LEFT) < 0.001
    days = pd.date_range("2025", periods=10)
    line = figure(x_axis_type="datetime", y_axis_type="log")
    line.line(days, 10.0 ** np.arange(10), line_color="red", line_width=4)
    straight = drawn(line)
    for place in (0.2, 0.5, 0.8):  # straight on a logarithmic axis
        box = (place - 0.05, 1 - place - 0.1, place + 0.05, 1 - place + 0.1)
        assert has(straight, RED, box) > 0.01


def test_parts_of_a_whole_are_round() -> None:
    shares = ColumnDataSource({"angle": [pi, pi], "colour": ["#ff0000", "#0000ff"]})
    pie = figure(x_range=(-1, 2))
    pie.wedge(
        *(0, 1),
        radius=0.4,
        start_angle=cumsum("angle", include_zero=True),
        end_angle=cumsum("angle"),
        fill_color="colour",
        source=shares,
    )
    picture = drawn(pie)
    assert has(picture, RED, UPPER) > 0.1
    assert has(picture, BLUE, LOWER) > 0.1
    pixels = np.asarray(picture)[..., :3].astype(int)
    rows, columns = np.where(
        (abs(pixels - RED).max(axis=-1) < 40) | (abs(pixels - BLUE).max(axis=-1) < 40)
    )
    assert abs((np.ptp(rows) + 1) / (np.ptp(columns) + 1) - 1) < 0.05


def test_what_is_filtered_out_or_hidden_is_not_drawn() -> None:
    source = ColumnDataSource({"x": [2, 8], "top": [9, 9]})
    some = CDSView(filter=IndexFilter([0]))
    found = plot(lambda p: p.vbar("x", 1, "top", source=source, view=some, **COLOURS))
    found.vbar([9], 1, 9, fill_color="blue").visible = False
    picture = drawn(found)
    assert has(picture, RED, LEFT) > 0.05
    assert has(picture, RED, RIGHT) + has(picture, BLUE, RIGHT) == 0
    hidden = pn.pane.Bokeh(found, visible=False)
    assert pictures_of(hidden) == {}
    tabs = pn.Tabs(("one", pn.pane.Bokeh(found)), ("two", plot(GLYPHS["quad"])), active=1)
    assert has(drawn(tabs), RED, LEFT) > 0.2


def test_rules_and_bands_are_drawn() -> None:
    found = plot(lambda p: p.line([0, 10], [5, 5]))
    found.add_layout(Span(location=9, dimension="width", line_color="red", line_width=6))
    found.add_layout(BoxAnnotation(bottom=0, top=3, fill_color="blue", fill_alpha=1))
    picture = drawn(found)
    assert has(picture, RED, (0, 0, 1, 0.2)) > 0.05
    assert has(picture, BLUE, LOWER) > 0.4


def test_our_tokens_follow_the_scheme_and_own_colours_stay() -> None:
    found = plot(lambda p: p.quad(left=0, right=5, bottom=0, top=10, color="#0072b2"))
    found.quad(left=5, right=10, bottom=0, top=10, color="#ff0000")
    both = pictures_of(found)
    assert has(both["light"], (0, 0x72, 0xB2), LEFT) > 0.5
    assert has(both["dark"], (0x56, 0xB4, 0xE9), LEFT) > 0.5
    for picture in both.values():
        assert has(picture, RED, RIGHT) > 0.5


def test_tokens_are_those_of_the_plots_script_and_the_sheet() -> None:
    static = Path(hub_side.__file__).parents[1] / "dashboards" / "static"
    script = (static / "plots.js").read_text()
    told = dict(re.findall(r'"--([\w-]+)": \[([^\]]+)\]', script))
    assert {
        name: tuple(re.findall(r'"([^"]+)"', values)) for name, values in told.items()
    } == TOKENS
    assert SIZE == hub_side.SIZE


def test_several_plots_lie_as_the_page_has_them() -> None:
    def block(colour: str, **options: Any) -> Any:
        return pn.pane.Bokeh(
            plot(lambda p: p.quad(left=0, right=10, bottom=0, top=10, color=colour), **options)
        )

    beside = drawn(pn.Row(block("red"), block("blue")))
    assert has(beside, RED, LEFT) > 0.7
    assert has(beside, BLUE, RIGHT) > 0.7
    below = drawn(pn.Column(block("red"), pn.Row("words", block("blue"))))
    assert has(below, RED, UPPER) > 0.7
    assert has(below, BLUE, LOWER) > 0.7
    three = drawn(block("red"), pn.Row(block("blue"), block("lime")))
    assert has(three, RED, UPPER) > 0.7
    assert has(three, BLUE, (0, 0.5, 0.5, 1)) > 0.7
    low = drawn(block("red"), pn.pane.Bokeh(plot(GLYPHS["quad"], height=40)))
    assert has(low, RED, (0.05, 0.1, 0.95, 0.9)) > 0.95


def test_no_more_is_drawn_than_is_shown() -> None:
    drawn_ones = set()

    def draw(number: int, *_: object) -> bool:
        drawn_ones.add(number)
        return number != 1

    seen = [Seen(partial(draw, number), 0, False, ()) for number in range(9)]
    assert _picture(seen, Colours("light"))
    assert drawn_ones == {0, 1, 2, 3, 4}


MARKER = {"color": ["red", "red", "blue"], "size": 40}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([go.Bar(x=["a", "b"], y=[3, 0], marker_color="red")], LEFT),
        ([go.Bar(y=["a", "b"], x=[3, 0], orientation="h", marker_color="red")], LOWER),
        (
            [go.Scatter(x=[0, 1, 9], y=[0, 9, 5], mode="markers", marker=MARKER)],
            LEFT,
        ),
        ([go.Heatmap(z=[[1, 0], [1, 0]], colorscale=[[0, "blue"], [1, "red"]])], LEFT),
        ([go.Pie(values=[1, 1], marker_colors=["blue", "red"], sort=False)], LEFT),
        ([go.Histogram(x=[0] * 99 + [9], marker_color="red")], LEFT),
        ([go.Histogram(y=[0] * 99 + [9], marker_color="red")], LOWER),
        ([go.Histogram(y=[0] * 99 + [9], orientation="h", marker_color="red")], LOWER),
    ],
)
def test_simple_figures_of_plotly_are_drawn(data: list[Any], expected: Any) -> None:
    picture = drawn(pn.pane.Plotly(go.Figure(data)))
    assert has(picture, RED, expected) > 0.01
    assert has(picture, RED, {LEFT: RIGHT, LOWER: UPPER}[expected]) < 0.01


def test_bars_that_are_alike_stand_beside_each_other() -> None:
    bars = [go.Bar(x=["a", "b"], y=[3, 3]) for _ in range(2)]
    picture = drawn(pn.pane.Plotly(go.Figure(bars, {"colorway": ["blue", "red"]})))
    assert has(picture, BLUE, (0, 0, 0.25, 1)) > 0.5
    assert has(picture, RED, (0.75, 0, 1, 1)) > 0.5


def test_charts_of_altair_are_drawn() -> None:
    frame = pd.DataFrame({"name": ["a", "a", "b"], "size": [4, 5, 0]})
    chart = alt.Chart(frame).mark_bar(color="red").encode(x="name", y="sum(size)")
    picture = drawn(pn.pane.Vega(chart))
    assert has(picture, RED, LEFT) > 0.3
    assert has(picture, RED, RIGHT) < 0.01
    line = alt.Chart(frame).mark_line(color="red").encode(x="size", y="size")
    assert has(drawn(pn.pane.Vega(line)), RED, (0, 0, 1, 1)) > 0.005


def test_what_is_not_simple_has_no_picture_rather_than_a_wrong_one() -> None:
    for shown in (
        pn.pane.Plotly(go.Figure([go.Scatter3d(x=[1], y=[1], z=[1]), go.Bar(x=[1], y=[1])])),
        pn.pane.Vega(alt.Chart(pd.DataFrame({"a": [1]})).mark_geoshape()),
        pn.pane.Vega(alt.Chart("data.csv").mark_bar().encode(x="a:Q", y="b:Q")),
        pn.pane.Markdown("# Words"),
        figure(),
    ):
        assert pictures_of(shown) == {}


def test_a_figure_of_matplotlib_is_its_own_picture() -> None:
    own = Figure(figsize=(4, 4), facecolor="red")
    for picture in pictures_of(pn.pane.Matplotlib(own)).values():
        assert has(picture, RED, (0.3, 0.1, 0.7, 0.9)) > 0.99
        assert has(picture, RED, (0, 0, 0.2, 1)) == 0


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # Bokeh's own
def test_without_plots_its_numbers_are_shown_or_a_table() -> None:
    number = pn.indicators.Number(label="<b>$x$", value=12, default_color="red")
    assert has(drawn(number), RED, (0.2, 0.2, 0.8, 0.9)) > 0.02
    frame = pd.DataFrame({"name $": ["a\n\x00", "b" * 10_000], "n": [1.5, np.nan]})
    for shown in (pn.widgets.Tabulator(frame), pn.pane.DataFrame(frame)):
        assert has(drawn(shown), (0x1D, 0x25, 0x28), LEFT) > 0.005
    assert has(drawn(number, plot(GLYPHS["quad"])), RED, RIGHT) < 0.001


def test_numbers_that_are_none_and_huge_data_are_no_trouble() -> None:
    wild = [np.nan, np.inf, -np.inf, 1e300, None, "x", 5]
    for draw in (
        lambda p: p.line(wild, wild),
        lambda p: p.scatter(wild, wild, size=[np.nan] * 7),
        lambda p: p.vbar(x=wild, top=wild, width=1e300),
        lambda p: p.patches([wild, []], [wild, []]),
        lambda p: p.image([np.full((3, 3), np.nan)], x=0, y=0, dw=5, dh=5),
        lambda p: p.image([np.zeros((0, 3))], x=0, y=0, dw=5, dh=5),
        lambda p: p.line([1, 1, 1], [2, 2, 2]),
        lambda p: p.line([], []),
    ):
        pictures_of(plot(draw))
        pictures_of(figure() if draw is None else plot(draw, x_range=Range1d(), y_axis_type="log"))
    many = np.random.default_rng(0).normal(size=1_000_000)
    found = figure()
    found.line(np.arange(len(many)), many)
    found.scatter(many, many)
    found.image([np.zeros((3000, 3000))], x=0, y=0, dw=5, dh=5)
    assert drawn(found).size == SIZE


def test_thinning_keeps_lows_and_highs() -> None:
    values = np.zeros(100_000)
    values[[123, 77_777]] = 9, -9
    kept = values[thinned(values, 1_000)]
    assert (kept.min(), kept.max()) == (-9, 9)
    assert len(kept) <= 1_001
    assert len(values[:10][thinned(values[:10], 1_000)]) == 10


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("red", (1, 0, 0, 1)),
        ("#f00", (1, 0, 0, 1)),
        ("#ff000080", (1, 0, 0, 128 / 255)),
        ("rgb(255, 0, 0)", (1, 0, 0, 1)),
        ("rgba(255 0 0 / 0.5)", (1, 0, 0, 0.5)),
        ((255, 0, 0), (1, 0, 0, 1)),
        ((255, 0, 0, 0.5), (1, 0, 0, 0.5)),
        ("transparent", (0, 0, 0, 0)),
        ("no colour", (0, 0, 0, 0)),
        (None, (0, 0, 0, 0)),
        ("rgb(x)", (0, 0, 0, 0)),
        ({}, (0, 0, 0, 0)),
        ((1,), (0, 0, 0, 0)),
    ],
)
def test_any_colour_is_one_or_nothing(value: Any, shown: tuple[float, ...]) -> None:
    assert Colours("light").shown(value) == pytest.approx(shown)
