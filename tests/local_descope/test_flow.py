"""Reading flow files: what the stand-in cannot run is named in one sentence, at its start."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub_extensions.local_descope.flows.conditions import OPERATORS
from hub_extensions.local_descope.flows.flow import Branch, FlowError, RunnableFlow, Screen
from hub_extensions.local_descope.flows.loading import load_flow, read_flow
from hub_extensions.local_descope.flows.screens import filled, read_form
from tests.local_descope.stand_in import EXPORT, FLOW

SHIPPED: dict[str, Any] = json.loads(FLOW.read_text(encoding="utf-8"))


def loaded(path: Path) -> RunnableFlow:
    return load_flow(read_flow(path))


def test_the_shipped_flow_runs() -> None:
    flow = loaded(FLOW)
    assert flow.tasks[flow.start].type == "screen"


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
    "missing exchange step": (
        _edit([*TASKS, "8", "arguments", "exchangeStepId"], {"value": "78"}),
        '"78"',
    ),
    "an unknown action says what to do": (
        _edit([*TASKS, "6", "action"], "webauthn-start"),
        "take the task out of the flow",
    ),
    "another id": (_edit([*TASKS, "6", "id"], "66"), "under another id"),
    "a way back to the start": (
        _edit([*TASKS, "0", "next", "rules"], [{"interactionId": "x", "taskId": "start"}]),
        "nobody enters that way",
    ),
    "a button that leads behind a link": (
        _edit([*TASKS, "0", "next", "rules"], [{"interactionId": "x", "taskId": "1.end"}]),
        "nobody enters that way",
    ),
    "an answer that nobody takes": (
        _edit([*TASKS, "1", "arguments", "verifyStepId"], {"value": "7"}),
        "takes no answer",
    ),
    "a list for a task": (
        _edit([*TASKS, "1", "arguments", "verifyStepId"], {"value": ["1.end"]}),
        "is not in the file",
    ),
    "bad pattern": (
        _edit(
            [*TASKS, "4", "conditions", "0", "atomicConditions"],
            [{"operator": "matches", "target": {"value": "a"}, "predicate": {"value": "("}}],
        ),
        "regular expression",
    ),
    "a start behind a link": (
        _edit(
            ["contents"],
            {
                "startTask": "1.end",
                "tasks": {"1.end": SHIPPED["contents"]["tasks"]["1.end"] | {"next": {}}},
            },
        ),
        'starts at the task "1.end"',
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
        loaded(file)
    sentence = str(raised.value)
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


HOSTILE = {
    "empty": "",
    "truncated": json.dumps(SHIPPED)[:5000],
    "a list": "[]",
    "no contents": '{"flowId": "x"}',
    "null byte": "\x00",
    "deep": '{"flowId":' * 100_000,
    "deep arrays": "[" * 100_000,
    "a flow id that is a path": json.dumps({**SHIPPED, "flowId": "../x"}),
    "many tasks": json.dumps(
        {
            **SHIPPED,
            "contents": {"tasks": {str(n): {"id": str(n)} for n in range(2000)}},
        }
    ),
    "tasks that are text": json.dumps({**SHIPPED, "contents": {"tasks": {"0": "x"}}}),
    "half a sign": json.dumps(SHIPPED).replace("Sign in", "\\ud800"),
    "deep inside": json.dumps(SHIPPED).replace(
        '"references": {}', '"references": ' + '{"a":' * 400 + "1" + "}" * 400
    ),
    "huge": json.dumps({**SHIPPED, "metadata": {"x": "y" * 5_000_000}}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_flow(tmp_path: Path, name: str) -> None:
    file = tmp_path / "flow.json"
    file.write_text(HOSTILE[name], encoding="utf-8")
    with pytest.raises(FlowError, match="flow"):
        loaded(file)


def test_a_screen_that_holds_itself_is_drawn_once() -> None:
    nodes = {
        "ROOT": {"type": {"resolvedName": "Container"}, "nodes": ["a", "a", "ROOT"]},
        "a": {"type": {"resolvedName": "Container"}, "nodes": ["ROOT", "b", "b"]},
        "b": {"type": {"resolvedName": "Text"}, "hidden": True},
    }
    screen = Screen.model_validate({"screenId": "s", "contents": nodes})
    assert [node.id for node in screen.shown()] == ["ROOT", "a"]


@pytest.mark.skipif(not EXPORT.exists(), reason="the real export is not on this machine")
def test_a_real_export_is_read_and_can_be_run() -> None:
    flow = loaded(EXPORT)
    assert flow.start == "0"
    assert flow.tasks["25"].next("resend") == ["24"]
    assert flow.tasks["24"].next("success") == ["25", "24.end"]


def test_the_first_branch_that_holds_is_taken() -> None:
    condition = loaded(FLOW).tasks["4"]
    assert condition.branch({"authInfo": {"firstSeen": True}}) == "atrNewUser"
    assert condition.branch({"authInfo": {"firstSeen": False}}) == "ELSE"
    assert condition.branch({}) == "ELSE"


#: Operator, value, what it is compared with, and whether that holds: as Descope's client has it.
COMPARISONS: list[tuple[str, Any, Any, bool]] = [
    ("is-true", "true", None, True),
    ("is-true", 1, None, True),
    ("is-true", "yes", None, False),
    ("is-false", False, None, True),
    ("is-false", None, None, False),
    ("equal", "a", "a", True),
    ("equal", 5, "5", True),
    ("equal", True, "true", True),
    ("equal", None, "None", False),
    ("not-equal", "a", "b", True),
    ("not-equal", 5, "5", False),
    ("empty", None, None, True),
    ("empty", [], None, True),
    ("empty", 0, None, False),
    ("empty", False, None, False),
    ("not-empty", "a", None, True),
    ("contains", ["a", "b"], "a", True),
    ("contains", "abc", "b", True),
    ("contains", 5, "5", False),
    ("doesnt-contains", "abc", "x", True),
    ("doesnt-contains", 5, "5", False),
    ("in", "a", "a,b", True),
    ("in", "b", "a, b", False),
    ("in", "a", ["a"], True),
    ("in", "a", 5, False),
    ("not-in", "c", "a,b", True),
    ("not-in", "c", 5, False),
    ("greater-than", "10", 9, True),
    ("greater-than", "", -1, False),
    ("greater-than", "x", 1, False),
    ("greater-than", 10**400, 1, False),
    ("greater-than-or-equal", 9, "9", True),
    ("less-than", 1.5, "2", True),
    ("less-than-or-equal", 3, 2, False),
    ("in-range", 5, "1,5", True),
    ("in-range", 6, "1,5", False),
    ("in-range", 5, "x", False),
    ("not-in-range", 6, "1,5", True),
    ("not-in-range", 6, None, True),
    ("devised-by", 9, 3, True),
    ("devised-by", 9, 0, False),
    ("matches", "a1", "[0-9]", True),
    ("matches", "ab", "^[0-9]", False),
    ("matches", 5, "5", False),
    ("matches", "a", "(", False),
]


@pytest.mark.parametrize("comparison", COMPARISONS, ids=str)
def test_operators(comparison: tuple[str, Any, Any, bool]) -> None:
    operator, value, other, holds = comparison
    assert OPERATORS[operator](value, other) is holds


def test_each_operator_is_compared() -> None:
    assert OPERATORS.keys() == {comparison[0] for comparison in COMPARISONS}


def test_comparisons_hold_together_or_one_of_them() -> None:
    atoms = [
        {
            "operator": "equal",
            "target": {"type": "context", "value": "a"},
            "predicate": {"value": 1},
        },
        {
            "operator": "equal",
            "target": {"type": "context", "value": "b"},
            "predicate": {"value": 1},
        },
    ]
    branch = {"interactionId": "x", "atomicConditions": atoms}
    together = Branch.model_validate(branch)
    one = Branch.model_validate(branch | {"logicalOr": True})
    assert (together.holds({"a": 1, "b": 2}), one.holds({"a": 1, "b": 2})) == (False, True)
    assert (together.holds({"a": 1, "b": 1}), one.holds({"a": 2, "b": 2})) == (True, False)


def test_texts_are_filled_in_from_the_context() -> None:
    context = {"sentTo": {"maskedEmail": "a**@b.test"}}
    assert filled("To {{sentTo.maskedEmail}}{{ nothing }}.", context) == "To a**@b.test."


def test_a_form_is_read_by_the_screens_inputs_only() -> None:
    screen = loaded(FLOW).screens["SCatriumName"]
    answer = read_form(screen, {"fullName": " A\u202e  B ", "role": "admin"}, "atrNameEnd")
    assert answer.values == {"fullName": "A B"}
    assert answer.properties == {"displayName": "A B"}
    assert answer.problems == {}
    assert read_form(screen, {"fullName": "x" * 500}, "").values["fullName"] == "x" * 100
