"""Openings, failures and favourites in the hub's REST API: told by dashboard servers.

That a dashboard is opened is told once, to the audit trail (`audit.api.OpenedHandler`), which
writes it into this table too.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Final

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy.exc import SQLAlchemyError
from tornado import web
from tornado.ioloop import PeriodicCallback

from ..api_handlers import ReadsAccess, told_in
from ..folders import ADMIN
from ..own_server import OwnServerHandler, dashboard_in_body
from . import failures, favourites, openings, report

_LONGEST_KEY: Final = 64
_HOUR: Final = 3600 * 1000  # milliseconds
#: As often as somebody changes their mind; each time is written to the disk.
_CHANGES: Final = parse("60/minute")
#: What is told of failures was said by notebooks, and each time is written to the disk.
_FAILURES: Final = (parse("30/minute"), parse("500/day"))


def start(app: Any) -> None:
    """Make the tables ready, and forget what is too old from now on. Called once, when the hub
    starts."""
    openings.create_tables(app.db)
    failures.create_tables(app.db)
    favourites.create_tables(app.db)

    def forget_old() -> None:
        try:
            openings.forget_old(app.db)
            failures.forget_old(app.db)
        except SQLAlchemyError:  # in an hour it is tried again
            app.log.exception("Old openings and failures could not be removed")
            app.db.rollback()

    forget_old()
    PeriodicCallback(forget_old, _HOUR).start()


class UsageHandler(ReadsAccess):
    """`GET /hub/api/usage`: who opened what, and how soon they saw it.

    Query, all of it optional:

    - `by`, any number of times: `day`, `dashboard`, `user`; one row for each that there is. Without
      it there is one row for everything, or none.
    - `days`: so many days back, today among them; 1 to 90, which is as long as it is kept.
    - `group`, `dashboard`, `user`: only those.

    Answer, for `?by=day&by=dashboard`:

        {"since": "2026-11-01", "rows": [{
            "day": "2026-11-30",                       (UTC)   with by=day
            "group": "user", "dashboard": "penguins",          with by=dashboard
            "user": "ann@acme.test",                           with by=user
            "openings": 12, "people": 3,     how often, and by how many
            "failed": 1,                     of them the dashboard could not be drawn
            "measured": 10,                  of them the browser said how long it took
            "seconds": {"p50": 1.1, "p75": 1.4, "p95": 3.2}    null if none was measured
        }]}

    Seconds are those from the beginning of the navigation to the dashboard until its first view was
    drawn, as browsers say; rows are in the order of their keys. Forgotten people are left out.
    """

    async def get(self) -> None:
        """Answer as the class says. 400 for a query that makes no sense."""
        query = self._query()
        rows = await asyncio.to_thread(report.rows_in, self.db.get_bind(), query)
        self.finish(json.dumps({"since": query.since.date().isoformat(), "rows": rows}))

    def _query(self) -> report.Query:
        by = tuple(dict.fromkeys(self.get_query_arguments("by")))
        if not report.BY.keys() >= set(by):
            raise web.HTTPError(400, f"by is one of {', '.join(report.BY)}")
        most = openings.KEPT.days
        days = self.get_query_argument("days", str(most))
        if not (days.isascii() and days.isdecimal() and len(days) < 4 and 1 <= int(days) <= most):
            raise web.HTTPError(400, f"days is a number from 1 to {most}")
        return report.Query(
            days=int(days),
            by=by,
            group=self.get_query_argument("group", ""),
            dashboard=self.get_query_argument("dashboard", ""),
            user=self.get_query_argument("user", ""),
        )


class MeasuredHandler(OwnServerHandler):
    """`POST /hub/api/usage/measured`: how an opening has ended that this server told of before."""

    async def post(self) -> None:
        """Take `{"opening": <its key>, "seconds": 1.2}`, or `{"opening": ..., "failed": true}`.

        404: its owner has no such opening that has not ended yet.
        """
        user, body = self.owner, told_in(self)
        if not openings.end(self.db, user.orm_user, _key(body), _seconds(body)):
            raise web.HTTPError(404)
        self.set_status(204)


class FailedHandler(OwnServerHandler):
    """`POST /hub/api/usage/failed`: something went wrong for its owner in a dashboard."""

    async def post(self) -> None:
        """Take `{"group": ..., "dashboard": ..., "reference": <eight hexadecimal digits, which they
        were shown>, "cause": <one of failures.CAUSES>}`.

        403: a dashboard of a group that they are not in. 429: that was too much.
        """
        user, body = self.owner, told_in(self)
        named, cause = dashboard_in_body(body), body.get("cause")
        if named is None or not isinstance(cause, str) or cause not in failures.CAUSES:
            raise web.HTTPError(400, "group and dashboard are names, cause is a known word")
        reference = _reference(body)
        if {named[0], ADMIN}.isdisjoint(held.name for held in user.groups):
            raise web.HTTPError(403)
        if not all(_limiter.hit(limit, user.name, "failures") for limit in _FAILURES):
            raise web.HTTPError(429)
        failures.add(self.db, user.orm_user, *named, reference=reference, cause=cause)
        self.set_status(204)


class FavouriteHandler(OwnServerHandler):
    """`POST /hub/api/usage/favourite`: its owner wants to find a dashboard first, or no longer."""

    async def post(self) -> None:
        """Take `{"group": ..., "dashboard": ..., "favourite": true or false}`.

        403: a dashboard of a group that they are not in. 409: they have too many.
        """
        user, body = self.owner, told_in(self)
        named, wanted = dashboard_in_body(body), body.get("favourite")
        if named is None:
            raise web.HTTPError(400, "group and dashboard are names")
        group, dashboard = named
        if not isinstance(wanted, bool):
            raise web.HTTPError(400, "favourite is true or false")
        if not _limiter.hit(_CHANGES, user.name):
            raise web.HTTPError(429)
        if not wanted:
            favourites.drop(self.db, user.orm_user, group, dashboard)
        elif {group, ADMIN}.isdisjoint(held.name for held in user.groups):
            raise web.HTTPError(403)
        else:
            self._keep(user.orm_user, group, dashboard)
        self.set_status(204)

    def _keep(self, user: Any, group: str, dashboard: str) -> None:
        try:
            favourites.keep(self.db, user, group, dashboard)
        except favourites.TooMany:
            raise web.HTTPError(
                409, f"{favourites.MOST} favourites are as many as can be"
            ) from None


_limiter: Final = MovingWindowRateLimiter(MemoryStorage())


def opening_key(body: dict[str, Any]) -> str:
    """By which a server will say more of an opening; "" if it names none. Raises web.HTTPError."""
    return _key(body) if "opening" in body else ""


def _key(body: dict[str, Any]) -> str:
    key = body.get("opening")
    if not (isinstance(key, str) and key.isascii() and key.isalnum() and len(key) <= _LONGEST_KEY):
        raise web.HTTPError(400, "opening is a key of letters and digits")
    return key


def _seconds(body: dict[str, Any]) -> float | None:
    """The seconds; None, it failed."""
    seconds = body.get("seconds")
    if body.get("failed") is True and seconds is None:
        return None
    wrong = web.HTTPError(400, f"seconds is a number up to {openings.LONGEST:.0f}")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise wrong
    if not 0 < seconds <= openings.LONGEST:
        raise wrong
    return float(seconds)


def _reference(body: dict[str, Any]) -> str:
    """That of a failure, in hexadecimal."""
    reference = body.get("reference")
    if not isinstance(reference, str) or not re.fullmatch("[0-9a-f]{8}", reference):
        raise web.HTTPError(400, "reference has eight hexadecimal digits")
    return reference


handlers: Final = [
    (r"/api/usage", UsageHandler),
    (r"/api/usage/measured", MeasuredHandler),
    (r"/api/usage/failed", FailedHandler),
    (r"/api/usage/favourite", FavouriteHandler),
]
