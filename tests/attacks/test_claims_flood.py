"""Class: claims floods. A provider that says too much breaks nothing and slows nobody."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.hub import Hub
from tests.odd_provider import OddProvider
from tests.person import Person

FLOODS: dict[str, dict[str, Any]] = {
    "5,000 roles": {"tenants": {"acme": {"roles": [f"Role {n}" for n in range(5000)]}}},
    "5,000 tenants": {"tenants": {"acme": {"roles": []}, **{f"t{n}": {} for n in range(5000)}}},
    "a megabyte of name": {"name": "x" * 1_000_000},
    "a megabyte of attributes": {"customAttributes": {"x": "y" * 1_000_000}},
    "a role of a megabyte": {"tenants": {"acme": {"roles": ["R" * 1_000_000]}}},
    "deep": {"customAttributes": eval("[" * 90 + "]" * 90)},
    "5,000 permissions": {"permissions": [f"p{n}" for n in range(5000)]},
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_claims_is_bounded(flood: str, project_hub: Hub, provider: OddProvider) -> None:
    provider.claims.update(FLOODS[flood], sub=f"U-{flood}", email="flood@acme.test")
    if list(FLOODS).index(flood):
        provider.claims["email"] = f"flood{list(FLOODS).index(flood)}@acme.test"
    person = Person(project_hub)
    begin = time.perf_counter()
    answer = person.get("/hub/home")
    assert time.perf_counter() - begin < 5
    assert answer.status_code in {200, 403, 503}
    provider.reset()
    other = Person(project_hub)
    other.get("/hub/home")
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        assert other.get("/hub/home").ok
        times.append(time.perf_counter() - begin)
    assert sorted(times)[-2] < 0.3
    name = provider.claims["email"]
    assert set(project_hub.api(f"/users/{name}").json()["groups"]) == {"user"}
