"""Who asks, whatever the headers claim, and how often they may."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from tornado.httputil import HTTPHeaders

from hub_extensions.signing_in import rate_limit
from hub_extensions.signing_in.rate_limit import RateLimits, TooMany, client_address

PROXIES = (ip_network("10.0.0.0/24"), ip_network("fd00::1"))


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"X-Forwarded-For": "203.0.113.5"}, "203.0.113.5"),
        ({"X-Forwarded-For": "::ffff:203.0.113.5"}, "203.0.113.5"),
        ({"X-Forwarded-For": "198.51.100.1, 203.0.113.5"}, "203.0.113.5"),
        ({"X-Forwarded-For": "10.0.0.9,203.0.113.5"}, "203.0.113.5"),
        ({"X-Forwarded-For": "198.51.100.1, 203.0.113.5, 10.0.0.7"}, "203.0.113.5"),
        ({"X-Forwarded-For": "203.0.113.5, fd00::1, 10.0.0.7"}, "203.0.113.5"),
        ({"X-Forwarded-For": "unknown, 10.0.0.7"}, "10.0.0.7"),
        ({"X-Forwarded-For": "10.0.0.7"}, "10.0.0.7"),
        ({"X-Forwarded-For": "203.0.113.5", "X-Real-Ip": "198.51.100.1"}, "203.0.113.5"),
        ({"X-Forwarded-For": "203.0.113.5", "Forwarded": "for=198.51.100.1"}, "203.0.113.5"),
        ({"X-Forwarded-For": "2001:db8:1:2:3::4"}, "2001:db8:1:2::/64"),
        ({"X-Real-Ip": "198.51.100.1"}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_the_last_address_that_is_no_proxys_is_who_asks(
    headers: dict[str, str], address: str
) -> None:
    assert client_address(HTTPHeaders(headers), PROXIES) == address


def test_several_headers_of_one_name_are_one_list() -> None:
    headers = HTTPHeaders()
    headers.add("X-Forwarded-For", "198.51.100.1")
    headers.add("X-Forwarded-For", "203.0.113.5")
    assert client_address(headers, ()) == "203.0.113.5"


def test_one_address_is_stopped_and_the_others_go_on() -> None:
    limits = RateLimits(50)
    for _ in range(10):
        limits.check("203.0.113.5")
        limits.went_wrong("203.0.113.5")
    with pytest.raises(TooMany) as refused:
        limits.check("203.0.113.5")
    assert refused.value.first
    assert 1 <= refused.value.wait <= 60
    with pytest.raises(TooMany) as again:
        limits.check("203.0.113.5")
    assert not again.value.first  # told once a minute
    limits.check("203.0.113.6")


def test_sign_ins_that_begin_are_counted_for_each_address_and_account() -> None:
    limits = RateLimits(10)
    for count in (limits.begins, limits.signs_in):
        for _ in range(10):
            count("one")
        with pytest.raises(TooMany):
            count("one")
        count("another")


def test_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "_MOST", 100)
    limits = RateLimits(10)
    for number in range(1000):
        limits.check(f"address {number}")
        limits.begins(f"address {number}")
        limits.went_wrong(f"address {number}")
        assert len(limits._storage.storage) < 110
