"""`make benchmark`: how soon a dashboard is open, and what a viewer costs, beside the peer.

Takes both in turn, with the same notebook and the same browser, and writes results/latest.json.
Ends with status 1 where what must be reached is not.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from tests.benchmarks.opening import comparison as compared
from tests.benchmarks.opening.hubs import Side, ours, peer
from tests.benchmarks.opening.static_file import write_static
from tests.conftest import CHROMIUM_OPTIONS, find_chromium

FIRST, SECOND = "sensor_explorer", "penguins"
CLOCK: Final = Path(__file__).with_name("clock.js")
PATIENCE: Final = 120_000  # milliseconds
MOVES: Final = 10
_POLLING: Final = 100  # milliseconds; each frame, as without it, would keep the page busy
_people = (f"person{number}" for number in itertools.count())


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One person's visit, in seconds from the click that signs them in."""

    address: float
    plot: float
    answer: float
    moves: tuple[float, ...]
    second: float
    again: float


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """A browser with nothing in it, and the clock in each of its pages."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    context.add_init_script(path=CLOCK)
    yield context.new_page()
    context.close()


def visit(browser: Browser, side: Side) -> Visit:
    """Somebody new signs in, looks, moves a slider, and opens a second dashboard."""
    person = next(_people)
    with new_page(browser) as page:
        click = side.click(page, person, FIRST)
        began = time.time()
        page = until_drawn(click())
        address, plot = answered(page) - began, clock(page, "drawn") - began
        handle = page.locator(".noUi-handle").first
        handle.focus()
        moves = []
        for _ in range(MOVES):
            page.keyboard.press("ArrowRight")
            page.wait_for_function("window.clock.answered", polling=_POLLING)
            if not moves:
                answer = clock(page, "answered") - began
            moves.append(clock(page, "answered") - clock(page, "moved"))
        second = opened(page, side.address(person, SECOND))
    with new_page(browser) as page:  # the server runs, the browser knows nothing
        page = until_drawn(side.click(page, person, SECOND)())
        again = opened(page, side.address(person, FIRST), empty=True)
    side.stop_server(person)
    return Visit(
        address=address, plot=plot, answer=answer, moves=tuple(moves), second=second, again=again
    )


def until_drawn(page: Page) -> Page:
    """Wait until a tab shows a dashboard."""
    page.wait_for_function(
        "location.pathname.startsWith('/user/') && window.clock?.drawn", polling=_POLLING
    )
    return page


def opened(page: Page, address: str, *, empty: bool = False) -> float:
    """Seconds from asking for an address to its plot. `empty`: without the browser's cache."""
    if empty:
        session = page.context.new_cdp_session(page)
        session.send("Network.clearBrowserCache")
    began = time.time()
    page.goto(address, wait_until="commit")
    page.wait_for_function("window.clock?.drawn", polling=_POLLING)
    return clock(page, "drawn") - began


def answered(page: Page) -> float:
    """When the first byte of the page was there."""
    entry = "performance.getEntriesByType('navigation')[0].responseStart"
    return page.evaluate(f"performance.timeOrigin + {entry}") / 1000


def clock(page: Page, name: str) -> float:
    """A moment of the page's clock, in seconds since 1970."""
    return page.evaluate(f"window.clock.{name}") / 1000


def memory(browser: Browser, side: Side) -> float:
    """MB that the third viewer adds, each with the same dashboard open: of all processes, as some
    memory is shared by several."""
    with new_page(browser) as one, new_page(browser) as two, new_page(browser) as three:
        found = []
        people = [next(_people) for _ in range(3)]
        for page, person in zip((one, two, three), people, strict=True):
            until_drawn(side.click(page, person, FIRST)())
            found.append(sum(pss(process) for process in side.processes()))
    for person in people:
        side.stop_server(person)
    return found[2] - found[1]


def pss(process: psutil.Process) -> float:
    """A process's proportional set size, in MB."""
    try:
        return process.memory_full_info().pss / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def measure(pairs: int) -> list[compared.Record]:
    """All rows, the sides in turn."""
    found = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="atrium-static-") as folder,
        ours() as atrium,
        peer() as other,
        sync_playwright() as playwright,
    ):
        static = write_static(Path(folder), FIRST)
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_OPTIONS)
        for number in range(pairs):
            visits = visit(browser, atrium), visit(browser, other)
            for row, name in (
                (compared.ADDRESS, "address"),
                (compared.PLOT, "plot"),
                (compared.ANSWER, "answer"),
                (compared.SECOND, "second"),
            ):
                found[row].append(tuple(getattr(one, name) for one in visits))
            found[compared.MOVED].append(tuple(statistics.median(one.moves) for one in visits))
            with new_page(browser) as page:
                found[compared.STATIC].append((visits[0].again, opened(page, static.as_uri())))
            if number < 3:
                found[compared.MEMORY].append((memory(browser, atrium), memory(browser, other)))
            last = ", ".join(f"{pair[-1][0]:.2f} to {pair[-1][1]:.2f}" for pair in found.values())
            print(f"pair {number + 1}: {last}", flush=True)
        browser.close()
    return [compared.record(row, found[row]) for row in compared.ROWS]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10, help="how often both are measured")
    asked = parser.parse_args(arguments)
    records = measure(asked.pairs)
    compared.write(compared.RESULTS, records)
    print(f"\n{compared.table(records)}\n\n{compared.RESULTS}")
    return 0 if all(one["holds"] for one in records) else 1


if __name__ == "__main__":
    sys.exit(main())
