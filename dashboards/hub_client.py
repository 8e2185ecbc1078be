"""Asking the hub, and telling it something, with the token of a person's server."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from functools import partial
from typing import Any, Final

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from dashboards.settings import Settings

log = logging.getLogger(__name__)

FRESH_FOR: Final = 10
"""Seconds for which an answer of the hub is used again: so late a lost group is noticed."""


class HubClient:
    """Asks the hub's API, and remembers for a while what it has answered."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.api_url
        self._headers = {"Authorization": f"token {settings.api_token}"}
        self._answers: dict[str, tuple[Any, float]] = {}
        self._asking: dict[str, asyncio.Task[Any]] = {}

    async def ask(self, path: str) -> Any:
        """The hub's answer, None if it gives none; good for a while."""
        known, until = self._answers.get(path, (None, 0.0))
        if time.monotonic() < until:
            return known
        if path not in self._asking:
            self._asking[path] = asyncio.create_task(self._fetch(path))
            self._asking[path].add_done_callback(partial(self._keep, path))
        return await asyncio.shield(self._asking[path])

    def last(self, path: str) -> Any:
        """What the hub answered last, for who cannot wait for it; None for nothing."""
        known, _ = self._answers.get(path, (None, 0.0))
        return known

    def know(self, path: str, answer: object) -> None:
        """The hub has said unasked what it would answer just now."""
        self._answers[path] = answer, time.monotonic() + FRESH_FOR

    def forget(self, path: str) -> None:
        """The hub's answer may be another by now, even to who has asked it already."""
        self._asking.pop(path, None)
        self._answers.pop(path, None)

    def forget_all(self) -> None:
        """As `forget`, whatever was asked."""
        self._answers.clear()
        self._asking.clear()

    async def post(
        self, path: str, said: object = None, *, seconds: float = 10, alone: bool = False
    ) -> HTTPResponse:
        """Tell the hub something; its answer, whatever the status.

        Args:
            path: below the hub's API.
            said: what is sent as JSON; None for nothing.
            seconds: how long an answer is waited for; 0 for as long as it takes.
            alone: whether it waits for nobody else's request, and nobody for it.

        Raises:
            OSError, HTTPClientError: the hub does not answer.
        """
        client = AsyncHTTPClient(force_instance=alone)
        try:
            return await client.fetch(
                f"{self._url}/{path}",
                method="POST",
                headers={**self._headers, "Content-Type": "application/json"},
                body=b"" if said is None else json.dumps(said),
                request_timeout=seconds,
                follow_redirects=False,
                raise_error=False,
            )
        finally:
            if alone:
                client.close()

    def _keep(self, path: str, asked: asyncio.Task[Any]) -> None:
        """Keep an answer, unless the hub has told of a change since it was asked for."""
        if self._asking.get(path) is asked:
            del self._asking[path]
            if not asked.cancelled() and not asked.exception():
                self.know(path, asked.result())

    async def _fetch(self, path: str) -> Any:
        request = HTTPRequest(
            f"{self._url}/{path}",
            headers=self._headers,
            connect_timeout=2,
            request_timeout=3,
            follow_redirects=False,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request, raise_error=False)
            return json.loads(answer.body) if answer.code == 200 else None
        except (HTTPClientError, OSError, ValueError) as error:
            log.warning("The hub did not answer on %s: %s", path, type(error).__name__)
            return None
