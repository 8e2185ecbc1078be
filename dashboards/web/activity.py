"""Tells the hub when somebody really used this server, so that an unused one can be stopped.

A tab that is merely open is no use: pings of its WebSocket, which a proxy counts, are not counted.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.ioloop import PeriodicCallback

from dashboards.settings import Settings

log = logging.getLogger(__name__)


class Activity:
    """The time of the last use, and its reports to the hub."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last: datetime | None = None
        self._reported: datetime | None = None
        every = 1000 * settings.activity_seconds
        self._job = PeriodicCallback(self.report, every, jitter=0.1)

    def noticed(self) -> None:
        """The person asked for a page or changed something in one."""
        self._last = datetime.now(UTC)

    def start(self) -> None:
        """Report from now on; needs a running event loop."""
        if self._settings.activity_url:
            self._job.start()

    def stop(self) -> None:
        """Report no more."""
        self._job.stop()

    async def report(self) -> None:
        """Tell the hub, if there is news. A hub that does not answer is told the next time."""
        last = self._last
        if last is None or last == self._reported:
            return
        when = last.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body = {"servers": {self._settings.server_name: {"last_activity": when}}}
        request = HTTPRequest(
            self._settings.activity_url,
            method="POST",
            headers={
                "Authorization": f"token {self._settings.api_token}",
                "Content-Type": "application/json",
            },
            body=json.dumps({**body, "last_activity": when}),
            request_timeout=10,
            follow_redirects=False,
        )
        try:
            await AsyncHTTPClient().fetch(request)
        except Exception as error:
            log.warning("The hub took no report of activity: %s", error)
            return
        self._reported = last
