"""Class: claims floods. A provider that says too much breaks nothing and slows nobody."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from hub_extensions.signing_in import provider as provider_module
from hub_extensions.signing_in.provider import SaidTooMuch, bounded
from tests.attacks import attack, guard_out
from tests.hub import Hub
from tests.odd_provider import OddProvider
from tests.person import Person

#: What counts of it is taken, ...
TAKEN: dict[str, dict[str, Any]] = {
    "5,000 roles": {"tenants": {"acme": {"roles": [f"Role {n}" for n in range(5000)]}}},
    "5,000 tenants": {"tenants": {"acme": {"roles": []}, **{f"t{n}": {} for n in range(5000)}}},
    "80 KB of attributes": {"customAttributes": {"x": "y" * 80_000}},
    "deep": {"customAttributes": eval("[" * 90 + "]" * 90)},
    "5,000 permissions": {"permissions": [f"p{n}" for n in range(5000)]},
}
#: ... or nobody is signed in by it.
REFUSED: dict[str, dict[str, Any]] = {
    "a megabyte of name": {"name": "x" * 1_000_000},
    "a megabyte of attributes": {"customAttributes": {"x": "y" * 1_000_000}},
    "a role of a megabyte": {"tenants": {"acme": {"roles": ["R" * 1_000_000]}}},
    "50,000 roles": {"tenants": {"acme": {"roles": [f"Role {n}" for n in range(50_000)]}}},
}
FLOODS = {**TAKEN, **REFUSED}


def sign_in(hub: Hub) -> requests.Response:
    """Sign in within the time that anybody would wait."""
    begin = time.perf_counter()
    answer = Person(hub).get("/hub/home")
    assert time.perf_counter() - begin < 5
    return answer


@attack("claims flood", "an answer of the provider has a longest length")
@pytest.mark.parametrize("where", ["userinfo", "id_token"])
@pytest.mark.parametrize("flood", REFUSED)
def test_who_is_told_too_much_about_is_not_signed_in(
    flood: str, where: str, project_hub: Hub, provider: OddProvider
) -> None:
    name = f"{where}-{list(FLOODS).index(flood)}@acme.test"
    provider.claims.update(sub=f"U-{name}", email=name)
    setattr(provider, where, REFUSED[flood])
    seen = len(project_hub.log_text())
    answer = sign_in(project_hub)
    assert answer.status_code == 403
    assert "says too much about you" in answer.text
    assert project_hub.api(f"/users/{name}").status_code == 404
    said = project_hub.log_text()[seen:]
    assert said.count("too long an answer") == 1
    assert "xxxx" not in said
    assert len(said) < 10_000
    nobody_else_waits(project_hub, provider)


@attack("claims flood", "what counts of claims is what they are asked for")
@pytest.mark.parametrize("flood", TAKEN)
def test_a_flood_of_claims_is_bounded(flood: str, project_hub: Hub, provider: OddProvider) -> None:
    name = f"flood-{list(FLOODS).index(flood)}@acme.test"
    provider.claims.update(TAKEN[flood], sub=f"U-{name}", email=name)
    assert sign_in(project_hub).ok
    assert set(project_hub.api(f"/users/{name}").json()["groups"]) == {"user"}
    nobody_else_waits(project_hub, provider)


def nobody_else_waits(hub: Hub, provider: OddProvider) -> None:
    provider.reset()
    other = Person(hub)
    other.get("/hub/home")
    times = []
    for _ in range(10):
        begin = time.perf_counter()
        assert other.get("/hub/home").ok
        times.append(time.perf_counter() - begin)
    assert sorted(times)[-2] < 0.3


def test_what_is_kept_of_a_flood_is_little(project_hub: Hub, provider: OddProvider) -> None:
    """The ID token goes into an address at the sign-out, and proxies refuse long ones."""
    provider.claims.update(TAKEN["80 KB of attributes"], sub="U-kept", email="kept@acme.test")
    person = Person(project_hub)
    assert person.get("/hub/home").ok
    state = project_hub.api("/users/kept@acme.test").json()["auth_state"]
    assert len(json.dumps(state)) < 10_000
    assert "customAttributes" not in state["oauth_user"]
    assert "You are signed out" in person.get("/hub/logout").text


@guard_out("an answer of the provider has a longest length")
async def test_without_a_longest_length_a_megabyte_is_read(
    provider: OddProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.claims.update(REFUSED["a megabyte of name"])
    request = {"url": f"{provider.url}/userinfo"}
    with pytest.raises(SaidTooMuch):
        await bounded(AsyncHTTPClient(), HTTPRequest(**request))
    monkeypatch.setattr(provider_module, "LARGEST_ANSWER", 10_000_000)
    answer = await bounded(AsyncHTTPClient(), HTTPRequest(**request))
    assert len(answer.body) > 1_000_000
