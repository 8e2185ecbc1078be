"""The line in which starts of servers wait when more come at once than the machine does well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class _Start:
    who: object
    is_further: bool
    turn: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class StartQueue:
    """First come, first served; but nobody's further server comes before another one's first.

    A start is a task: it leaves when the task ends, in whatever way.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Task[Any], _Start] = {}
        self._starting: set[asyncio.Task[Any]] = set()
        self._moved = asyncio.Event()
        self.most = 1

    async def turn(self, who: object, *, is_further: bool) -> None:
        """Wait until the current task may start a server. Waits for nothing if nobody is there.

        Args:
            who: names the start to `place`.
            is_further: whoever it is for has a server already, or one that is on its way.
        """
        task = asyncio.current_task()
        assert task is not None
        start = self._waiting[task] = _Start(who, is_further)
        task.add_done_callback(self._leave)
        self._move()
        await start.turn

    def place(self, who: object) -> int:
        """The place in line, from 1; 0 for who is in none."""
        line = [start.who for _, start in self._line()]
        return line.index(who) + 1 if who in line else 0

    @property
    def counts(self) -> dict[str, int]:
        """How many wait, and how many start."""
        return {"waiting": len(self._waiting), "starting": len(self._starting)}

    async def places(self, who: object) -> AsyncIterator[int]:
        """The place in line whenever it has changed, the present one first; without an end."""
        told = None
        while True:
            moved = self._moved
            if (place := self.place(who)) != told:
                told = place
                yield place
            await moved.wait()

    async def quiet(self) -> None:
        """Wait until nothing starts, and nobody waits for it."""
        while self._waiting or self._starting:
            await self._moved.wait()

    def _line(self) -> list[tuple[asyncio.Task[Any], _Start]]:
        return sorted(self._waiting.items(), key=lambda item: item[1].is_further)

    def _leave(self, task: asyncio.Task[Any]) -> None:
        self._waiting.pop(task, None)
        self._starting.discard(task)
        self._move()

    def _move(self) -> None:
        for task, start in self._line():
            if len(self._starting) >= self.most:
                break
            del self._waiting[task]
            self._starting.add(task)
            if not start.turn.done():  # it is cancelled, and its task about to end
                start.turn.set_result(None)
        self._moved.set()
        self._moved = asyncio.Event()
