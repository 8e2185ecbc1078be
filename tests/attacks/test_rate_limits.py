"""Class: floods. One address is stopped with 429, and neither headers nor others change that."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import requests

from tests.attacks import attack
from tests.attacks.addresses import From
from tests.conftest import StartHub
from tests.hub import FEW_SERVERS, Hub, wait_until
from tests.odd_provider import OddProvider
from tests.person import Person

_numbers = count(10)
FORGED = "/hub/oauth_callback?code=x&state=eyJzdGF0ZV9pZCI6ICJhYmMifQ=="


@pytest.fixture(autouse=True)
def early_in_a_minute() -> None:
    """The counts are those of a minute of the clock, which gives way to the next bit by bit."""
    wait_until(lambda: time.time() % 60 < 40, "the next minute", seconds=30)


def new_address() -> str:
    return f"127.0.2.{next(_numbers)}"


def wrong_sign_in(client: From, **headers: str) -> requests.Response:
    return client.get(FORGED, headers=headers, allow_redirects=False)


def exhaust(client: From) -> requests.Response:
    """Wrong sign-ins until the first refusal."""
    for _ in range(100):
        answer = wrong_sign_in(client)
        if answer.status_code == 429:
            return answer
    raise AssertionError("never refused")


@attack("flooding", "limit on wrong sign-ins")
def test_200_wrong_sign_ins_at_once_are_stopped_and_nobody_else_is(
    project_hub: Hub, provider: OddProvider
) -> None:
    working = Person(project_hub)
    working.get("/hub/home")
    attacker = From(new_address(), project_hub.url)
    with ThreadPoolExecutor(20) as threads:
        begin = time.perf_counter()
        flood = [threads.submit(wrong_sign_in, attacker) for _ in range(200)]
        times = []
        while not all(each.done() for each in flood):
            started = time.perf_counter()
            assert working.get("/hub/home").ok
            times.append(time.perf_counter() - started)
        took = time.perf_counter() - begin
    answers = Counter(each.result().status_code for each in flood)
    assert answers[429] >= 120, answers
    assert set(answers) == {302, 429}
    refused = wrong_sign_in(attacker)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "A moment, please" in refused.text
    assert took < 10
    assert max(times, default=0) < 1
    newcomer = Person(project_hub)  # at another address
    newcomer.get("/hub/home")
    assert newcomer.is_signed_in()


@attack("spoofed forwarding headers", "the address is what the proxy saw")
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-For": "203.0.113.9, 203.0.113.10"},
        {"X-Real-Ip": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"X-Client-Ip": "203.0.113.9"},
        {"True-Client-Ip": "203.0.113.9"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": ""},
    ],
    ids=str,
)
def test_no_header_makes_somebody_else_of_an_address(
    headers: dict[str, str], project_hub: Hub, provider: OddProvider
) -> None:
    attacker = From(new_address(), project_hub.url)
    exhaust(attacker)
    assert wrong_sign_in(attacker, **headers).status_code == 429


@attack("flooding", "limit on wrong sign-ins")
@pytest.mark.parametrize(
    "path", ["/hub/oauth_login", "/hub/oauth_callback", "/hub/continue", "/hub/backchannel-logout"]
)
def test_every_way_in_is_closed_to_the_address(
    path: str, project_hub: Hub, provider: OddProvider
) -> None:
    attacker = From(new_address(), project_hub.url)
    exhaust(attacker)
    method = "GET" if "oauth" in path else "POST"
    assert attacker.request(method, path, allow_redirects=False).status_code == 429


@attack("flooding", "a flood is told once")
def test_a_flood_is_told_once_and_its_requests_fill_no_log(
    project_hub: Hub, provider: OddProvider
) -> None:
    address = new_address()
    attacker = From(address, project_hub.url)
    exhaust(attacker)
    for _ in range(20):
        assert wrong_sign_in(attacker).status_code == 429
    assert project_hub.log_text().count(f"Too many sign-ins from {address}") == 1
    assert " 429 GET" not in project_hub.log_text()


@pytest.mark.slow
@attack("flooding", "limit on sign-ins that begin")
def test_sign_ins_that_only_begin_are_counted_too(
    start_hub: StartHub, provider: OddProvider
) -> None:
    hub = start_hub(**provider.settings, **FEW_SERVERS, ATRIUM_SIGN_IN_LIMIT="20")
    attacker = From(new_address(), hub.url)
    begun = [attacker.get("/hub/oauth_login", allow_redirects=False).status_code for _ in range(30)]
    assert begun == [302] * 20 + [429] * 10
    assert Person(hub).get("/hub/home").ok
    hub.stop()


@pytest.mark.slow
@attack("flooding", "limit on an account")
def test_an_account_is_limited_wherever_it_comes_from(
    start_hub: StartHub, provider: OddProvider
) -> None:
    hub = start_hub(**provider.settings, **FEW_SERVERS, ATRIUM_SIGN_IN_LIMIT="10")
    answers = [From(new_address(), hub.url).get("/hub/home").status_code for _ in range(12)]
    assert answers == [200] * 10 + [429] * 2
    provider.claims.update(sub="U-other")  # somebody else with the address locks nobody out
    assert From(new_address(), hub.url).get("/hub/home").status_code == 403
    hub.stop()


@pytest.mark.slow
@attack("spoofed forwarding headers", "the address is what the proxy saw")
def test_behind_a_proxy_that_is_named_each_of_its_clients_counts_alone(
    start_hub: StartHub, provider: OddProvider
) -> None:
    hub = start_hub(**provider.settings, **FEW_SERVERS, ATRIUM_TRUSTED_PROXIES="127.0.3.1")
    proxy = From("127.0.3.1", hub.url)

    def as_client(sent: str) -> int:
        return wrong_sign_in(proxy, **{"X-Forwarded-For": sent}).status_code

    for _ in range(70):
        as_client("198.51.100.7, 203.0.113.9")  # the proxy adds who it saw, last
    assert as_client("203.0.113.9") == 429
    assert as_client("203.0.113.10, 203.0.113.9") == 429
    assert as_client("203.0.113.10") == 302
    assert as_client("198.51.100.7") == 302  # whom the attacker named
    hub.stop()
