"""What the hub knows, for the notebooks of the admin folder; to read, never to change.

Each function asks the hub and waits for the answer. In a callback that must not wait, use
`await asyncio.to_thread(hub_data.servers)`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from dashboards.catalog import Dashboard, dashboards_in, visible
from dashboards.settings import Settings

TIMEOUT = 5
"""Seconds to wait for the hub."""

AUDIT_TIMEOUT = 30
"""Seconds to wait for it to look through a long audit trail."""

_PAGE = 200


class HubDataError(Exception):
    """The hub did not answer, or not with what was asked for."""


@dataclass(frozen=True, kw_only=True)
class HubUser:
    """A person, as the hub knows them."""

    name: str
    groups: tuple[str, ...]
    is_hub_admin: bool
    created: datetime | None
    last_activity: datetime | None


@dataclass(frozen=True, kw_only=True)
class HubGroup:
    """A group and its members."""

    name: str
    users: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HubServer:
    """A running server. `memory_mb` is None where the hub does not tell."""

    user: str
    name: str
    ready: bool
    started: datetime | None
    last_activity: datetime | None
    url: str
    memory_mb: float | None


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


@dataclass(frozen=True, kw_only=True)
class AccessGroup:
    """A group that somebody is in, or was taken out of, and `why`, in words.

    `opens` has the dashboards as "group/notebook", where one person was asked for.
    """

    name: str
    held: bool
    why: str
    opens: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AccessPerson:
    """A person and every group that there is a reason for or against."""

    name: str
    is_hub_admin: bool
    has_signed_in: bool
    groups: tuple[AccessGroup, ...]

    @property
    def held(self) -> frozenset[str]:
        """The names of the groups that they are in."""
        return frozenset(group.name for group in self.groups if group.held)


@dataclass(frozen=True, kw_only=True)
class AccessDashboard:
    """A dashboard and who can open it: "nobody", "admins", "some" or "everybody", and the names."""

    group: str
    name: str
    open_to: str
    people: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AccessAnswer:
    """Whether somebody sees a dashboard, why, and what would open it to them ("" if it is)."""

    may: bool
    verdict: str
    reasons: tuple[str, ...]
    mend: str


_settings: Settings | None = None


def configure(settings: Settings) -> None:
    """Called by the server at its start; only the admin folder's server may ask the hub."""
    global _settings
    _settings = settings if settings.serves_admin else None


def users() -> list[HubUser]:
    """Everybody the hub knows. Raises PermissionError outside the admin folder, HubDataError."""
    return [
        HubUser(
            name=user["name"],
            groups=tuple(sorted(user.get("groups") or ())),
            is_hub_admin=bool(user.get("admin")),
            created=_time(user.get("created")),
            last_activity=_time(user.get("last_activity")),
        )
        for user in _all("users")
    ]


def groups() -> list[HubGroup]:
    """All groups. Raises PermissionError outside the admin folder, HubDataError."""
    return [
        HubGroup(name=group["name"], users=tuple(sorted(group.get("users") or ())))
        for group in _all("groups")
    ]


def access() -> tuple[list[AccessPerson], list[AccessDashboard]]:
    """Who may see what, and why. Raises PermissionError outside the admin folder, HubDataError."""
    found = _get("access")
    return [_access_person(person) for person in found["people"]], [
        AccessDashboard(
            group=one["group"],
            name=one["name"],
            open_to=one["open_to"],
            people=tuple(one["people"]),
        )
        for one in found["dashboards"]
    ]


def access_of(person: str) -> AccessPerson:
    """One person's groups, and what each opens. Raises as `access` does."""
    return _access_person(_get(f"access/{quote(person, safe='')}"))


def access_answer(person: str, dashboard: str) -> AccessAnswer:
    """Whether a person sees a dashboard ("group/notebook"), and why. Raises as `access` does."""
    query = urlencode({"dashboard": dashboard})
    found = _get(f"access/{quote(person, safe='')}?{query}")
    return AccessAnswer(
        may=found["may"],
        verdict=found["verdict"],
        reasons=tuple(found["reasons"]),
        mend=found["mend"],
    )


