"""Pages are told that their dashboard computes."""

from __future__ import annotations

import asyncio
from typing import Any

import param
import pytest
from bokeh.document import Document

from dashboards import busy


class State(param.Parameterized):
    """Panel's, as far as it is looked at."""

    busy = param.Boolean(default=False)


class Page:
    """A page's WebSocket on which another message is being written, for so many looks."""

    is_ready = True

    def __init__(self, looks: int) -> None:
        self.told: list[bool] = []
        self._looks = looks

    @property
    def is_writing(self) -> bool:
        self._looks -= 1
        return self._looks >= 0

    def write_now(self, message: Any) -> None:
        (event,) = message.content["events"]
        self.told.append(dict(event["msg_data"]["entries"])["busy"])


async def test_each_page_is_told_once_of_each_change(monkeypatch: pytest.MonkeyPatch) -> None:
    state = State()
    monkeypatch.setattr(busy, "state", state)
    quick, slow = Page(0), Page(10)
    busy.follow(Document(), lambda: [quick, slow])  # type: ignore[list-item]
    state.busy = True
    async with asyncio.timeout(5):
        while not slow.told:
            await asyncio.sleep(0)
    assert (quick.told, slow.told) == ([True], [True])
    state.busy = False
    assert (quick.told, slow.told) == ([True, False], [True, False])
