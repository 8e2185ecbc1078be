"""Keeps the stand-in to this machine: it lets everybody be anybody.

A browser elsewhere that comes through a reverse proxy shows by the headers that the proxy adds,
a page of another site by its Origin, and a name that was pointed at this machine by its Host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from werkzeug.datastructures import Headers

from .config import Config, host_of, is_loopback

#: Headers by which proxies pass on who is asking, and which name was asked for.
ASKED_BY = (
    "X-Forwarded-For",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
)
ASKED_FOR = ("X-Forwarded-Host", "X-Original-Host")
REFUSAL = "This stand-in for Descope answers only on the machine that it runs on.\n"


def is_own_request(headers: Headers, config: Config) -> bool:
    """Whether a request came to this service's own address, from this machine, from no other
    site's page, as far as its headers tell."""
    if headers.get("Host", "").lower() not in config.own_hosts:
        return False
    clients = [entry for name in ASKED_BY for entry in _entries(headers.get(name))]
    hosts = [entry for name in ASKED_FOR for entry in _entries(headers.get(name))]
    for name, value in _forwarded(headers.get("Forwarded")):
        if name in {"for", "by"}:
            clients.append(value)
        elif name == "host":
            hosts.append(value)
    if not all(is_loopback(_without_port(client)) for client in clients):
        return False
    if not all(host.lower() in config.own_hosts for host in hosts):
        return False
    origin = headers.get("Origin")
    return origin is None or _is_own_origin(origin, config)


def _is_own_origin(origin: str, config: Config) -> bool:
    """An origin is a scheme and one of our hosts. `null`, which a hidden page sends, is not."""
    scheme, separator, rest = origin.partition("://")
    if not separator or scheme not in {"http", "https"} or "/" in rest:
        return False
    return host_of(origin) in config.own_hosts


def _entries(value: str | None) -> list[str]:
    return [entry.strip() for entry in value.split(",")] if value is not None else []


def _forwarded(value: str | None) -> Iterator[tuple[str, str]]:
    """The pairs in a Forwarded header (RFC 7239)."""
    for pair in re.split(r"[,;]", value or ""):
        name, _, given = pair.partition("=")
        if name.strip():
            yield name.strip().lower(), given.strip().strip('"')


def _without_port(client: str) -> str:
    """The address in `203.0.113.5`, `203.0.113.5:80`, `2001:db8::1` or `[2001:db8::1]:80`."""
    if client.startswith("["):
        return client[1:].partition("]")[0]
    return client.partition(":")[0] if client.count(":") == 1 else client