def cards(groups: Collection[str]) -> tuple[Dashboard, ...]:
    """The cards in the gallery of somebody in these groups, by the rule of the gallery itself.

    Raises PermissionError outside the admin folder, OSError for an unreadable folder.
    """
    return visible(dashboards_in(_allowed().notebooks), groups)


def servers() -> list[HubServer]:
    """Servers that run or start. Raises PermissionError outside the admin folder, HubDataError."""
    memory = _memory()
    found = []
    for user in _all("users"):
        for name, server in (user.get("servers") or {}).items():
            url = server.get("url") or ""
            found.append(
                HubServer(
                    user=user["name"],
                    name=name,
                    ready=bool(server.get("ready")),
                    started=_time(server.get("started")),
                    last_activity=_time(server.get("last_activity")),
                    url=url,
                    memory_mb=memory.get(url),
                )
            )
    return found


def audit(*, before: int | None = None, limit: int = 50, **filters: str) -> AuditPage:
    """A page of the audit trail.

    Args:
        filters: `search` (a text anywhere), `user`, `action`, and `to` and `from` (ISO 8601).

    Raises PermissionError outside the admin folder, HubDataError.
    """
    query = _query(before=before, limit=limit, **filters)
    page = json.loads(_read(f"audit?{query}", AUDIT_TIMEOUT))
    return AuditPage(
        records=tuple(
            AuditRecord(**{**record, "time": datetime.fromisoformat(record["time"])})
            for record in page["records"]
        ),
        next=page["next"],
    )


def audit_file(kind: str, **filters: str) -> bytes:
    """The audit trail as a file, "csv" or "jsonl". Arguments and errors as of `audit`."""
    return _read(f"audit?{_query(format=kind, **filters)}", AUDIT_TIMEOUT)


def audit_chain() -> AuditChain:
    """Whether the audit trail holds. Raises PermissionError outside the admin folder,
    HubDataError."""
    return AuditChain(**json.loads(_read("audit/chain", AUDIT_TIMEOUT)))


def _memory() -> Mapping[str, float]:
    """Megabytes in use, by the address under which a server is seen; none where the hub cannot
    tell."""
    try:
        return _get("memory")
    except HubDataError:
        return {}


def _all(what: str) -> list[dict[str, Any]]:
    """All records of a kind, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = _get(f"{what}?limit={_PAGE}&offset={len(found)}")
        if not isinstance(page, list):
            raise HubDataError("The hub gave an answer of the wrong form.")
        found.extend(page)
        if len(page) < _PAGE:
            return found


def _query(**values: object) -> str:
    return urllib.parse.urlencode({name: value for name, value in values.items() if value})


def _get(path: str) -> Any:
    try:
        return json.loads(_read(path))
    except ValueError:
        raise HubDataError("The hub gave an answer of the wrong form.") from None


def _access_person(record: dict[str, Any]) -> AccessPerson:
    return AccessPerson(
        name=record["name"],
        is_hub_admin=record["is_hub_admin"],
        has_signed_in=record["has_signed_in"],
        groups=tuple(
            AccessGroup(
                name=group["name"],
                held=group["held"],
                why=group["why"],
                opens=tuple(group.get("opens", ())),
            )
            for group in record["groups"]
        ),
    )


def _allowed() -> Settings:
    if _settings is None:
        raise PermissionError("Only notebooks in the folder “admin” may read what the hub knows.")
    return _settings


def _read(path: str, timeout: float = TIMEOUT) -> bytes:
    settings = _allowed()
    request = urllib.request.Request(
        f"{settings.api_url}/{path}",
        headers={"Authorization": f"token {settings.api_token}", "Accept": "application/json"},
    )
    try:
        # An opener without proxies: the hub is on this machine or beside it.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=timeout) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise HubDataError(f"The hub refused with status {error.code}.") from None
    except OSError as error:
        raise HubDataError(f"The hub did not answer: {type(error).__name__}.") from None


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
