"""The audit trail in the hub's REST API: read by admin dashboards, told by dashboard servers."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from tornado import web

from ..api_handlers import ReadsAccess, told_in
from ..compiled_notebooks import notebooks
from ..folders import ADMIN
from ..own_server import OwnServerHandler
from ..spawner import DashboardSpawner
from ..thumbnails import thumbnails
from ..usage import openings
from ..usage.api import opening_key
from .events import current, record
from .reading import Query, as_csv, as_json_lines, entries
from .trail import Trail

_PAGE: Final = 100
_LONGEST_PAGE: Final = 1_000
_LONGEST_DOWNLOAD: Final = 100_000
_LONGEST_NAME: Final = 255
#: As many dashboards as one person opens; who opens more must not push older records out.
_OPENED: Final = (parse("30/minute"), parse("1000/day"))
_TOLD: Final = parse("1/hour")


class _ReadHandler(ReadsAccess):
    """What those who read the trail share."""

    @property
    def trail(self) -> Trail:
        """The trail that this hub writes."""
        found = current()
        if found is None:
            raise web.HTTPError(503, "There is no audit trail")
        return found


class AuditHandler(_ReadHandler):
    """`GET /hub/api/audit`: records, newest first, a page at a time or as a file."""

    async def get(self) -> None:
        """Answer `{"records": [...], "next": <before of the next page> or null}`, or a file."""
        query, form = self._query(), self.get_argument("format", "json")
        longest = _LONGEST_PAGE if form == "json" else _LONGEST_DOWNLOAD
        limit = min(self._number("limit") or (_PAGE if form == "json" else longest), longest)
        found = await asyncio.to_thread(lambda: list(islice(entries(self.trail, query), limit + 1)))
        page = found[:limit]
        if form == "csv":
            self._send_file("audit.csv", "text/csv", as_csv(page))
        elif form == "jsonl":
            self._send_file("audit.jsonl", "application/jsonl", as_json_lines(page))
        elif form == "json":
            more = page[-1].seq if len(found) > limit else None
            self.finish(json.dumps({"records": [asdict(entry) for entry in page], "next": more}))
        else:
            raise web.HTTPError(400, "format is json, jsonl or csv")

    def _send_file(self, name: str, kind: str, text: str) -> None:
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.finish(text)

    def _query(self) -> Query:
        return Query(
            search=self.get_argument("search", ""),
            user=self.get_argument("user", ""),
            action=self.get_argument("action", ""),
            since=self._moment("from"),
            until=self._moment("to"),
            before=self._number("before"),
        )

    def _moment(self, name: str) -> datetime | None:
        text = self.get_argument(name, "")
        try:
            moment = datetime.fromisoformat(text) if text else None
        except ValueError:
            raise web.HTTPError(400, f"{name} is a moment as 2026-01-31T12:00:00Z") from None
        return moment.astimezone(UTC).replace(tzinfo=None) if moment and moment.tzinfo else moment

    def _number(self, name: str) -> int | None:
        text = self.get_argument(name, "")
        if text and not (text.isascii() and text.isdecimal() and 0 < int(text) < 10**15):
            raise web.HTTPError(400, f"{name} is a number from 1")
        return int(text) if text else None


class ChainHandler(_ReadHandler):
    """`GET /hub/api/audit/chain`: whether the trail is as it was written."""

    async def get(self) -> None:
        """Answer `{"records": <number of the last one>, "problem": <a sentence or "">}`."""
        records = self.trail.head.seq
        problem = await asyncio.to_thread(self.trail.problem)
        self.finish(json.dumps({"records": records, "problem": problem}))


class OpenedHandler(OwnServerHandler):
    """`POST /hub/api/audit/opened`: somebody's server has shown them a dashboard.

    Who they are is said by the server's token. Notebooks do not have it, save those of the admin
    folder: they could send this too, for their viewer and for dashboards that they may open.
    """

    async def post(self) -> None:
        """Take `{"group": ..., "dashboard": ...}`; with `"opening"`, a key by which more is said of
        it (`usage.api.MeasuredHandler`)."""
        user, body = self.owner, told_in(self)
        group, dashboard = (_name(body, name) for name in ("group", "dashboard"))
        key = opening_key(body)
        if {group, ADMIN}.isdisjoint(held.name for held in user.groups):
            raise web.HTTPError(403)
        if not all(_limiter.hit(limit, user.name) for limit in _OPENED):
            if _limiter.hit(_TOLD, user.name, "told"):
                record("rate-limited", user=user.name, by="hub", reason="opens too many dashboards")
            raise web.HTTPError(429)
        record("dashboard-opened", user=user.name, group=group, dashboard=dashboard)
        openings.add(self.db, user.orm_user, group, dashboard, key)
        if isinstance(spawner := self.server, DashboardSpawner):
            notebooks.opened(spawner, group, dashboard)
            thumbnails.opened(spawner, group, dashboard)
        self.set_status(204)


_limiter: Final = MovingWindowRateLimiter(MemoryStorage())


def _name(body: dict[str, Any], key: str) -> str:
    name = body.get(key)
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise web.HTTPError(400, f"{key} is a name")
    return name


handlers: Final = [
    (r"/api/audit", AuditHandler),
    (r"/api/audit/chain", ChainHandler),
    (r"/api/audit/opened", OpenedHandler),
]
