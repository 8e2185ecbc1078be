"""A flow file in Descope's export format, read into records and checked whole.

Tasks are joined by rules: a rule leads from a task to the next by the id of what happened (a
button, `success`, a condition's branch). Several rules may have one id. Of the tasks in
`CALLBACKS` the browser enters none by itself: they go on when a link is opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "is-true": lambda value, _: value in (True, "true"),
    "is-false": lambda value, _: value in (False, "false"),
    "equal": lambda value, other: value == other,
    "not-equal": lambda value, other: value != other,
    "empty": lambda value, _: not value,
    "not-empty": lambda value, _: bool(value),
}
CALLBACKS = frozenset({"verify-magic-link"})
ELSE = "ELSE"


class FlowError(Exception):
    """The flow cannot be run; the message is one sentence that names the place."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A component of a screen, such as Text or Button."""

    id: str
    component: str
    props: Mapping[str, Any]
    children: Sequence[str]
    #: The property of the user that an input sets, if any.
    context_key: str | None


@dataclass(frozen=True, kw_only=True)
class Screen:
    id: str
    nodes: Mapping[str, Node]


@dataclass(frozen=True, kw_only=True)
class Atom:
    """One comparison: a dotted name in the context, an operator, what to compare with."""

    target: str
    operator: str
    predicate: Any


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A branch of a condition, taken if all comparisons hold; the last, ELSE, has none."""

    interaction: str
    atoms: Sequence[Atom]


@dataclass(frozen=True, kw_only=True)
class Task:
    id: str
    kind: str
    action: str = ""
    screen: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    branches: Sequence[Branch] = ()
    rules: Sequence[tuple[str | None, str]] = ()

    def next(self, interaction: str | None) -> list[str]:
        """The tasks that follow when this happened, in the file's order."""
        return [task for happened, task in self.rules if happened == interaction]


@dataclass(frozen=True, kw_only=True)
class Flow:
    id: str
    start: str
    tasks: Mapping[str, Task]
    screens: Mapping[str, Screen]


def load_flow(path: Path, actions: Collection[str], components: Collection[str]) -> Flow:
    """Read and check a flow file.

    Raises:
        FlowError: the file is unreadable or asks for what the stand-in cannot do.
    """
    try:
        exported = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FlowError(f"The flow file {path} cannot be read as JSON.") from error
    try:
        flow = parse_flow(exported)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise FlowError(f"The flow file {path} is not a flow that Descope exports.") from error
    check_flow(flow, actions, components)
    return flow


def parse_flow(exported: Mapping[str, Any]) -> Flow:
    """The records of an export, not yet checked."""
    tasks = {key: _task(key, task) for key, task in exported["contents"]["tasks"].items()}
    screens = {screen["screenId"]: _screen(screen) for screen in exported["screens"]}
    start = tasks["start"].rules[0][1] if "start" in tasks else exported["contents"]["startTask"]
    return Flow(id=exported["flowId"], start=start, tasks=tasks, screens=screens)


def check_flow(flow: Flow, actions: Collection[str], components: Collection[str]) -> None:
    """Refuse a flow that would fail halfway through a sign-in."""
    if flow.start not in flow.tasks:
        raise FlowError(f'The flow starts at the task "{flow.start}", which is not in the file.')
    for task in flow.tasks.values():
        for _, following in task.rules:
            if following not in flow.tasks:
                raise FlowError(
                    f'Task "{task.id}" leads to "{following}", which is not in the file.'
                )
        if task.kind == "screen" and task.screen not in flow.screens:
            raise FlowError(f'Task "{task.id}" shows a screen that is not in the file.')
        if task.kind == "automated" and task.action not in actions:
            raise FlowError(f'Task "{task.id}" has the unknown action "{task.action}".')
        verify = argument(task, "verifyStepId")
        if verify and verify not in flow.tasks:
            raise FlowError(f'Task "{task.id}" waits at "{verify}", which is not in the file.')
        _check_branches(task)
    for screen in flow.screens.values():
        _check_screen(screen, components)


def argument(task: Task, name: str) -> Any:
    """An argument of an action; None where the file leaves it to the default."""
    return (task.arguments.get(name) or {}).get("value") or None


def branch_of(task: Task, context: Mapping[str, Any]) -> str:
    """The interaction of the first branch that holds.

    Raises:
        FlowError: none holds; an export always ends with ELSE.
    """
    for branch in task.branches:
        if all(
            OPERATORS[atom.operator](looked_up(context, atom.target), atom.predicate)
            for atom in branch.atoms
        ):
            return branch.interaction
    raise FlowError(f'No branch of task "{task.id}" holds.')


def looked_up(context: Mapping[str, Any], name: str) -> Any:
    """The value at a dotted name such as `authInfo.firstSeen`, or None."""
    value: Any = context
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _task(key: str, task: Mapping[str, Any]) -> Task:
    kind = task.get("type") or ("screen" if "screenId" in task else "start")
    if kind not in {"screen", "condition", "automated", "start"}:
        raise FlowError(f'Task "{key}" is of the unknown type "{kind}".')
    rules = (task.get("next") or {}).get("rules") or []
    return Task(
        id=key,
        kind=kind,
        action=task.get("action", ""),
        screen=task.get("screenId", ""),
        arguments=task.get("arguments") or {},
        branches=[_branch(condition) for condition in task.get("conditions") or []],
        rules=[(rule.get("interactionId"), rule["taskId"]) for rule in rules],
    )


def _branch(condition: Mapping[str, Any]) -> Branch:
    atoms = [
        Atom(
            target=atom["target"]["value"],
            operator=atom["operator"],
            predicate=(atom.get("predicate") or {}).get("value"),
        )
        for atom in condition.get("atomicConditions") or []
    ]
    return Branch(interaction=condition["interactionId"], atoms=atoms)


def _screen(screen: Mapping[str, Any]) -> Screen:
    nodes = {
        key: Node(
            id=key,
            component=node["type"]["resolvedName"],
            props=node.get("props") or {},
            children=[] if node.get("hidden") else node.get("nodes") or [],
            context_key=(node.get("custom") or {}).get("contextKey"),
        )
        for key, node in screen["contents"].items()
        if key == "ROOT" or not node.get("hidden")
    }
    return Screen(id=screen["screenId"], nodes=nodes)


def _check_branches(task: Task) -> None:
    for branch in task.branches:
        for atom in branch.atoms:
            if atom.operator not in OPERATORS:
                raise FlowError(f'Task "{task.id}" has the unknown operator "{atom.operator}".')
        if not branch.atoms and branch.interaction != ELSE:
            raise FlowError(f'A branch of task "{task.id}" compares nothing.')
        if not task.next(branch.interaction):
            raise FlowError(
                f'Task "{task.id}" has no next task for the branch "{branch.interaction}".'
            )
    if task.kind == "condition" and ELSE not in {each.interaction for each in task.branches}:
        raise FlowError(f'Task "{task.id}" has no branch ELSE.')


def _check_screen(screen: Screen, components: Collection[str]) -> None:
    if "ROOT" not in screen.nodes:
        raise FlowError(f'Screen "{screen.id}" has no root.')
    for node in screen.nodes.values():
        if node.component not in components:
            raise FlowError(f'Screen "{screen.id}" has the unknown component "{node.component}".')
