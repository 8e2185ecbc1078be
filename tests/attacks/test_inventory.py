"""The suite of attacks is as large as it says, and its guards are what refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.attacks.inventory import PLACE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    place = tmp_path_factory.mktemp("inventory") / "attacks.json"
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "tests.attacks.inventory", str(HERE)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {PLACE: str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return json.loads(place.read_text())


@pytest.fixture(scope="module")
def by_guard(listed: dict[str, list[dict[str, str]]]) -> dict[str, set[str]]:
    """The attempts at each guard; one that is made in two modes is one."""
    found = defaultdict(set)
    for one in listed["attempts"]:
        found[one["guard"]].add(one["attempt"])
    return found


def test_there_are_120_attempts_of_15_kinds(
    listed: dict[str, list[dict[str, str]]], by_guard: dict[str, set[str]]
) -> None:
    assert sum(map(len, by_guard.values())) >= 120
    assert len({one["kind"] for one in listed["attempts"]}) >= 15


def test_no_guard_is_tried_more_than_ten_times(by_guard: dict[str, set[str]]) -> None:
    assert {guard: len(tried) for guard, tried in by_guard.items() if len(tried) > 10} == {}


def test_15_guards_are_taken_out_and_each_of_them_is_tried(
    listed: dict[str, list[dict[str, str]]], by_guard: dict[str, set[str]]
) -> None:
    out = {one["guard"] for one in listed["out"]}
    assert len(out) >= 15
    assert out - by_guard.keys() == set()
