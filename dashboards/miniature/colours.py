"""The colours of a miniature: what is a token of ours follows the scheme, as `plots.js` does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from bokeh.colors import Color as BokehColor
from matplotlib.colors import to_rgba

#: By token, its light and dark value, then what else stands for it; a test holds them to the sheet
#: and to `plots.js`.
TOKENS: Final = {
    "ink": ("#1d2528", "#e9ecec", "black", "#000000"),
    "ink-soft": ("#566064", "#a6b1b4", "#444444", "#5b5b5b"),
    "line": ("#e3e0d8", "#303a3e", "#e5e5e5"),
    "line-strong": ("#8b8f8b", "#6d797d"),
    "surface": ("#ffffff", "#1c2326", "#fff", "white"),
    "data-1": ("#0072b2", "#56b4e9", "#1f77b4"),
    "data-2": ("#d55e00", "#ff9a57"),
    "data-3": ("#009e73", "#3ccfa0"),
    "data-4": ("#cc79a7", "#e6a3c8"),
    "data-5": ("#5a3e00", "#f0dc5a"),
    "data-6": ("#6b3fd4", "#8a5cf0"),
}
SCHEMES: Final = ("light", "dark")
NOTHING: Final = (0.0, 0.0, 0.0, 0.0)

RGBA = tuple[float, float, float, float]

_TOKEN_OF: Final = {value: token for token, values in TOKENS.items() for value in values}


@dataclass(frozen=True)
class Colours:
    """What colours look like in one scheme, `light` or `dark`."""

    scheme: str

    def token(self, name: str) -> RGBA:
        """The colour of one of our tokens, as `data-1`."""
        return to_rgba(TOKENS[name][SCHEMES.index(self.scheme)])

    def data(self, number: int) -> RGBA:
        """The colour of the first, second, ... series of data, from 0."""
        return self.token(f"data-{number % 6 + 1}")

    def shown(self, value: Any, alpha: float = 1.0, *, is_own: bool = False) -> RGBA:
        """Any colour as a browser shows it; nothing where it is none.

        is_own: it comes from a notebook's data, so our tokens are not looked for.
        """
        token = None if is_own or not isinstance(value, str) else _TOKEN_OF.get(value.lower())
        if token:
            red, green, blue, own = self.token(token)
        else:
            red, green, blue, own = _parsed(value)
        return red, green, blue, own * min(max(alpha, 0.0), 1.0)


def _parsed(value: Any) -> RGBA:
    if isinstance(value, BokehColor):
        value = value.to_css()
    try:
        if isinstance(value, str):
            text = value.strip().lower()
            if text.startswith("rgb"):
                return _of_numbers([float(part) for part in _parts(text)])
            return NOTHING if text == "transparent" else to_rgba(text)
        if isinstance(value, list | tuple):
            return _of_numbers([float(part) for part in value])
        if isinstance(value, int | np.integer):
            return _of_numbers([int(value) >> shift & 255 for shift in (16, 8, 0)])
    except (ValueError, TypeError):
        pass
    return NOTHING


def _parts(text: str) -> list[str]:
    inner = text.partition("(")[2].rpartition(")")[0].replace(",", " ").replace("/", " ")
    return [str(float(p[:-1]) * 2.55) if p.endswith("%") else p for p in inner.split()]


def _of_numbers(numbers: list[float]) -> RGBA:
    """Of 0 to 255, and an alpha of 0 to 1."""
    red, green, blue = (min(max(number / 255, 0.0), 1.0) for number in numbers[:3])
    alpha = numbers[3] if len(numbers) > 3 else 1.0
    return red, green, blue, min(max(alpha, 0.0), 1.0)
