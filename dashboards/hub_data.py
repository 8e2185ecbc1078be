"""What the hub knows, for the notebooks of the admin folder; to read, never to change.

Each function asks the hub and waits for the answer. In a callback that must not wait, use
`await asyncio.to_thread(hub_data.servers)`.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboards.settings import Settings

TIMEOUT = 5
"""Seconds to wait for the hub."""

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


def _get(path: str) -> Any:
    if _settings is None:
        raise PermissionError("Only notebooks in the folder “admin” may read what the hub knows.")
    request = urllib.request.Request(
        f"{_settings.api_url}/{path}",
        headers={"Authorization": f"token {_settings.api_token}", "Accept": "application/json"},
    )
    try:
        # An opener without proxies: the hub is on this machine or beside it.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise HubDataError(f"The hub refused with status {error.code}.") from None
    except (OSError, ValueError) as error:
        raise HubDataError(f"The hub did not answer: {type(error).__name__}.") from None


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
