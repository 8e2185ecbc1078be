"""The other parts of the benchmark: visits in a browser, other servers, a large installation."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page

from tests.benchmarks.opening import comparison as compared
from tests.benchmarks.opening import load
from tests.benchmarks.opening.comparison import Detail, Record, Size
from tests.benchmarks.opening.crowd import crowd
from tests.benchmarks.opening.hubs import NOTEBOOKS, Ours, ours, peer
from tests.benchmarks.opening.others import (
    PAINTED,
    Shared,
    await_pool,
    one_panel_server,
    serve_cdn,
    voila,
)
from tests.benchmarks.opening.static_file import static_file
from tests.benchmarks.opening.timeline import timeline
from tests.benchmarks.opening.visits import (
    FIRST,
    POLLING,
    chromium,
    memory,
    memory_of,
    navigation,
    new_page,
    new_people,
    opened,
    until_drawn,
    visit,
)

#: What is a person's own of a visit.
_ONCE: Final = (
    (compared.ADDRESS, "address"),
    (compared.PLOT, "plot"),
    (compared.ANSWER, "answer"),
    (compared.SECOND, "second"),
)

#: What is compared with the static file, in seconds of its own.
_AGAINST_STATIC: Final = (
    (compared.STATIC, "again"),
    (compared.FIRST_SIGN_IN, "first_sign_in"),
)
#: Of these all numbers count, not the median of each round.
_SLOWEST: Final = (compared.MOVED_SLOWEST, compared.OTHERS_SLOWEST)


def visits(size: Size) -> Iterator[Record]:
    """One person in a browser, at both in turn."""
    found: dict[compared.Row, list[Any]] = defaultdict(list)
    unique: list[tuple[float, ...]] = []
    with (
        static_file(FIRST) as static,  # before the browser, whose loop then runs in this thread
        ours() as atrium,
        peer() as other,
        chromium() as browser,
    ):
        for number in range(size.pairs):
            pair = visit(browser, atrium), visit(browser, other)
            for row, name in _ONCE:
                found[row].append(tuple(getattr(one, name) for one in pair))
            found[compared.MOVED].append(tuple(statistics.median(one.moves) for one in pair))
            found[compared.MOVED_SLOWEST] += zip(*(one.moves for one in pair), strict=True)
            with new_page(browser) as page:
                floor = opened(page, static.as_uri())
            found[compared.STATIC].append((pair[0].again, floor))
            found[compared.FIRST_SIGN_IN].append((pair[0].first_sign_in, floor))
            sizes = memory(browser, atrium), memory(browser, other)
            found[compared.MEMORY].append(tuple(one.pss for one in sizes))
            unique.append(tuple(one.uss for one in sizes))
            for row, pairs in found.items():
                if row is compared.MEMORY:
                    middle = [round(statistics.median(one), 1) for one in zip(*unique, strict=True)]
                    yield compared.record(row, pairs, unique=middle)
                elif row is compared.MOVED_SLOWEST:
                    yield compared.record(row, pairs, of=compared.slowest, rounds=number + 1)
                else:
                    yield compared.record(row, pairs)


def columns(size: Size) -> Iterator[Record]:
    """One Panel server for everybody, and Voilà: further columns of three rows."""
    with one_panel_server(FIRST) as server, chromium() as browser:
        yield from _column("one_panel_server", browser, server, size, drawn=_in_panel)
    with voila(FIRST) as server, chromium() as browser:
        yield from _column("voila", browser, server, size, drawn=_in_voila)


def _column(
    key: str,
    browser: Browser,
    server: Shared,
    size: Size,
    *,
    drawn: Callable[[Page, Shared], float],
) -> Iterator[Record]:
    """`drawn`: opens the server's address; gives the seconds until the plot is drawn."""
    plots, memories = [], []
    for _ in range(size.rounds):
        with new_page(browser) as page:
            plots.append(drawn(page, server))
    yield {"name": compared.PLOT.name, key: round(statistics.median(plots), 3)}
    with ExitStack() as open_pages:
        for _ in range(3):
            drawn(open_pages.enter_context(new_page(browser)), server)
            memories.append(memory_of(server.processes()).pss)
    yield {"name": compared.MEMORY.name, key: round(memories[2] - memories[1], 1)}
    with crowd() as people:
        last = max(people.open([server.address] * size.people))
        reloads = sum(one.reloads for one in people.viewers)
    yield {"name": compared.THIRTY.name, key: round(last, 3), f"{key}_reloads": reloads}


def _in_panel(page: Page, server: Shared) -> float:
    return opened(page, server.address)


def _in_voila(page: Page, server: Shared) -> float:
    serve_cdn(page)
    began = time.time()
    page.goto(server.address, wait_until="commit")
    page.wait_for_function(PAINTED, polling=POLLING)
    seconds = time.time() - began
    await_pool(server)  # the kernels for the next, and in the sum of the memory
    return seconds


