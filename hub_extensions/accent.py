"""One colour of the operator's as the sheet's accent: readable in light and in dark.

What is asked for are the contrasts of WCAG 2.2, level AA: 4.5 between a text and what is behind it.
A colour that is too light for paper, or too dark for the dark, keeps its hue and takes another
lightness.
"""

from __future__ import annotations

import colorsys
import itertools
from collections.abc import Iterable
from typing import Final

Colour = tuple[float, float, float]

LEAST_CONTRAST: Final = 4.5
#: `--paper` and `--surface` of dashboards/static/atrium.css (a test holds them together).
LIGHT: Final = ("#f7f6f3", "#ffffff")
DARK: Final = ("#14191b", "#1c2326")
#: What is written on the accent.
_LIGHT_INK: Final = "#ffffff"
_DARK_INK: Final = "#0d1315"
#: How much of the accent is in the soft surface under it.
_SOFT: Final = 0.12
_STEP: Final = 0.01
_MARK: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="{light}"'
    ' stroke-width="2.6" stroke-linecap="round"><style>@media (prefers-color-scheme: dark)'
    " {{ svg {{ stroke: {dark} }} }}</style>"
    '<path d="M3 28V15a13 13 0 0 1 26 0v13"/><path d="M10 28V17a6 6 0 0 1 12 0v11"/>'
    '<path d="M16 28v-8"/></svg>'
)


def parse(text: str) -> Colour:
    """A colour written as #rrggbb, each part from 0 to 1."""
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """WCAG's contrast ratio, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def sheet(accent: str) -> str:
    """The rules that give every page this accent, to stand after atrium.css.

    Args:
        accent: a colour as #rrggbb.
    """
    light, dark = _tokens(accent, LIGHT, -_STEP), _tokens(accent, DARK, _STEP)
    return (
        f":root{{{light}}}"
        f'@media (prefers-color-scheme:dark){{:root:not([data-theme="light"]){{{dark}}}}}'
        f':root[data-theme="dark"]{{{dark}}}'
    )


def mark(accent: str) -> bytes:
    """Our mark in this accent, for the tab of a browser (dashboards/static/mark.svg in green)."""
    light, dark = (
        _text(readable(accent, grounds, step)) for grounds, step in ((LIGHT, -_STEP), (DARK, _STEP))
    )
    return _MARK.format(light=light, dark=dark).encode()


def readable(accent: str, grounds: Iterable[str], step: float = -_STEP) -> Colour:
    """The colour itself if it can be read on all of these grounds and on its own soft surface;
    else the next one, lighter or darker by steps, that can."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*parse(accent))
    behind = [parse(ground) for ground in grounds]
    for number in itertools.count():
        colour = _shown(_of(hue, lightness + number * step, saturation))
        soft = _shown(_mixed(colour, behind[-1]))
        if all(contrast(colour, ground) >= LEAST_CONTRAST for ground in (*behind, soft)):
            return colour
    raise AssertionError("black and white can be read on each other")


def _tokens(accent: str, grounds: tuple[str, str], step: float) -> str:
    colour = readable(accent, grounds, step)
    hue, lightness, saturation = colorsys.rgb_to_hls(*colour)
    values = {
        "accent": _text(colour),
        "accent-hover": _text(_of(hue, lightness + 8 * step, saturation)),
        "accent-ink": _LIGHT_INK if step < 0 else _DARK_INK,
        "accent-soft": _text(_mixed(colour, parse(grounds[1]))),
    }
    return ";".join(f"--{name}:{value}" for name, value in values.items())


def _of(hue: float, lightness: float, saturation: float) -> Colour:
    return colorsys.hls_to_rgb(hue, min(max(lightness, 0.0), 1.0), saturation)


def _shown(colour: Colour) -> Colour:
    """As a browser gets it: in 256 steps."""
    return parse(_text(colour))


def _mixed(colour: Colour, ground: Colour) -> Colour:
    red, green, blue = (
        _SOFT * part + (1 - _SOFT) * under for part, under in zip(colour, ground, strict=True)
    )
    return red, green, blue


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _text(colour: Colour) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour)
