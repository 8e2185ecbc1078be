"""The figures that are published are whole and keep what is promised, and a bad set is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import access
from tests.benchmarks.records import FIELDS, NAMES, RESULTS, kept, problems, read, table

ROLE = "role removed at the provider"
AT_FIVE = f"{ROLE}, setting of 5 seconds"
CALLS = "calls to the provider, 600 signed in"


@pytest.fixture
def records() -> list[dict[str, Any]]:
    return read(RESULTS)


def test_the_published_figures_are_whole(records: list[dict[str, Any]]) -> None:
    assert [one["name"] for one in records] == list(NAMES)
    assert all(set(FIELDS) <= one.keys() for one in records)
    assert all(0 <= one["median"] <= one["maximum"] for one in records)
    assert problems(records) == []
    assert all(one["people"] >= 20 for one in records)


def set_to(name: str, **fields: Any) -> Callable[[dict[str, dict[str, Any]]], object]:
    return lambda found: found[name].update(fields)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (set_to(ROLE, maximum=30.1), f"{ROLE}: 30.1 s, later than 30 s"),
        (set_to(AT_FIVE, maximum=6), f"{AT_FIVE}: 6 s, later than 5 s"),
        (set_to(ROLE, maximum=float("nan")), f"{ROLE}: nan s, later than 30 s"),
        (set_to(ROLE, maximum=None), f"{ROLE}: has no maximum in s"),
        (set_to(ROLE, unit="ms"), f"{ROLE}: has no maximum in s"),
        (set_to(ROLE, samples=19), f"{ROLE}: 19 samples, fewer than 20"),
        (set_to(CALLS, maximum=61), f"{CALLS}: 61 in a minute, more than 60"),
        (lambda found: found[ROLE].pop("peer"), f"{ROLE}: says no peer"),
        (lambda found: found.pop(ROLE), f"{ROLE}: not measured"),
    ],
)
def test_a_bad_set_ends_with_status_1(
    records: list[dict[str, Any]],
    spoil: Callable[[dict[str, dict[str, Any]]], object],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {one["name"]: one for one in records}
    spoil(found)
    path = tmp_path / "access.json"
    path.write_text(json.dumps(list(found.values())))
    assert problems(read(path)) == [said]
    assert access.main(["--judge"], path) == 1
    assert said in capsys.readouterr().err


def test_a_part_keeps_what_the_others_measured(
    records: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "access.json"
    path.write_text(json.dumps(records))
    peer = {"name": ROLE, "peer": 7.5}
    again = {one["name"]: one for one in kept(path, [peer])}
    before = {one["name"]: one for one in records}
    assert again[ROLE]["peer"] == 7.5
    assert again[ROLE]["maximum"] == before[ROLE]["maximum"]
    assert {name: one for name, one in again.items() if name != ROLE} == {
        name: one for name, one in before.items() if name != ROLE
    }
    assert "7.5 s" in table(list(again.values()))
