"""With a guard taken out its attack succeeds: so it is that guard which stops it."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

import pytest
from tornado.httpserver import _HTTPRequestContext
from tornado.httputil import HTTPHeaders

from hub_extensions import claims
from hub_extensions.signing_in import back_channel
from hub_extensions.signing_in.back_channel import Logout, UsedTokens, ends
from hub_extensions.signing_in.log import NoTokens
from hub_extensions.signing_in.rate_limit import RateLimits, TooMany, client_address
from tests.attacks import guard_out
from tests.unit.test_back_channel import check, token

SPOOFED = HTTPHeaders({"X-Forwarded-For": "203.0.113.5", "X-Real-Ip": "198.51.100.1"})


@guard_out("the address is what the proxy saw")
def test_tornados_own_address_is_what_the_client_claims() -> None:
    class NoSocket:
        socket = None

    context: Any = _HTTPRequestContext(NoSocket(), ("127.0.0.1", 1), "http")  # type: ignore[arg-type]
    context._apply_xheaders(SPOOFED)
    assert context.remote_ip == "198.51.100.1"
    assert client_address(SPOOFED, ()) == "203.0.113.5"


@guard_out("a logout token works once")
def test_without_a_memory_a_logout_token_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    logout = Logout(id="j", issued_at=time.time(), subject="U1", session="")
    monkeypatch.setattr(back_channel, "_FRESH", -10_000)  # what was used is forgotten at once
    used = UsedTokens()
    used.spend(logout)
    used.spend(logout)


@guard_out("check of a logout token")
def test_without_freshness_an_old_logout_token_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    old = token(iat=int(time.time()) - 3600)
    with pytest.raises(ValueError, match="time of issue"):
        check(old)
    monkeypatch.setattr(back_channel, "_FRESH", 10_000)
    assert check(old).subject == "U1"


def test_without_the_time_of_the_sign_in_a_late_logout_ends_it() -> None:
    late = Logout(id="j", issued_at=100, subject="U1", session="")
    assert not ends(late, {"iat": 101})
    assert ends(late, {})


def test_without_a_limit_a_flood_goes_through() -> None:
    guarded, open_to_all = RateLimits(50), RateLimits(10**9)
    for _ in range(200):
        open_to_all.check("203.0.113.5")
        open_to_all.went_wrong("203.0.113.5")
        guarded.went_wrong("203.0.113.5")
    with pytest.raises(TooMany):
        guarded.check("203.0.113.5")


@guard_out("grammar of addresses")
@pytest.mark.parametrize("address", ["ada%40acme.test@acme.test", "ada/x@acme.test", "a@b.test."])
def test_without_the_grammar_a_look_alike_signs_in(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"email": address, "email_verified": True}
    with pytest.raises(claims.RefusedClaims):
        claims.username_from_claims(told)
    monkeypatch.setattr(claims, "_ADDRESS", re.compile(".+"))
    assert claims.username_from_claims(told) == address


def test_without_the_filter_the_log_keeps_a_token() -> None:
    line = "302 GET /hub/home?token=[secret] -> /hub/login?next=%2Fhub%2Fhome%3Ftoken%3Dabc (x)"
    record = logging.LogRecord("x", logging.INFO, "", 0, line, (), None)
    assert "abc" in record.getMessage()
    NoTokens().filter(record)
    assert "abc" not in record.getMessage()
