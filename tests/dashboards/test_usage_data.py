"""What a notebook may ask for its first chart, whatever stands in its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboards import hub_api, usage_data
from dashboards.catalog import dashboards_in
from dashboards.hub_api import HubDataError
from hub_extensions.usage.budget import budget_in
from tests.dashboards.notebooks import markdown, write_notebook


@pytest.mark.parametrize(
    ("metadata", "budget"),
    [
        ({}, 2.0),
        ({"atrium": {"budget_seconds": 5}}, 5.0),
        ({"atrium": {"budget_seconds": 0.25}}, 0.25),
        ({"atrium": {"budget_seconds": 0}}, 2.0),
        ({"atrium": {"budget_seconds": -1}}, 2.0),
        ({"atrium": {"budget_seconds": 10**400}}, 2.0),
        ({"atrium": {"budget_seconds": float("nan")}}, 2.0),
        ({"atrium": {"budget_seconds": True}}, 2.0),
        ({"atrium": {"budget_seconds": "1"}}, 2.0),
        ({"atrium": [1]}, 2.0),
        ([], 2.0),
    ],
    ids=str,
)
def test_a_budget(metadata: Any, budget: float, tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    notebook = {"cells": [], "metadata": metadata}
    (tmp_path / "user" / "one.ipynb").write_text(json.dumps(notebook))
    assert usage_data.budgets(dashboards_in(tmp_path)) == {("user", "one"): budget}
    assert budget_in((tmp_path / "user" / "one.ipynb").read_bytes()) == budget


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"rows": [{}]}', b'{"rows": [{"day": 7}]}'])
def test_an_answer_of_another_form_is_none(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_api, "read", lambda *_: answer)
    with pytest.raises(HubDataError, match="wrong form"):
        usage_data.usage("day")


def test_what_cannot_be_opened_is_not_taken_for_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "user").mkdir()
    kernel = {"kernelspec": {"name": "ir", "language": "R"}}
    write_notebook(tmp_path / "user" / "other.ipynb", markdown("# Prices"), **kernel)
    access = hub_api.Access(api_url="", api_token="", notebooks=str(tmp_path))
    monkeypatch.setattr(usage_data, "allowed", lambda: access)
    assert usage_data.cards()["user", "other"].title == "Prices"
