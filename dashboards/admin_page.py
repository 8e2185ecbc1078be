"""What the notebooks of the admin folder look like, and how they speak: figures, tables, times.

Imports Panel: only notebooks may import this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import ParamSpec, TypeVar

import panel as pn

from dashboards.hub_api import HubDataError

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")

# Words wrap, so that the numbers are seen beside them on a phone too.
_STYLE = """
.scroll td:not(.one) { min-width: 3.5em; white-space: normal; overflow-wrap: anywhere; }
@media (max-width: 640px) {
  .scroll :is(td, th):not(.one) { padding-inline: 4px; white-space: normal; }
}
"""


def told(ask: Callable[Asked, Answer], *asked: Asked.args, **named: Asked.kwargs) -> Answer | str:
    """What the hub answers, or the sentence to show instead."""
    try:
        return ask(*asked, **named)
    except PermissionError:
        return "Only dashboards in the admin folder may see this."
    except (HubDataError, OSError):
        return "The sign-in service does not answer. What stands here will be renewed when it does."


def figures(*names: str) -> dict[str, pn.pane.HTML]:
    """A pane for the number of each of these."""
    return {name: pn.pane.HTML(css_classes=["panel", "figure"]) for name in names}


def show_figures(panes: Mapping[str, pn.pane.HTML], numbers: Sequence[int | str]) -> None:
    """Put the numbers into the panes, in their order."""
    for (name, pane), number in zip(panes.items(), numbers, strict=True):
        shown = number if isinstance(number, str) else f"{number:,}"
        pane.object = f'<span class="soft small">{escape(name)}</span><b>{escape(shown)}</b>'


def section() -> pn.pane.HTML:
    """A card for a table."""
    return pn.pane.HTML(css_classes=["panel", "card"], stylesheets=[_STYLE])


def soft(text: str) -> str:
    """HTML of a text that steps back."""
    return f'<span class="soft">{escape(text)}</span>'


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    nothing: str,
    *,
    shown: int = 20,
    further: str = "more",
) -> str:
    """HTML of a table whose cells are HTML already; of what is too much it says how much there is.

    Args:
        nothing: a sentence in place of no rows.
        shown: so many rows.
        further: what is said of the others, after their number.
    """
    if not rows:
        return f'<p class="soft">{escape(nothing)}</p>'
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    head = f"<tr>{head}</tr>" if any(headings) else ""
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[:shown]
    )
    more = len(rows) - shown
    rest = f'<p class="soft small">And {more:,} {further}.</p>' if more > 0 else ""
    return f'<div class="scroll" tabindex="0"><table>{head}{body}</table></div>{rest}'


def span(seconds: float) -> str:
    """How long something takes: `5 minutes`."""
    for length, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {name}{'s' if number > 1 else ''}"
    return "less than a minute"


def ago(moment: datetime | None) -> str:
    """How long ago something was: `5 minutes ago`."""
    if moment is None:
        return "never"
    seconds = max(0, (datetime.now(UTC) - moment).total_seconds())
    return "just now" if seconds < 60 else f"{span(seconds)} ago"
