"""Whose turn it is when many servers start at once, and what place each is told."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from hub_extensions.start_queue import StartQueue


class Starts:
    """Starts that go on until they are told to end.

    Attributes:
        began: who has had their turn, in that order.
    """

    def __init__(self, most: int) -> None:
        self.queue = StartQueue()
        self.queue.most = most
        self.began: list[str] = []
        self.ends: dict[str, asyncio.Future[None]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def add(self, *names: str, is_further: bool = False) -> None:
        for name in names:
            self.ends[name] = asyncio.get_running_loop().create_future()
            self.tasks[name] = asyncio.create_task(self._start(name, is_further=is_further))
        await _settle()

    async def _start(self, name: str, *, is_further: bool) -> None:
        await self.queue.turn(name, is_further=is_further)
        self.began.append(name)
        await self.ends[name]

    async def end(self, name: str, error: Exception | None = None) -> None:
        if error:
            self.ends[name].set_exception(error)
            self.tasks[name].add_done_callback(lambda task: task.exception())
        else:
            self.ends[name].set_result(None)
        await _settle()

    def places(self) -> dict[str, int]:
        return {name: place for name in self.tasks if (place := self.queue.place(name))}


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_is_alone_does_not_wait() -> None:
    queue = StartQueue()
    turn = asyncio.ensure_future(queue.turn("ann", is_further=False))
    await asyncio.sleep(0)  # once: nothing is waited for
    assert turn.done()


async def test_who_comes_first_is_served_first() -> None:
    starts = Starts(2)
    await starts.add("a", "b", "c", "d", "e")
    assert starts.began == ["a", "b"]
    assert starts.places() == {"c": 1, "d": 2, "e": 3}
    await starts.end("b")
    assert starts.began == ["a", "b", "c"]
    assert starts.places() == {"d": 1, "e": 2}


async def test_a_further_server_waits_for_everybodys_first() -> None:
    starts = Starts(1)
    await starts.add("a")
    await starts.add("a's second", is_further=True)
    await starts.add("b", "c")
    assert starts.places() == {"b": 1, "c": 2, "a's second": 3}
    for name in ("a", "b", "c"):
        await starts.end(name)
    assert starts.began[-1] == "a's second"


async def test_what_fails_or_is_cancelled_leaves_its_place() -> None:
    starts = Starts(1)
    await starts.add("a", "b", "c", "d")
    starts.tasks["b"].cancel()
    await _settle()
    assert starts.places() == {"c": 1, "d": 2}
    await starts.end("a", ValueError("a bad start"))
    assert starts.began == ["a", "c"]
    starts.tasks["c"].cancel()
    await _settle()
    assert starts.began == ["a", "c", "d"]


async def test_one_that_is_cancelled_in_the_moment_of_its_turn_holds_nobody_up() -> None:
    starts = Starts(1)
    await starts.add("a", "b", "c")
    starts.ends["a"].set_result(None)
    starts.tasks["b"].cancel()
    await _settle()
    assert starts.began[-1] == "c"


async def test_each_change_of_the_place_is_told() -> None:
    starts = Starts(1)
    await starts.add("a", "b", "c", "d")
    told = []
    async with aclosing(starts.queue.places("d")) as places:
        for name in ("a", "b", "c"):
            told.append(await anext(places))
            await starts.end(name)
        told.append(await anext(places))
    assert told == [3, 2, 1, 0]


@pytest.mark.parametrize("most", [1, 7])
async def test_never_do_more_start_than_may(most: int) -> None:
    starts = Starts(most)
    names = [str(number) for number in range(200)]
    await starts.add(*names)
    for done, name in enumerate(names):
        assert len(starts.began) == min(done + most, 200)
        await starts.end(name)
    assert starts.began == names
