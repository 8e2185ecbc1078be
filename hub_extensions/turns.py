"""The hub begins one request at each turn of its loop, so that it stays answerable when many come.

What the hub does for a request takes some hundredths of a second, in which it does nothing else. Of
thirty that come at once Tornado would begin all before it looks at anything else again: at the
proxy, at servers that have started, or at whoever asks for the hub's health.
"""

from __future__ import annotations

import asyncio
from collections import deque

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.pages import HealthCheckHandler

_SETTING = "atrium_turns"


class Turns:
    """Lets one in at each turn of the event loop, in the order in which they come."""

    def __init__(self) -> None:
        self._line: deque[asyncio.Future[None]] = deque()
        self._is_taken = False

    async def turn(self) -> None:
        """Wait until it is the caller's turn; not at all if this turn of the loop is nobody's."""
        loop = asyncio.get_running_loop()
        if self._is_taken:
            mine = loop.create_future()
            self._line.append(mine)
            await mine
        else:
            self._is_taken = True
            loop.call_soon(self._pass_on)

    def _pass_on(self) -> None:
        while self._line:
            following = self._line.popleft()
            if not following.done():  # nobody is there any more who waits
                following.set_result(None)
                asyncio.get_running_loop().call_soon(self._pass_on)
                return
        self._is_taken = False


async def turn(handler: BaseHandler) -> None:
    """Wait for the turn of a request to this hub."""
    await handler.settings.setdefault(_SETTING, Turns()).turn()


def take_turns() -> None:
    """Have requests take turns from now on, but for the one that asks whether the hub is well."""
    prepare = BaseHandler.prepare
    if getattr(prepare, _SETTING, False):
        return

    async def prepare_in_turn(self: BaseHandler) -> None:
        if not isinstance(self, HealthCheckHandler):
            await turn(self)
        await prepare(self)

    setattr(prepare_in_turn, _SETTING, True)
    BaseHandler.prepare = prepare_in_turn
