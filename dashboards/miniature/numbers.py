"""What is no plot that could be drawn anew: Matplotlib's own figures, tables and big numbers."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from dashboards.miniature.colours import Colours

_ROWS: Final = 8
_COLUMNS: Final = 5
_LETTERS: Final = 90  # of a line across the whole picture
_ROOM: Final = 0.02


def draw_figure(own: Figure, figure: Figure, box: Any, colours: Colours) -> bool:
    """A figure as it is: its author has chosen its colours."""
    del colours
    wide, high = (side * figure.dpi for side in figure.get_size_inches())
    room = box.width * wide * (1 - _ROOM), box.height * high * (1 - _ROOM)
    inches = own.get_size_inches()
    if not (np.isfinite(inches).all() and min(inches) > 0.1) or max(inches) > 100:
        return False
    scale = min(room[0] / inches[0], room[1] / inches[1])
    file = io.BytesIO()
    own.savefig(file, format="png", dpi=scale)
    picture = Image.open(file).convert("RGBA")
    picture.thumbnail((int(room[0]), int(room[1])))  # a notebook's settings may have made it larger
    left = box.left * wide + (box.width * wide - picture.width) / 2
    bottom = box.bottom * high + (box.height * high - picture.height) / 2
    figure.figimage(np.asarray(picture)[::-1], round(left), round(bottom), origin="lower")
    return True


def draw_number(pane: Any, figure: Figure, box: Any, colours: Colours) -> bool:
    """A big number and what it is."""
    if pane.value is None:
        return False
    text = str(pane.format).format(value=pane.value)[:16]
    middle = box.left + box.width / 2
    figure.text(
        *(middle, box.bottom + box.height * 0.42),
        text,
        color=_ink(pane, colours),
        size=min(box.width * 520 / max(len(text), 4), 54),
        weight="bold",
        ha="center",
        va="center",
        parse_math=False,
    )
    figure.text(
        *(middle, box.bottom + box.height * 0.66),
        _short(pane.label, int(box.width * 45)),
        color=colours.token("ink-soft"),
        size=15,
        ha="center",
        va="center",
        parse_math=False,
    )
    return True


def _ink(pane: Any, colours: Colours) -> Any:
    own = colours.shown(getattr(pane, "default_color", None))
    return own if own[3] else colours.token("ink")


def draw_table(frame: Any, figure: Figure, box: Any, colours: Colours) -> bool:
    """The first lines of a table."""
    if not isinstance(frame, pd.DataFrame) or frame.empty or not len(frame.columns):
        return False
    head = frame.iloc[:_ROWS, :_COLUMNS]
    count = len(head.columns)
    letters = int(_LETTERS * box.width / count)
    width, height = (box.width - 0.06) / count, (box.height - 0.08) / (_ROWS + 1)
    axes = figure.add_axes((box.left, box.bottom, box.width, box.height))
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    for row in range(len(head) + 1):
        top = box.bottom + box.height - 0.04 - row * height
        if row:
            axes.axhline((top - box.bottom) / box.height, 0.03, 0.97, color=colours.token("line"))
        for column in range(count):
            values = head.iloc[:, column]
            is_number = pd.api.types.is_numeric_dtype(values.dtype)
            words = head.columns[column] if not row else values.iloc[row - 1]
            left = box.left + 0.03 + column * width
            figure.text(
                *(left + (width - 0.015 if is_number else 0.005), top - height / 2),
                _short(_words(words), letters),
                color=colours.token("ink" if row else "ink-soft"),
                weight="normal" if row else "bold",
                size=12.5,
                ha="right" if is_number else "left",
                va="center",
                parse_math=False,
            )
    return True


def _words(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:,.4g}"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return str(value)[:200]


def _short(text: str, letters: int) -> str:
    text = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return text if len(text) <= letters else text[: max(letters - 1, 1)] + "…"
