"""What the table of openings says, counted by day, dashboard or person."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from jupyterhub import orm
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from .. import grants
from .openings import KEPT, Opening

#: By what openings are counted, and how each names itself in a row.
BY: Final[dict[str, Callable[[Row[Any]], dict[str, str]]]] = {
    "day": lambda row: {"day": row.opened_at.date().isoformat()},
    "dashboard": lambda row: {"group": row.group_name, "dashboard": row.dashboard},
    "user": lambda row: {"user": row.name},
}
_QUANTILES: Final = {"p50": 0.5, "p75": 0.75, "p95": 0.95}


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which openings count, and by what: keys of `BY`. "" stands for all."""

    days: int = KEPT.days
    by: tuple[str, ...] = ()
    group: str = ""
    dashboard: str = ""
    user: str = ""

    @property
    def since(self) -> datetime:
        """The beginning of the first day (UTC)."""
        today = grants.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=self.days - 1)


@dataclass(kw_only=True)
class _Count:
    openings: int = 0
    failed: int = 0
    people: set[str] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)


def rows(db: Session, query: Query) -> list[dict[str, Any]]:
    """The rows of the report, in the order of their keys. See `api.UsageHandler`."""
    counts: defaultdict[tuple[tuple[str, str], ...], _Count] = defaultdict(_Count)
    for row in db.execute(_openings(query)):
        key = tuple(item for by in query.by for item in BY[by](row).items())
        count = counts[key]
        count.openings += 1
        count.failed += row.failed
        count.people.add(row.name)
        if row.seconds is not None:
            count.seconds.append(row.seconds)
    return [
        dict(key)
        | {
            "openings": count.openings,
            "people": len(count.people),
            "failed": count.failed,
            "measured": len(count.seconds),
            "seconds": quantiles(count.seconds),
        }
        for key, count in sorted(counts.items())
    ]


def rows_in(engine: Any, query: Query) -> list[dict[str, Any]]:
    """The same, for a thread beside the hub's loop: it may be some hundred thousand openings."""
    with Session(engine) as db:
        return rows(db, query)


def quantiles(seconds: Iterable[float]) -> dict[str, float] | None:
    """Median and others, each a number that was measured (nearest rank); None of nothing."""
    ordered: Sequence[float] = sorted(seconds)
    if not ordered:
        return None
    return {
        name: round(ordered[math.ceil(part * len(ordered)) - 1], 3)
        for name, part in _QUANTILES.items()
    }


def _openings(query: Query) -> Any:
    found = (
        select(
            Opening.opened_at,
            Opening.group_name,
            Opening.dashboard,
            Opening.seconds,
            Opening.failed,
            orm.User.name,
        )
        .join(orm.User, orm.User.id == Opening.user_id)
        .where(Opening.opened_at >= query.since)
    )
    if query.group:
        found = found.where(Opening.group_name == query.group)
    if query.dashboard:
        found = found.where(Opening.dashboard == query.dashboard)
    if query.user:
        found = found.where(orm.User.name == query.user)
    return found
