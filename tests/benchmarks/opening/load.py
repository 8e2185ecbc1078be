"""Many people at once: how long the last one waits, and what all of them cost."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator
from typing import Final

import psutil
from playwright.sync_api import Page

from tests.benchmarks.opening import comparison as compared
from tests.benchmarks.opening.comparison import Detail, Record, Size
from tests.benchmarks.opening.crowd import Crowd, crowd, stop_servers
from tests.benchmarks.opening.health import probe
from tests.benchmarks.opening.hubs import Side, ours, peer
from tests.benchmarks.opening.visits import (
    FIRST,
    chromium,
    grasp,
    memory_of,
    move,
    new_page,
    new_people,
    until_drawn,
)

#: MB of one of the peer's servers, roughly; and how many are started at most, which takes minutes.
_PEER_SERVER, _PEER_SERVERS = 260, 60
#: Seconds between two moves of each of the others, and moves of the person who measures.
_EVERY, _MOVES = 1.0, 20
#: Seconds after which a server that has just opened a dashboard does nothing more for it.
_SETTLED: Final = 10


def thirty(size: Size) -> Iterator[Record]:
    """People sign in within one second, while the hub is asked for its health."""
    waits, answers, failed = [], [], 0
    with ours() as atrium, peer() as other, crowd() as people:
        for _ in range(size.pairs):
            found = [at_once(atrium, people, size.people)]
            while len(found) < 2:
                try:
                    found.append(at_once(other, people, size.people))
                except* AssertionError as error:  # two of its servers have taken the same port
                    failed += 1
                    if failed > size.pairs:
                        raise
                    print(f"A round of the peer's is begun anew: {error.exceptions[0]}"[:500])
            waits.append(tuple(wait for wait, _ in found))
            answers.append(tuple(slow for _, slow in found))
            more = {"people": size.people, "peer_failed": failed}
            yield compared.record(compared.THIRTY, waits, **more)
            yield compared.record(compared.HEALTH, answers, **more)


def at_once(side: Side, people: Crowd, count: int) -> tuple[float, float]:
    """Seconds until the last document, and milliseconds of the hub's slowest answers.

    Raises:
        ExceptionGroup: of AssertionErrors, where somebody gets no dashboard.
    """
    names = list(itertools.islice(new_people, count))
    try:
        with probe(f"{side.url}/hub/health") as answers:
            last = max(people.sign_in(side, names, FIRST))
    finally:
        people.leave()
        stop_servers(side, names)
    return last, 1000 * compared.slowest(answers)


def others(size: Size) -> Iterator[Record]:
    """Somebody in a browser moves a slider, while others do so elsewhere."""
    medians, moves, rates = [], [], []
    with ours() as atrium, peer() as other:
        for found in among_others((atrium, other), size.others, size.pairs):
            medians.append(tuple(statistics.median(own) for own, _ in found))
            moves += zip(*(own for own, _ in found), strict=True)
            rates.append([rate for _, rate in found])
            more = {
                "others": size.others,
                "moves_a_second": [
                    round(statistics.median(rate), 1) for rate in zip(*rates, strict=True)
                ],
            }
            yield compared.record(compared.OTHERS, medians, **more)
            yield compared.record(
                compared.OTHERS_SLOWEST, moves, of=compared.slowest, rounds=len(medians), **more
            )


def among_others(
    sides: tuple[Side, Side], count: int, rounds: int
) -> Iterator[list[tuple[list[float], float]]]:
    """For each round and side, how long each of one's own moves took, and how often all the others
    moved in a second."""
    with (
        crowd() as at_one,
        crowd() as at_other,
        chromium() as browser,
        new_page(browser) as one_page,
        new_page(browser) as other_page,
    ):
        places = tuple(zip(sides, (at_one, at_other), (one_page, other_page), strict=True))
        for side, people, page in places:
            people.sign_in(side, list(itertools.islice(new_people, count)), FIRST)
            until_drawn(side.click(page, next(new_people), FIRST)())
            grasp(page)
        for _ in range(rounds):
            yield [_among_others(people, page) for _, people, page in places]


def _among_others(people: Crowd, page: Page) -> tuple[list[float], float]:
    began = time.monotonic()
    with people.moving(_EVERY) as counts:
        page.wait_for_timeout(1000 * _EVERY)  # now everybody has begun
        own = [move(page) for _ in range(_MOVES)]
        seconds = time.monotonic() - began
    return own, sum(counts) / seconds


def idle(size: Size) -> Iterator[Record | Detail]:
    """Everybody only looks, at ours as many as asked, at the peer as many as memory holds."""
    with ours() as atrium, crowd() as people:
        own = opened_by(atrium, people, size.idle, size.window)
    yield Detail("growth", f"ours {size.idle}", own)
    count = min(size.idle, fits())
    with peer() as other, crowd() as people:
        theirs = opened_by(other, people, count, size.window)
    yield Detail("growth", f"peer {count}", theirs)
    pair = own["idle"], theirs["idle"]
    yield compared.record(compared.IDLE, [pair], viewers=size.idle, peer_viewers=count)


def growth(size: Size) -> Iterator[Detail]:
    """What each number of viewers takes. The largest are measured with those who only look."""
    for name, start, most in (("ours", ours, size.idle - 1), ("peer", peer, fits() - 1)):
        with start() as side, crowd() as people:
            for count in size.growth:
                if count <= most:
                    point = opened_by(side, people, count, size.window / 3)
                    yield Detail("growth", f"{name} {count}", point)


def opened_by(side: Side, people: Crowd, count: int, window: float) -> dict[str, float]:
    """People open a dashboard within one second, then look at it.

    Returns:
        viewers; seconds: until the last one's document; memory: MB of all processes a viewer;
        processor: seconds of it a viewer until all had their document; idle: % of one core that
        all processes together take when nobody does anything; reloads: of pages that failed.
    """
    names = list(itertools.islice(new_people, count))
    memory, processor = _memory(side), _processor(side)
    seconds = people.sign_in(side, names, FIRST)
    opened, reloads = _processor(side), sum(one.reloads for one in people.viewers)
    time.sleep(_SETTLED)
    grown = _memory(side) - memory
    began, before = time.monotonic(), _processor(side)
    time.sleep(window)
    share = (_processor(side) - before) / (time.monotonic() - began)
    people.check()
    people.leave()
    stop_servers(side, names)
    return {
        "viewers": count,
        "seconds": round(max(seconds), 2),
        "memory": round(grown / count, 1),
        "processor": round((opened - processor) / count, 2),
        "idle": round(100 * share, 2),
        "reloads": reloads,
    }


def fits() -> int:
    """How many of the peer's servers this machine holds."""
    free = psutil.virtual_memory().available / 1e6
    return max(1, min(_PEER_SERVERS, int(0.9 * free / _PEER_SERVER)))


def _memory(side: Side) -> float:
    return memory_of(side.processes()).pss


def _processor(side: Side) -> float:
    """Seconds of processor that all processes have taken so far."""
    return sum(_seconds(process) for process in side.processes())


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system
