"""The audit trail, for the notebooks of the admin folder.

Each function asks the hub and waits. Each raises PermissionError outside the admin folder, and
HubDataError when the hub does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from dashboards.hub_api import get, read

TIMEOUT = 30
"""Seconds to wait for the hub to look through a long trail."""


@dataclass(frozen=True, kw_only=True)
class AuditRecord:
    """Something that happened. Somebody who was forgotten has a pseudonym for a name."""

    seq: int
    time: datetime
    action: str
    user: str
    by: str
    details: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """Some records, newest first. `next`: the `before` of the page after it, None on the last."""

    records: tuple[AuditRecord, ...]
    next: int | None


@dataclass(frozen=True, kw_only=True)
class AuditChain:
    """Whether the audit trail is as it was written: `problem` is "" or a sentence."""

    records: int
    problem: str


def page(*, before: int | None = None, limit: int = 50, **filters: str) -> AuditPage:
    """A page of the audit trail.

    Args:
        filters: `search` (a text anywhere), `user`, `action`, and `to` and `from` (ISO 8601).
    """
    query = _query(before=before, limit=limit, **filters)
    found = get(f"audit?{query}", TIMEOUT)
    return AuditPage(
        records=tuple(
            AuditRecord(**{**record, "time": datetime.fromisoformat(record["time"])})
            for record in found["records"]
        ),
        next=found["next"],
    )


def file(kind: str, **filters: str) -> bytes:
    """The audit trail as a file, "csv" or "jsonl". Arguments and errors as of `page`."""
    return read(f"audit?{_query(format=kind, **filters)}", TIMEOUT)


def chain() -> AuditChain:
    """Whether the audit trail holds."""
    return AuditChain(**get("audit/chain", TIMEOUT))


def _query(**values: object) -> str:
    return urlencode({name: value for name, value in values.items() if value})
