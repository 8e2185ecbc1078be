"""Requests that come at once begin one at each turn of the loop, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.pages import HealthCheckHandler

from hub_extensions.turns import Turns, take_turns


class Counted:
    """Counts the turns of the running loop."""

    def __init__(self) -> None:
        self.turns = 0
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._count)

    def _count(self) -> None:
        self.turns += 1
        self._loop.call_soon(self._count)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def begin(turns: Turns, name: int, begun: list[tuple[int, int]], counted: Counted) -> None:
    await turns.turn()
    begun.append((name, counted.turns))


def test_each_begins_at_a_turn_of_its_own_in_the_order_in_which_they_came() -> None:
    async def all_at_once() -> None:
        turns, counted, begun = Turns(), Counted(), []
        await asyncio.gather(*(begin(turns, number, begun, counted) for number in range(5)))
        assert [name for name, _ in begun] == list(range(5))
        at = [moment for _, moment in begun]
        assert len(set(at)) == 5, at

    run(all_at_once())


def test_who_comes_alone_does_not_wait() -> None:
    async def alone() -> None:
        turns, counted, begun = Turns(), Counted(), []
        for number in range(3):
            before = counted.turns
            await begin(turns, number, begun, counted)
            assert counted.turns == before
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    run(alone())


def test_who_has_gone_holds_up_nobody() -> None:
    async def one_goes() -> None:
        turns, counted, begun = Turns(), Counted(), []
        tasks = [asyncio.create_task(begin(turns, number, begun, counted)) for number in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.wait(tasks)
        assert [name for name, _ in begun] == [0, 2, 3]
        await begin(turns, 4, begun, counted)
        assert begun[-1][0] == 4

    run(one_goes())


def test_requests_take_turns_but_not_the_question_whether_the_hub_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[type] = []

    async def prepare(self: BaseHandler) -> None:
        begun.append(type(self))

    monkeypatch.setattr(BaseHandler, "prepare", prepare)
    take_turns()
    take_turns()  # once is enough: a second time changes nothing
    application = SimpleNamespace(settings={})

    def request(kind: type[BaseHandler]) -> Coroutine[Any, Any, None]:
        handler = kind.__new__(kind)
        handler.application = application  # type: ignore[assignment]
        return handler.prepare()

    async def many() -> None:
        kinds = [BaseHandler, BaseHandler, BaseHandler, HealthCheckHandler]
        await asyncio.gather(*map(request, kinds))

    run(many())
    assert begun == [BaseHandler, HealthCheckHandler, BaseHandler, BaseHandler]
