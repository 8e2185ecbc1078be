"""People, groups and servers as the hub knows them, for the notebooks of the admin folder.

Each function asks the hub and waits for the answer. In a callback that must not wait, use
`await asyncio.to_thread(hub_data.servers)`. Each raises PermissionError outside the admin folder,
and HubDataError when the hub does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dashboards.hub_api import HubDataError, get, get_all, moment


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


def users() -> list[HubUser]:
    """Everybody the hub knows."""
    return [
        HubUser(
            name=user["name"],
            groups=tuple(sorted(user.get("groups") or ())),
            is_hub_admin=bool(user.get("admin")),
            created=moment(user.get("created")),
            last_activity=moment(user.get("last_activity")),
        )
        for user in get_all("users")
    ]


def groups() -> list[HubGroup]:
    """All groups."""
    return [
        HubGroup(name=group["name"], users=tuple(sorted(group.get("users") or ())))
        for group in get_all("groups")
    ]


def servers() -> list[HubServer]:
    """Servers that run or start."""
    memory = _memory()
    found = []
    for user in get_all("users"):
        for name, server in (user.get("servers") or {}).items():
            url = server.get("url") or ""
            found.append(
                HubServer(
                    user=user["name"],
                    name=name,
                    ready=bool(server.get("ready")),
                    started=moment(server.get("started")),
                    last_activity=moment(server.get("last_activity")),
                    url=url,
                    memory_mb=memory.get(url),
                )
            )
    return found


def _memory() -> Mapping[str, float]:
    """Megabytes in use, by the address under which a server is seen; none where the hub cannot
    tell."""
    try:
        return get("memory")
    except HubDataError:
        return {}
