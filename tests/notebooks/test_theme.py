"""The look of plots: one set of colours and one font in several files, nobody's own look lost."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from bokeh.embed import file_html
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure
from bokeh.resources import INLINE
from matplotlib.colors import to_rgb
from playwright.sync_api import Browser, Page

from dashboards.live import theme
from tests.hub import wait_until

SHEET = (theme.STATIC / "atrium.css").read_text("utf-8")
PLOTS = (theme.STATIC / "plots.js").read_text("utf-8")


def tokens(block: str) -> dict[str, str]:
    """The colours that a block of the sheet sets, in six digits."""
    found = re.findall(r"(--[\w-]+): #([0-9a-f]{3,6})\b", block)
    return {
        name: "#" + (value if len(value) == 6 else "".join(digit * 2 for digit in value))
        for name, value in found
    }


LIGHT = tokens(SHEET[SHEET.index(":root {") : SHEET.index("@media")])
DARK = tokens(SHEET[SHEET.index(':root[data-theme="dark"] {') : SHEET.index("@media (pointer")])


def test_sheet_theme_and_script_agree() -> None:
    assert [LIGHT[f"--data-{number}"] for number in range(1, 7)] == list(theme.PALETTE)
    assert LIGHT["--ink"] == theme.INK
    assert LIGHT["--ink-soft"] == theme.INK_SOFT
    assert LIGHT["--line"] == theme.LINE
    assert LIGHT["--line-strong"] == theme.LINE_STRONG
    assert LIGHT["--surface"] == theme.SURFACE
    known = re.findall(r'"(--[\w-]+)": \["(#\w+)", "(#\w+)"', PLOTS)
    assert len(known) == 11
    assert known == [(name, LIGHT[name], DARK[name]) for name, _, _ in known]
    assert f"'{theme.FONT}'" in (theme.STATIC / "ahead_sample.js").read_text("utf-8")


#: What is left of red, green and blue, as light, to those who lack one kind of cone: Machado,
#: Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision
#: Deficiency", severity 1.0.
SEEN = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
#: From linear sRGB to XYZ (IEC 61966-2-1), each divided by that of white.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
TOLD_APART = 11  # CIE 1976 distance; some 2 can just be seen side by side


def light_of(colour: str) -> np.ndarray:
    """Linear red, green and blue."""
    value = np.array(to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b*."""
    x, y, z = np.cbrt(XYZ @ light / XYZ.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", SEEN)
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_colours_of_data_are_told_apart_by_everybody(scheme: dict[str, str], kind: str) -> None:
    colours = [scheme[f"--data-{number}"] for number in range(1, 7)]
    seen = [lab(np.clip(SEEN[kind] @ light_of(colour), 0, 1)) for colour in colours]
    near = {
        pair: distance
        for pair in combinations(range(1, 7), 2)
        if (distance := np.linalg.norm(seen[pair[0] - 1] - seen[pair[1] - 1])) < TOLD_APART
    }
    assert near == {}


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_colours_of_data_stand_out(scheme: dict[str, str]) -> None:
    """By as much as WCAG 2.2 asks of graphics (success criterion 1.4.11)."""
    surface = XYZ[1] @ light_of(scheme["--surface"])
    for number in range(1, 7):
        low, high = sorted((XYZ[1] @ light_of(scheme[f"--data-{number}"]), surface))
        assert (high + 0.05) / (low + 0.05) >= 3, number


BOUND = """
import panel as pn
from bokeh.plotting import figure
from dashboards.live import theme
theme.apply()

def drawn(most):
    plot = figure(height=200)
    plot.line([0, 1], [0, most])
    return plot

slider = pn.widgets.IntSlider(start=1, end=9, value=3)
bound = pn.panel(pn.bind(drawn, slider))
bound.get_root()
slider.value = 5
print(bound._pane.object.renderers[0].data_source.data["y"])
"""


def test_a_bound_function_can_return_another_figure() -> None:
    done = subprocess.run([sys.executable, "-c", BOUND], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[0, 5]\n", 0), done.stderr


APPLIED = """
import panel as pn
from bokeh.document import Document
from dashboards.live import theme
theme.apply()
import hvplot.pandas, pandas as pd
from panel.theme import Material

def sheets(thing):
    models = thing.get_root(Document()).references()
    found = [sheet for model in models for sheet in getattr(model, "stylesheets", [])]
    return {getattr(sheet, "css", getattr(sheet, "url", sheet)) for sheet in found}

ours = (theme.STATIC / "widgets.css").read_text("utf-8")
page = pn.Column(pn.widgets.IntSlider(), pn.widgets.Select(options=[1]))
models = page.get_root(Document()).references()
inline = [m for m in models if getattr(m, "css", None) == ours]
print("ours once:", len(inline))
print("own design kept:", ours not in sheets(pn.widgets.IntSlider(design=Material)))
print("own template kept:", pn.template.MaterialTemplate(title="x").design is Material)
plot = pd.DataFrame({"a": [1, 2], "b": [2, 1]}).hvplot()
drawn = pn.pane.HoloViews(plot).get_root(Document()).references()
figure = next(m for m in drawn if type(m).__name__ == "figure")
lines = [m.line_color for m in drawn if type(m).__name__ == "Line"]
print("palette:", set(theme.PALETTE[:2]) <= set(lines))
print("toolbar:", figure.toolbar.logo, figure.toolbar.autohide)
print("responsive:", figure.sizing_mode, figure.width)
"""


@pytest.mark.long
def test_is_a_default_that_gives_way() -> None:
    done = subprocess.run(
        [sys.executable, "-c", APPLIED], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stdout.splitlines() == [
        "ours once: 1",
        "own design kept: True",
        "own template kept: True",
        "palette: True",
        "toolbar: None True",
        "responsive: stretch_width None",
    ], done.stderr


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Page:
    """A page with our sheet, our script and a plot with colours of ours and of its own."""
    plot = figure(title="A plot", name="plot")
    source = ColumnDataSource({"x": [1, 2], "y": [2, 1]})
    plot.line("x", "y", source=source, line_color=theme.PALETTE[0], name="ours")
    plot.line("x", "y", source=source, line_color="#123456", name="own")
    html = file_html(plot, INLINE, theme=theme.BOKEH_THEME)
    head = f"<style>{SHEET}</style><script>{PLOTS}</script></head>"
    file = tmp_path / "plot.html"
    file.write_text(html.replace("</head>", head, 1), encoding="utf-8")
    opened = chromium.new_page(color_scheme="dark")
    opened.on("pageerror", lambda error: pytest.fail(str(error)))
    opened.goto(file.as_uri())
    opened.wait_for_function("window.Bokeh?.documents[0]?.is_idle")
    return opened


def shown(page: Page) -> list[str]:
    """The colours of our line, the other line, the title and the grid."""
    return page.evaluate(
        """() => {
          const doc = Bokeh.documents[0];
          const colour = (name) => {
            const lines = [...doc.all_models].filter((model) => model.name === name);
            return lines[0].glyph.line_color.value;
          };
          const plot = doc.get_model_by_name("plot");
          const grid = [...doc.all_models].find((model) => model.type === "Grid");
          const text = (value) => value?.value ?? value;
          const title = plot.title.text_color;
          return [colour("ours"), colour("own"), text(title), text(grid.grid_line_color)];
        }"""
    )


def test_plots_follow_the_page(page: Page) -> None:
    dark = [DARK["--data-1"], "#123456", DARK["--ink"], DARK["--line"]]
    light = [LIGHT["--data-1"], "#123456", LIGHT["--ink"], LIGHT["--line"]]
    assert shown(page) == dark
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    wait_until(lambda: shown(page) == light, "light by choice")
    page.evaluate("delete document.documentElement.dataset.theme")
    wait_until(lambda: shown(page) == dark, "the system's dark again")
    page.emulate_media(color_scheme="light")
    wait_until(lambda: shown(page) == light, "the system's light")
    page.close()


def test_what_comes_later_follows_too(page: Page) -> None:
    page.evaluate("Bokeh.documents[0].get_model_by_name('plot').title.text_color = '#1d2528'")
    assert shown(page)[2] == DARK["--ink"]
    page.close()
