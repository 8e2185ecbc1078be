from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from dashboards.announcing import AnnouncementSocket
from dashboards.close_codes import TAKEN
from dashboards.visitors import Visitor


@pytest.mark.parametrize(("left", "done"), [((), [TAKEN]), (("user",), [None])])
def test_whoever_lost_all_meanwhile_is_told_nothing(left: tuple[str, ...], done: list[Any]) -> None:
    async def announcement() -> None:
        return None

    hub = SimpleNamespace(announcement=announcement, left_of=lambda groups: groups & set(left))
    socket: Any = AnnouncementSocket.__new__(AnnouncementSocket)
    socket.site = SimpleNamespace(announced_to=set(), hub=hub)
    socket.visitor = Visitor(name="ann", groups=frozenset({"user"}), is_owner=True)
    heard: list[Any] = []
    socket.close = socket.tell = heard.append
    asyncio.run(socket.open())
    assert heard == done
