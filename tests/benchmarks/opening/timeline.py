"""Where the time of one start goes: marks of one visit, from the hub's log and from the browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from tests.benchmarks.opening.hubs import Side
from tests.benchmarks.opening.visits import FIRST, new_page, until_drawn

SCRIPT: Final = Path(__file__).with_name("timeline.js")
_LINE: Final = re.compile(r"^\[\w (\d{4}-\d\d-\d\d [\d:.]+) JupyterHub [^\]]*\] (.*)", re.MULTILINE)
#: What the hub says, and what that means.
_HUB: Final = (
    ("User logged in", "the hub knows who it is"),
    ("Creating oauth client", "a server is ordered"),
    ("seconds to start", "the server listens"),
)
_BROWSER: Final = (
    ("performance.timeOrigin + navigation.responseStart", "the page's first byte"),
    ("performance.timeOrigin + navigation.responseEnd", "the page is whole, the notebook has run"),
    ("window.marks.open", "the WebSocket is open"),
    ("window.marks.document", "the document is there"),
    ("window.clock.drawn", "the plot is drawn"),
)


def timeline(browser: Browser, side: Side, person: str) -> dict[str, float]:
    """One visit of somebody new: seconds from the click that signs them in to each mark."""
    with new_page(browser) as page:
        page.add_init_script(path=SCRIPT)
        click = side.click(page, person, FIRST)
        before = len(side.log.read_text(errors="replace"))
        began = time.time()
        page = until_drawn(click())
        values = ", ".join(expression for expression, _ in _BROWSER)
        seen = page.evaluate(
            f"(() => {{ const [navigation] = performance.getEntriesByType('navigation');"
            f" return [{values}]; }})()"
        )
    marks = dict(hub_marks(side.log.read_text(errors="replace")[before:]))
    for (_, name), moment in zip(_BROWSER, seen, strict=True):
        if moment:  # what a page does not do has no moment
            marks[name] = moment / 1000
    side.stop_server(person)
    return {name: round(moment - began, 3) for name, moment in marks.items()}


def hub_marks(log: str) -> Iterator[tuple[str, float]]:
    """The moments of which a hub's log tells, each at its first time, in seconds since 1970."""
    lines = [(match[1], match[2]) for match in _LINE.finditer(log)]
    for said, name in _HUB:
        for moment, text in lines:
            if said in text:
                yield name, datetime.fromisoformat(moment).astimezone().timestamp()
                break
