"""What a person's server tells the hub: what its owner opens, how soon it was there, and so on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from tornado.httpclient import HTTPClientError

from dashboards.web.hub_client import HubClient

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_PICTURES_KNOWN: Final = 60.0
"""Seconds for which the hub need not be told again that somebody looks at the gallery."""
_MOST_OPENINGS: Final = 100
"""So many pages may be open of which the browser has not said yet when they were drawn."""


class Telling:
    """Tells the hub; nobody waits for it, save with `favourite`.

    Attributes:
        has_told: whether the hub has been told something since somebody set this to False.
    """

    def __init__(self, client: HubClient) -> None:
        self.has_told = False
        self._client = client
        self._tasks: set[asyncio.Task[Any]] = set()
        self._gallery_told = -_PICTURES_KNOWN
        self._openings: dict[str, asyncio.Task[bool]] = {}

    def opened(self, group: str, dashboard: str) -> str:
        """The owner opens a dashboard. Returns the key of this opening, see `opening_ended`."""
        key = secrets.token_hex(8)
        self._openings[key] = self._beside(self._tell_opened(group, dashboard, key))
        if len(self._openings) > _MOST_OPENINGS:
            del self._openings[next(iter(self._openings))]
        return key

    def opening_ended(self, key: str, seconds: float | None) -> bool:
        """The first view of a dashboard was there after so many seconds, or None, it could not be
        drawn. False: there is no such opening, or all is said of it."""
        told = self._openings.pop(key, None)
        if told is not None:
            how = {"failed": True} if seconds is None else {"seconds": seconds}
            self._beside(self._tell_ended(told, {"opening": key, **how}))
        return told is not None

    def failed(self, group: str, dashboard: str, reference: str, cause: str = "") -> None:
        """Something went wrong in a dashboard of the owner, who was shown this reference. `cause`:
        as of `dashboards.failure.SessionEnded`."""
        where = {"group": group, "dashboard": dashboard}
        said = {**where, "reference": reference, "cause": cause}
        self._beside(self._tell("usage/failed", said))

    def gallery_shown(self) -> None:
        """The owner sees the gallery: the hub sees to the pictures of dashboards then. A minute
        later it has them still."""
        now = time.monotonic()
        if now >= self._gallery_told + _PICTURES_KNOWN:
            self._gallery_told = now
            self._beside(self._tell_gallery_shown())

    async def favourite(self, group: str, dashboard: str, *, wanted: bool) -> int:
        """Have the hub keep a favourite of the owner, or no longer; returns its status, 0: none."""
        said = {"group": group, "dashboard": dashboard, "favourite": wanted}
        return await self._tell("usage/favourite", said)

    def _beside(self, work: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop alone would let go of it
        task.add_done_callback(self._tasks.discard)
        return task

    async def _tell_opened(self, group: str, dashboard: str, key: str) -> bool:
        said = {"group": group, "dashboard": dashboard, "opening": key}
        return await self._tell("audit/opened", said) == 204

    async def _tell_ended(self, told: asyncio.Task[bool], said: dict[str, Any]) -> None:
        if await told:
            await self._tell("usage/measured", said)

    async def _tell_gallery_shown(self) -> None:
        with contextlib.suppress(HTTPClientError, OSError):  # cards show what there is
            await self._client.post("thumbnails")

    async def _tell(self, path: str, said: dict[str, Any]) -> int:
        """Tell the hub something of the owner; returns its status, 0 for none."""
        try:
            answer = await self._client.post(path, said)
        except (HTTPClientError, OSError) as error:
            log.warning("The hub does not answer on %s: %s", path, error)
            return 0
        self.has_told = True
        if answer.code not in {204, 404}:  # 404: a hub that keeps no such thing
            log.warning("The hub took no word on %s: %d", path, answer.code)
        return answer.code
