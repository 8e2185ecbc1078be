"""Many people at once, each a protocol client: see `viewer`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.benchmarks.opening.hubs import Side
from tests.benchmarks.opening.viewer import Viewer, has_outputs

T = TypeVar("T")
Pair = tuple[float, float]


class Crowd:
    """People in one room: a thread and a loop of their own, as Playwright has the main ones."""

    def __init__(self) -> None:
        self.viewers: list[Viewer] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result()
        except BaseException:
            running.cancel()  # this thread was interrupted
            raise

    def sign_in(self, side: Side, people: Sequence[str], dashboard: str) -> list[float]:
        """All click within one second; the servers start. Returns for each the seconds from the
        first click to their document with its plot."""
        for person in people:
            side.made_known(person)
        return self._run(self._sign_in(side, people, dashboard))

    async def _sign_in(self, side: Side, people: Sequence[str], dashboard: str) -> list[float]:
        viewers = [self._viewer() for _ in people]
        clicks = [
            await side.prepare(viewer, person, dashboard)
            for viewer, person in zip(viewers, people, strict=True)
        ]
        began = self._loop.time()

        async def visit(number: int) -> float:
            await asyncio.sleep(number / len(people))
            await viewers[number].see(await clicks[number]())
            return self._loop.time() - began

        return await _all(visit(number) for number in range(len(people)))

    def open(self, addresses: Sequence[str]) -> list[float]:
        """As `sign_in`, where nobody signs in: all ask for an address within one second."""
        return self._run(self._open(addresses))

    async def _open(self, addresses: Sequence[str]) -> list[float]:
        began = self._loop.time()

        async def visit(number: int) -> float:
            viewer = self._viewer()
            await asyncio.sleep(number / len(addresses))
            page = await viewer.shown(addresses[number])
            if not has_outputs(page):
                await viewer.see(page)
            return self._loop.time() - began

        return await _all(visit(number) for number in range(len(addresses)))

    @contextmanager
    def moving(self, seconds: float) -> Iterator[list[int]]:
        """Everybody moves their slider about once in so many seconds while the body runs. What it
        gives is filled with how often each has, when the body has ended."""
        ended, found = asyncio.Event(), []
        moving = asyncio.run_coroutine_threadsafe(self._move(ended, seconds), self._loop)
        try:
            yield found
            self._loop.call_soon_threadsafe(ended.set)
            found += moving.result()
        finally:
            moving.cancel()

    async def _move(self, ended: asyncio.Event, seconds: float) -> list[int]:
        count = len(self.viewers)
        return await _all(
            viewer.move(ended, seconds, seconds * number / count)
            for number, viewer in enumerate(self.viewers)
        )

    def check(self) -> None:
        """Raises what has ended somebody's connection."""
        for viewer in self.viewers:
            viewer.check()

    def leave(self) -> None:
        """All close their pages."""
        self._run(self._leave())

    async def _leave(self) -> None:
        viewers, self.viewers = self.viewers, []
        await asyncio.gather(*(viewer.close() for viewer in viewers), return_exceptions=True)

    def close(self) -> None:
        """Leave, and end the thread."""
        self.leave()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _viewer(self) -> Viewer:
        self.viewers.append(viewer := Viewer())
        return viewer


async def _all(work: Iterator[Coroutine[Any, Any, T]]) -> list[T]:
    """All results; when one fails the others are cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]


@contextmanager
def crowd() -> Iterator[Crowd]:
    """People, who leave in the end."""
    people = Crowd()
    try:
        yield people
    finally:
        people.close()


def stop_servers(side: Side, people: Sequence[str]) -> None:
    """End the servers of all of them."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(side.stop_server, people))
