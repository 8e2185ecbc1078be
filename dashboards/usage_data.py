"""Who opens which dashboard and how soon they see it, for the notebooks of the admin folder.

Each function asks the hub and waits. Each raises PermissionError outside the admin folder, and
HubDataError when the hub does not answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dashboards.catalog import Dashboard, dashboards_in
from dashboards.hub_api import WRONG_FORM, HubDataError, allowed, get
from dashboards.running.cells import own_metadata

TIMEOUT = 30
"""Seconds to wait for the hub to count some hundred thousand openings."""

BUDGET = 2.0
"""Seconds in which a dashboard's first chart is to be there, if its notebook says nothing else."""

_LONGEST_BUDGET = 600


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Openings, counted by what was asked for; what was not has no value (`day`, `dashboard` …).

    `p50` and `p95` are seconds until the first chart, of those `measured` ones of which the browser
    has told; None if there are none.
    """

    day: date | None
    group: str
    dashboard: str
    user: str
    openings: int
    people: int
    failed: int
    measured: int
    p50: float | None
    p95: float | None


def usage(*by: str, days: int = 90, **only: str) -> list[Usage]:
    """Openings of the last days, today among them, counted by `day`, `dashboard` and `user`.

    Args:
        only: `group`, `dashboard` or `user`: those of it alone.
    """
    query = urlencode({"by": by, "days": days, **only}, doseq=True)
    try:
        return [_row(row) for row in get(f"usage?{query}", TIMEOUT)["rows"]]
    except (LookupError, TypeError, ValueError):
        raise HubDataError(WRONG_FORM) from None


def cards() -> dict[tuple[str, str], Dashboard]:
    """All dashboards that there are, by group and name, with those that cannot be opened. Raises
    OSError for an unreadable folder."""
    found = dashboards_in(Path(allowed().notebooks))
    return {(one.group, one.name): one for one in found}


def budgets(dashboards: Iterable[Dashboard]) -> dict[tuple[str, str], float]:
    """The budget of each, by group and name: `atrium.budget_seconds` in its notebook's metadata,
    else `BUDGET`."""
    return {(one.group, one.name): _budget(*one.version) for one in dashboards}


@lru_cache(maxsize=4096)
def _budget(path: str, _modified_ns: int, _size: int) -> float:
    """What one version of a file says; what makes no sense counts as nothing."""
    try:
        notebook = json.loads(Path(path).read_text("utf-8"))
        given = own_metadata(notebook["metadata"])["budget_seconds"]
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return BUDGET
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return float(given) if is_number and 0 < given <= _LONGEST_BUDGET else BUDGET


def _row(row: dict[str, Any]) -> Usage:
    seconds = row["seconds"] or {}
    return Usage(
        day=date.fromisoformat(row["day"]) if "day" in row else None,
        group=row.get("group", ""),
        dashboard=row.get("dashboard", ""),
        user=row.get("user", ""),
        openings=row["openings"],
        people=row["people"],
        failed=row["failed"],
        measured=row["measured"],
        p50=seconds.get("p50"),
        p95=seconds.get("p95"),
    )
