"""Keeps the stand-in to this machine: it lets everybody be anybody.

A browser elsewhere that comes through a reverse proxy shows by the headers that the proxy adds,
a page of another site by its Origin, and a name that was pointed at this machine by its Host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flask import Flask, Response, request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from werkzeug.datastructures import Headers

from .config import Config, host_of, is_loopback
from .errors import DescopeError
from .models import now
from .store import digest_of

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
#: Where programs ask, and not people's browsers.
CALLS = ("/v1/", "/v2/", "/oauth2/v1/token", "/oauth2/v1/userinfo", "/oauth2/v1/revoke")
REFUSAL = "This stand-in for Descope answers only on the machine that it runs on.\n"


def attach(app: Flask, config: Config) -> None:
    """Let nothing through from elsewhere, and no more calls than the limit from one caller."""
    limit = RateLimitItemPerMinute(config.call_limit)
    limiter = MovingWindowRateLimiter(MemoryStorage())
    prefix = config.prefix.rstrip("/")

    @app.before_request
    def refuse() -> Response | None:
        if not is_own_request(request.headers, config):
            return Response(REFUSAL, status=403, mimetype="text/plain")
        if not is_call(request.path.removeprefix(prefix)):
            return None
        caller = digest_of(request.headers.get("Authorization", ""))
        if limiter.hit(limit, caller):
            return None
        refusal = DescopeError("E130429").response()
        wait = limiter.get_window_stats(limit, caller).reset_time - now()
        refusal.headers["Retry-After"] = str(max(1, int(wait) + 1))
        return refusal


def is_call(path: str) -> bool:
    """Whether a path, below the prefix, is one that programs ask."""
    return path.startswith(CALLS) and path != "/v1/oauth/callback"


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
