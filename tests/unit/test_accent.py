"""Every colour becomes an accent that can be read, on the grounds of the sheet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_extensions import accent

STATIC = Path(__file__).parents[2] / "dashboards" / "static"
TOKENS = re.compile(r"--([a-z-]+):\s*(#[0-9a-f]{6})")


def modes(css: str) -> list[dict[str, str]]:
    """The tokens of light, of the system's dark and of the chosen dark."""
    return [dict(TOKENS.findall(block)) for block in css.split(":root")[1:]]


def ratio(one: str, other: str) -> float:
    return accent.contrast(accent.parse(one), accent.parse(other))


@settings(deadline=None)  # a busy machine is no fault of it
@given(st.integers(0, 0xFFFFFF))
def test_every_colour_can_be_read(number: int) -> None:
    light, dark, chosen = modes(accent.sheet(f"#{number:06x}"))
    assert dark == chosen
    for tokens, (paper, surface) in ((light, accent.LIGHT), (dark, accent.DARK)):
        for ground in (paper, surface, tokens["accent-soft"], tokens["accent-ink"]):
            assert ratio(tokens["accent"], ground) >= 4.5
        assert ratio(tokens["accent-hover"], tokens["accent-ink"]) >= 4.5


@pytest.mark.parametrize(
    ("given", "light", "dark"),
    [("#7a1f5c", "#7a1f5c", "#db71b8"), ("#ffcc00", "#806600", "#ffcc00")],
)
def test_a_colour_that_can_be_read_is_left_alone(given: str, light: str, dark: str) -> None:
    found = [tokens["accent"] for tokens in modes(accent.sheet(given))]
    assert found == [light, dark, dark]


def test_the_contrast_is_that_of_wcag() -> None:
    assert ratio("#000000", "#ffffff") == pytest.approx(21)
    assert ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_grounds_are_those_of_the_sheet() -> None:
    sheet = (STATIC / "atrium.css").read_text().replace("--surface: #fff;", "--surface: #ffffff;")
    light, dark, chosen = (tokens for tokens in modes(sheet) if "paper" in tokens)
    assert (light["paper"], light["surface"]) == accent.LIGHT
    assert accent.DARK == (dark["paper"], dark["surface"]) == (chosen["paper"], chosen["surface"])


def test_the_mark_is_ours_in_another_colour() -> None:
    plain = (STATIC / "mark.svg").read_text()
    shapes = re.findall(r'<path d="[^"]+"/>', plain)
    assert len(shapes) == 3
    assert re.findall(r'<path d="[^"]+"/>', accent.mark("#7a1f5c").decode()) == shapes