def modes(size: Size) -> Iterator[Detail]:
    """Ours alone, in turn: with an account for each server, and with all under the hub's own.

    Nothing where this machine cannot give accounts; the other parts then measure the second.
    """
    if os.geteuid() != 0:
        return
    found: dict[compared.Row, list[tuple[float, ...]]] = defaultdict(list)
    with (
        ours() as accounts,
        ours(ATRIUM_UNIX_UIDS="off") as one_account,
        chromium() as browser,
        crowd() as people,
    ):
        sides = (accounts, one_account)
        for _ in range(size.rounds):
            pair = [visit(browser, side) for side in sides]
            for row, name in (*_ONCE, *_AGAINST_STATIC):
                found[row].append(tuple(getattr(one, name) for one in pair))
            found[compared.MOVED].append(tuple(statistics.median(one.moves) for one in pair))
            found[compared.MOVED_SLOWEST] += zip(*(one.moves for one in pair), strict=True)
            found[compared.MEMORY].append(tuple(memory(browser, side).pss for side in sides))
            many = [load.at_once(side, people, size.people) for side in sides]
            found[compared.THIRTY].append(tuple(last for last, _ in many))
            found[compared.HEALTH].append(tuple(slow for _, slow in many))
    with ours() as accounts, ours(ATRIUM_UNIX_UIDS="off") as one_account:
        for both in load.among_others((accounts, one_account), size.others, size.rounds):
            found[compared.OTHERS].append(tuple(statistics.median(own) for own, _ in both))
            found[compared.OTHERS_SLOWEST] += zip(*(own for own, _ in both), strict=True)
    looked = []
    for uids in ("", "off"):
        with ours(**({"ATRIUM_UNIX_UIDS": uids} if uids else {})) as side, crowd() as people:
            looked.append(load.opened_by(side, people, size.idle, size.window)["idle"])
    found[compared.IDLE].append(tuple(looked))
    for row in compared.ROWS:
        of = compared.slowest if row in _SLOWEST else statistics.median
        middle = [of(values) for values in zip(*found[row], strict=True)]
        names = ("accounts of their own", "the hub's account")
        values = dict(zip(names, (round(one, 3) for one in middle), strict=True))
        yield Detail("modes", row.name, {"": row.name, **values, "unit": row.unit})


#: Seconds from a letter in the search box until the page is laid out with what it finds, the
#: longest of a few; so that the drawing of a frame is not counted, which each change has.
_SEARCH: Final = """() => Math.max(...["s", "se", "sensor", "sensor x", ""].map((text) => {
  const begin = performance.now();
  const box = document.getElementById("search");
  box.value = text;
  box.dispatchEvent(new Event("input"));
  document.body.getBoundingClientRect();
  return (performance.now() - begin) / 1000;
}))"""


def catalogue(size: Size) -> Iterator[Detail]:
    """The gallery and a first plot, by how much there is to look through."""
    tenants = [f"t{number:02}" for number in range(1, size.tenants + 1)]
    with ours(ATRIUM_CUSTOMER_TENANTS=",".join(tenants)) as atrium, chromium() as browser:
        yield _seen(browser, atrium, size.rounds)
        for tenant in tenants:
            atrium.hub.project.mgmt.tenant.create(tenant, tenant)
            for group in (tenant, f"{tenant}.admin"):
                _fill(atrium.hub.notebooks / group)
        yield _seen(browser, atrium, size.rounds, tenants=len(tenants))


def _fill(folder: Path) -> None:
    """An audience with two dashboards."""
    folder.mkdir()
    for name in ("one", "two"):
        shutil.copy(NOTEBOOKS / f"{FIRST}.ipynb", folder / f"{name}.ipynb")


def _seen(browser: Browser, atrium: Ours, rounds: int, tenants: int = 1) -> Detail:
    """An admin, who sees all there is, with the server running and nothing in the browser."""
    person, folders = "admin", [one for one in atrium.hub.notebooks.iterdir() if one.is_dir()]
    notebooks = sum(len(list(folder.glob("*.ipynb"))) for folder in folders)
    galleries, searches, plots = [], [], []
    for _ in range(rounds):
        with new_page(browser) as page:
            until_drawn(atrium.click(page, person, FIRST)())
            page.goto(f"{atrium.url}/user/{person}@acme.test/?all", wait_until="load")
            galleries.append(navigation(page, "loadEventStart") - navigation(page, "startTime"))
            searches.append(page.evaluate(_SEARCH))
            plots.append(opened(page, atrium.address(person, FIRST), empty=True))
    return Detail(
        "catalogue",
        f"{len(folders)} folders",
        {
            "tenants": tenants,
            "folders": len(folders),
            "notebooks": notebooks,
            "gallery": round(statistics.median(galleries), 3),
            "search (ms)": round(1000 * statistics.median(searches)),
            "plot": round(statistics.median(plots), 3),
        },
    )


def timelines(size: Size) -> Iterator[Detail]:
    """The visit in the middle of a few, by how long it took in all."""
    with ours() as atrium, peer() as other, chromium() as browser:
        for name, side in (("ours", atrium), ("peer", other)):
            seen = [timeline(browser, side, next(new_people)) for _ in range(size.rounds)]
            seen.sort(key=lambda marks: max(marks.values()))
            yield Detail("timeline", name, seen[len(seen) // 2])


PARTS: Final[dict[str, Callable[[Size], Iterator[Record | Detail]]]] = {
    "visits": visits,
    "thirty": load.thirty,
    "others": load.others,
    "idle": load.idle,
    "growth": load.growth,
    "columns": columns,
    "modes": modes,
    "catalogue": catalogue,
    "timeline": timelines,
}
