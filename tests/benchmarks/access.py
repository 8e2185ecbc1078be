"""`make benchmark-access`: what is taken away ends in time, and what following that costs.

Measures in parts, each with a hub of its own, and writes results/access.json after each. Ends with
status 1 where a promise is not kept or too little was measured. The whole takes half an hour.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import load, peer, revocations
from tests.benchmarks.records import NAMES, RESULTS, SAMPLES, Record, kept, problems, read, table
from tests.hub import Hub


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured. Times in seconds."""

    people: int = SAMPLES
    window: float = revocations.WINDOW
    many: tuple[int, int] = (300, 600)
    counting: float = 180
    processor: float = 60
    peer_wait: float = peer.WAIT


QUICK = Size(people=3, window=5, many=(10, 20), counting=12, processor=6, peer_wait=15)


@contextmanager
def running(config: Path | None = None, **environment: str) -> Iterator[Hub]:
    """A hub in a folder of its own, both gone in the end."""
    with tempfile.TemporaryDirectory(prefix="atrium-benchmark-") as folder:
        # Where people's servers have accounts of their own, these pass through it.
        Path(folder).chmod(0o755)
        hub = Hub(Path(folder), ATRIUM_SIGN_IN_LIMIT="100000", **environment)
        if config:
            hub.config = config
        try:
            yield hub.start()
        except BaseException as error:
            error.add_note(hub.log_tail())
            raise
        finally:
            hub.stop()


def all_kinds(size: Size) -> Iterator[Record]:
    """Every kind of revocation, with the setting of 30 seconds."""
    with running() as hub:
        seats = revocations.prepare(hub, size.people)
        for kind in revocations.KINDS:
            yield revocations.measure(hub, seats, kind, 30, size.window)
        _leave(seats)


def five_seconds(size: Size) -> Iterator[Record]:
    """A role, with the setting of 5 seconds."""
    with running(ATRIUM_REVOKE_SECONDS="5") as hub:
        seats = revocations.prepare(hub, size.people)
        kind = revocations.ROLE_REMOVED
        yield revocations.measure(hub, seats, kind, 5, size.window, revocations.AT_FIVE)
        _leave(seats)


def costs(size: Size) -> Iterator[Record]:
    """Calls to the provider and the hub's processor, by how many are signed in."""
    few, (some, many) = size.people, size.many
    with (
        load.counter() as counts,
        running(load.CONFIG, BENCHMARK_COUNTER=str(counts.port)) as hub,
    ):
        counts.find_target(hub)
        seats = revocations.prepare(hub, few)
        name = "hub's processor, 20 signed in, 20 servers"
        yield load.processor_share(hub, name, few, few, size.processor)
        name = "calls to the provider, 20 signed in"
        yield load.count_calls(counts, name, few, size.counting)
        load.sign_in_many(hub, range(some - few))
        name = "hub's processor, 300 signed in, 20 servers"
        yield load.processor_share(hub, name, some, few, size.processor)
        for seat in seats:
            hub.api(f"/users/{seat.email}/server", "DELETE")
        _leave(seats)
        name = "hub's processor, 300 signed in, no server"
        yield load.processor_share(hub, name, some, 0, size.processor)
        load.sign_in_many(hub, range(some - few, many - few))
        name = "calls to the provider, 600 signed in"
        yield load.count_calls(counts, name, many, size.counting)


def _leave(seats: list[revocations.Seat]) -> None:
    for seat in seats:
        seat.leave()


def stock(size: Size) -> Iterator[Record]:
    """The same at JupyterHub with GenericOAuthenticator."""
    with running(peer.CONFIG) as hub:
        yield from peer.measure(hub, size.peer_wait)


PARTS: dict[str, Callable[[Size], Iterator[Record]]] = {
    "revocations": all_kinds,
    "five-seconds": five_seconds,
    "costs": costs,
    "peer": stock,
}


def main(arguments: Sequence[str] | None = None, results: Path = RESULTS) -> int:
    """Measure, write, print, judge; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or all")
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--quick", action="store_true", help="few people, short times; writes to test-results only"
    )
    only.add_argument(
        "--judge", action="store_true", help="measure nothing, judge what was measured before"
    )
    asked = parser.parse_args(arguments)
    if unknown := set(asked.parts) - PARTS.keys():
        parser.error(f"there is no part {min(unknown)}")
    size = QUICK if asked.quick else Size()
    if asked.quick:
        results = Path("test-results/access.json").resolve()
    if not asked.judge:
        measure(asked.parts or list(PARTS), size, results)
    records = read(results)
    print(f"{table(records)}\n\n{results}")
    wrong = problems(records, size.people)
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong else 0


def measure(parts: Sequence[str], size: Size, results: Path) -> None:
    """Measure these parts, and write each record when it is there."""
    for part in parts:
        began = time.monotonic()
        for record in PARTS[part](size):
            kept(results, [record])
            print(f"{time.monotonic() - began:6.0f} s  {part}: {said(record)}", flush=True)


def said(record: Record) -> str:
    """One record in a line."""
    assert record["name"] in NAMES
    if "median" not in record:
        return f"{record['name']}: peer {record['peer']}"
    return f"{record['name']}: median {record['median']}, maximum {record['maximum']}"


if __name__ == "__main__":
    sys.exit(main())
