"""How many sign-ins may come from one address, and for one account, in a minute.

The address is what the proxy saw, or what a proxy in front of it that the operator named saw:
Tornado's `remote_ip` also believes `X-Real-Ip`, which any client can send.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from jupyterhub.handlers import BaseHandler
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from tornado import web
from tornado.httputil import HTTPHeaders

from .. import audit
from ..setting_forms import Network

Address = IPv4Address | IPv6Address

#: Of the sign-ins that one address may begin, the share that may go wrong: one in five.
_WRONG: Final = 5
#: Counters kept at once; an attacker with more addresses than this makes all start anew.
_MOST: Final = 10_000
_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A moment, please · Atrium</title>
<link rel="stylesheet" href="{base}atrium/atrium.css"></head>
<body><main class="one"><div class="panel"><h1>A moment, please</h1>
<p class="soft">There were too many sign-ins from here. Try again in {wait} seconds.</p>
</div></main></body></html>
"""


class TooMany(web.HTTPError):
    """Answered 429, with the seconds to wait in `Retry-After`; the `first` in a minute is told."""

    def __init__(self, what: str, wait: int, first: bool) -> None:
        super().__init__(429)
        self.what, self.wait, self.first = what, wait, first


class RateLimits:
    """Counts sign-ins that begin and that go wrong, in memory of a fixed size."""

    def __init__(self, begun: int) -> None:
        """`begun`: how many sign-ins one address may begin, and one account make, in a minute."""
        self._start_anew()
        self._begun = RateLimitItemPerMinute(begun, namespace="begun")
        self._wrong = RateLimitItemPerMinute(max(1, begun // _WRONG), namespace="wrong")
        self._account = RateLimitItemPerMinute(begun, namespace="account")
        self._said = RateLimitItemPerMinute(1, namespace="said")

    def _start_anew(self) -> None:
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    def check(self, address: str) -> None:
        """Refuse an address with too many wrong sign-ins.

        Raises:
            TooMany: it has to wait.
        """
        if len(self._storage.storage) >= _MOST:
            self._start_anew()
        if not self._limiter.test(self._wrong, address):
            raise self._too_many(self._wrong, address)

    def begins(self, address: str) -> None:
        """Count a sign-in that begins.

        Raises:
            TooMany: this address has begun too many.
        """
        self._count(self._begun, address)

    def went_wrong(self, address: str) -> None:
        """Count a sign-in that went wrong, or a token that nobody signed."""
        self._limiter.hit(self._wrong, address)

    def signs_in(self, subject: str) -> None:
        """Count a sign-in of an account, known by the provider's name for it: by its e-mail
        somebody else with the same one could lock its owner out.

        Raises:
            TooMany: this account has signed in too often.
        """
        self._count(self._account, subject)

    def _count(self, limit: RateLimitItem, key: str) -> None:
        if not self._limiter.hit(limit, key):
            raise self._too_many(limit, key)

    def _too_many(self, limit: RateLimitItem, key: str) -> TooMany:
        until = self._limiter.get_window_stats(limit, key).reset_time
        wait = max(1, min(60, int(until - time.time()) + 1))
        return TooMany(limit.namespace, wait, self._limiter.hit(self._said, limit.namespace, key))


def client_address(headers: HTTPHeaders, trusted: Collection[Network]) -> str:
    """Who asks, as the hub's proxy says: the last address in `X-Forwarded-For`, to which each
    proxy adds the one that it saw, that is not one of the trusted proxies in front of it.

    Of IPv6 the network is told, which is one customer's. "" where no proxy was passed.
    """
    found = ""
    for entry in reversed(headers.get("X-Forwarded-For", "").split(",")):
        try:
            address = ip_address(entry.strip())
        except ValueError:
            break
        address = getattr(address, "ipv4_mapped", None) or address
        found = _told(address)
        if not any(address in network for network in trusted):
            break
    return found


def _told(address: Address) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address)


class RateLimited(BaseHandler):
    """A handler of a sign-in: refuses an address that has too many, and counts what goes wrong."""

    #: Whether each request begins a sign-in.
    begins_sign_in = False

    @property
    def client_address(self) -> str:
        return client_address(self.request.headers, self.authenticator.trusted_proxies)

    async def prepare(self) -> None:
        """Called by Tornado before anything else, so that a flood costs little."""
        self.authenticator.rate_limits.check(self.client_address)
        if self.begins_sign_in:
            self.authenticator.rate_limits.begins(self.client_address)
        await super().prepare()

    def on_finish(self) -> None:
        if self.get_status() in {400, 403}:
            self.authenticator.rate_limits.went_wrong(self.client_address)
        super().on_finish()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A plain page: a flood must not cost a template each. Called by Tornado."""
        error = kwargs.get("exc_info", (None, None))[1]
        if not isinstance(error, TooMany):
            return super().write_error(status_code, **kwargs)
        self.set_header("Retry-After", str(error.wait))
        self.finish(_PAGE.format(base=self.hub.base_url, wait=error.wait))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Tell of a flood once a minute and address. Called by Tornado."""
        if not isinstance(value, TooMany):
            super().log_exception(typ, value, tb)
        elif value.first:
            address = self.client_address
            self.log.warning("Too many sign-ins from %s (%s)", address, value.what)
            audit.record("rate-limited", user="", by="hub", address=address, reason=value.what)

    def _log(self) -> None:
        """Tornado's line for each answer; a flood's would fill the disk."""
        if self.get_status() != 429:
            super()._log()
