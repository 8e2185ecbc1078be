"""Reading flow files: what the stand-in cannot run is named in one sentence, at its start."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub_extensions.local_descope.actions import ACTIONS
from hub_extensions.local_descope.flow import (
    OPERATORS,
    FlowError,
    branch_of,
    load_flow,
    parse_flow,
)
from hub_extensions.local_descope.screens import COMPONENTS, draw, read_form
from tests.local_descope.stand_in import FLOW

EXPORT = Path(__file__).parents[2].parent / "shared" / "data" / "sign-up-or-in.export.json"
SHIPPED: dict[str, Any] = json.loads(FLOW.read_text(encoding="utf-8"))


def test_the_shipped_flow_runs() -> None:
    flow = load_flow(FLOW, ACTIONS, COMPONENTS)
    assert flow.tasks[flow.start].kind == "screen"


def _edit(path: list[str], value: Any) -> Callable[[Any], None]:
    def edit(flow: Any) -> None:
        *folders, last = path
        for key in folders:
            flow = flow[int(key) if isinstance(flow, list) else key]
        flow[last] = value

    return edit


TASKS = ["contents", "tasks"]
BROKEN = {
    "dangling task": (_edit([*TASKS, "0", "next", "rules"], [{"taskId": "99"}]), '"99"'),
    "dangling start": (_edit([*TASKS, "start", "next", "rules"], [{"taskId": "98"}]), '"98"'),
    "unknown action": (_edit([*TASKS, "6", "action"], "delete-user"), '"delete-user"'),
    "unknown operator": (
        _edit(
            [*TASKS, "4", "conditions", "0", "atomicConditions"],
            [{"operator": "sounds-like", "target": {"value": "a"}}],
        ),
        '"sounds-like"',
    ),
    "no ELSE": (
        _edit([*TASKS, "4", "conditions"], SHIPPED["contents"]["tasks"]["4"]["conditions"][:1]),
        "ELSE",
    ),
    "unknown type": (_edit([*TASKS, "6", "type"], "subflow"), '"subflow"'),
    "missing screen": (_edit([*TASKS, "0", "screenId"], "SCnone"), 'Task "0"'),
    "missing verify step": (
        _edit([*TASKS, "1", "arguments", "verifyStepId"], {"value": "77"}),
        '"77"',
    ),
    "unknown component": (
        _edit(["screens", "0", "contents", "atrHello01", "type"], {"resolvedName": "Hologram"}),
        '"Hologram"',
    ),
    "no tasks": (_edit(["contents"], {}), "not a flow"),
    "tasks a list": (_edit(["contents", "tasks"], []), "not a flow"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_flow_is_named(tmp_path: Path, name: str) -> None:
    edit, words = BROKEN[name]
    flow = copy.deepcopy(SHIPPED)
    edit(flow)
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(flow), encoding="utf-8")
    with pytest.raises(FlowError) as raised:
        load_flow(file, ACTIONS, COMPONENTS)
    sentence = str(raised.value)
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("text", ["", "{", "[]", '{"flowId": 1}', "\x00"])
def test_a_file_that_is_no_flow(tmp_path: Path, text: str) -> None:
    file = tmp_path / "flow.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FlowError, match="flow"):
        load_flow(file, ACTIONS, COMPONENTS)


@pytest.mark.skipif(not EXPORT.exists(), reason="the real export is not on this machine")
def test_a_real_export_is_read_and_what_it_asks_for_named() -> None:
    flow = parse_flow(json.loads(EXPORT.read_text(encoding="utf-8")))
    assert flow.start == "0"
    assert flow.tasks["25"].next("resend") == ["24"]
    with pytest.raises(FlowError, match=r'"GoogleButton"|"(oauth|saml)-start"'):
        load_flow(EXPORT, ACTIONS, COMPONENTS)


def test_the_first_branch_that_holds_is_taken() -> None:
    condition = parse_flow(SHIPPED).tasks["4"]
    assert branch_of(condition, {"authInfo": {"firstSeen": True}}) == "atrNewUser"
    assert branch_of(condition, {"authInfo": {"firstSeen": False}}) == "ELSE"
    assert branch_of(condition, {}) == "ELSE"


def test_operators() -> None:
    assert OPERATORS["is-true"]("true", None)
    assert OPERATORS["is-false"](False, None)
    assert OPERATORS["equal"]("a", "a")
    assert OPERATORS["not-equal"]("a", "b")
    assert OPERATORS["empty"](None, None)
    assert OPERATORS["not-empty"]("a", None)


def test_a_screen_fills_in_names_and_has_one_primary_button() -> None:
    flow = parse_flow(SHIPPED)
    parts = draw(flow.screens["SCatriumLinkSent"], {"sentTo": {"maskedEmail": "a**@b.test"}})
    assert any("a**@b.test" in part.text for part in parts)
    for screen in flow.screens.values():
        primaries = [part for part in draw(screen, {}) if part.style == "primary"]
        assert len(primaries) <= 1


def test_a_form_is_read_by_the_screens_inputs_only() -> None:
    screen = parse_flow(SHIPPED).screens["SCatriumName"]
    answer = read_form(screen, {"fullName": " A\u202e  B ", "role": "admin"}, "atrNameEnd")
    assert answer.values == {"fullName": "A B"}
    assert answer.properties == {"displayName": "A B"}
    assert answer.problems == {}
    assert read_form(screen, {"fullName": "x" * 500}, "").values["fullName"] == "x" * 100
