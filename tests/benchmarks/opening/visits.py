"""What one person sees in a browser."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import psutil
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.benchmarks.opening.hubs import Side
from tests.conftest import CHROMIUM_OPTIONS, find_chromium

FIRST, SECOND = "sensor_explorer", "penguins"
CLOCK: Final = Path(__file__).with_name("clock.js")
PATIENCE: Final = 120_000  # milliseconds
MOVES: Final = 10
POLLING: Final = 20  # milliseconds; each frame, as without it, would keep the page busy
#: Somebody new, each time.
new_people = (f"person{number}" for number in itertools.count())


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One person's visit, in seconds from the click that signs them in.

    Attributes:
        moves: from a slider's move to its answer.
        second: from the address of another dashboard to its plot.
        again: from the address of a dashboard to its plot, the server running, in a browser that
            knows nothing.
        first_sign_in: the same in a browser that comes from the sign-in page just now, and has
            kept what that page fetched ahead. From the moment at which the browser asks for the
            dashboard's address for the last time, after all redirects (`fetchStart`).
    """

    address: float
    plot: float
    answer: float
    moves: tuple[float, ...]
    second: float
    again: float
    first_sign_in: float


class Memory(NamedTuple):
    """Proportional and unique set size, in MB: what is shared counts in part, or not at all."""

    pss: float
    uss: float


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_OPTIONS)
        try:
            yield browser
        finally:
            with suppress(PlaywrightError):  # a Ctrl-C has reached it too
                browser.close()


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """A browser with nothing in it, and the clock in each of its pages."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    context.add_init_script(path=CLOCK)
    try:
        yield context.new_page()
    finally:
        with suppress(PlaywrightError):
            context.close()


def visit(browser: Browser, side: Side) -> Visit:
    """Somebody new signs in, looks, moves a slider, and opens a second dashboard."""
    person = next(new_people)
    with new_page(browser) as page:
        click = side.click(page, person, FIRST)
        began = time.time()
        page = until_drawn(click())
        grasp(page)  # before anything is asked: the clock of the first answer runs
        moves = [move(page)]
        answer = clock(page, "answered") - began
        address, plot = navigation(page, "responseStart") - began, clock(page, "drawn") - began
        moves += [move(page) for _ in range(MOVES - 1)]
        second = opened(page, side.address(person, SECOND))
    with new_page(browser) as page:  # the server runs, the browser knows nothing
        page = until_drawn(side.click(page, person, SECOND)())
        again = opened(page, side.address(person, FIRST), empty=True)
    with new_page(browser) as page:
        page = until_drawn(side.click(page, person, FIRST)())
        first_sign_in = clock(page, "drawn") - navigation(page, "fetchStart")
    side.stop_server(person)
    return Visit(
        address=address,
        plot=plot,
        answer=answer,
        moves=tuple(moves),
        second=second,
        again=again,
        first_sign_in=first_sign_in,
    )


def grasp(page: Page) -> None:
    """Take the first slider."""
    page.locator(".noUi-handle").first.focus()


def move(page: Page) -> float:
    """Move the slider by a step; returns the seconds until the plot has changed."""
    page.keyboard.press("ArrowRight")
    page.wait_for_function("window.clock.answered", polling=POLLING)
    return clock(page, "answered") - clock(page, "moved")


def until_drawn(page: Page) -> Page:
    """Wait until a tab shows a dashboard."""
    page.wait_for_function(
        "location.pathname.startsWith('/user/') && window.clock?.drawn", polling=POLLING
    )
    return page


def opened(page: Page, address: str, *, empty: bool = False) -> float:
    """Seconds from asking for an address to its plot. `empty`: without the browser's cache."""
    if empty:
        session = page.context.new_cdp_session(page)
        session.send("Network.clearBrowserCache")
    began = time.time()
    page.goto(address, wait_until="commit")
    page.wait_for_function("window.clock?.drawn", polling=POLLING)
    return clock(page, "drawn") - began


def navigation(page: Page, name: str) -> float:
    """A moment of how the page was fetched, in seconds since 1970."""
    entry = f"performance.getEntriesByType('navigation')[0].{name}"
    return page.evaluate(f"performance.timeOrigin + {entry}") / 1000


def clock(page: Page, name: str) -> float:
    """A moment of the page's clock, in seconds since 1970."""
    return page.evaluate(f"window.clock.{name}") / 1000


def memory(browser: Browser, side: Side) -> Memory:
    """What the third viewer adds, each with the same dashboard open: of all processes, as some
    memory is shared by several."""
    with new_page(browser) as one, new_page(browser) as two, new_page(browser) as three:
        found = []
        people = [next(new_people) for _ in range(3)]
        for page, person in zip((one, two, three), people, strict=True):
            until_drawn(side.click(page, person, FIRST)())
            found.append(memory_of(side.processes()))
    for person in people:
        side.stop_server(person)
    return Memory(*(after - before for before, after in zip(*found[1:], strict=True)))


def memory_of(processes: Iterable[psutil.Process]) -> Memory:
    """What these processes take together."""
    proportional = unique = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            taken = process.memory_full_info()
            proportional, unique = proportional + taken.pss / 1e6, unique + taken.uss / 1e6
    return Memory(proportional, unique)
