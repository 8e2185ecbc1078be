"""Reads a flow, and checks it whole: what cannot be run is named at once, and not halfway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ...first_problem import located
from ..records import Flow
from .actions import RUNS
from .conditions import OPERATORS, pattern
from .flow import CALLBACKS, ELSE, Branch, FlowError, RunnableFlow, Task

LARGEST: Final = 4_000_000


def read_flow(path: Path) -> Flow:
    """The flow in a file, not yet checked.

    Raises:
        FlowError: it cannot be read, is too large, or no flow.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise FlowError(f"The flow file {path} is larger than {LARGEST // 1_000_000} MB.")
        flow = Flow.model_validate(json.loads(path.read_text(encoding="utf-8")))
        flow.model_dump_json()  # what cannot be written cannot be kept
        return flow
    except ValidationError as error:
        raise FlowError(f"The flow file {path} is not a flow{_where(error)}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise FlowError(f"The flow file {path} cannot be read as JSON.") from error


def load_flow(record: Flow) -> RunnableFlow:
    """The flow in an export, checked whole: what cannot be run would fail halfway.

    Raises:
        FlowError: it is no flow, or asks for what the stand-in cannot do.
    """
    try:
        flow = RunnableFlow.model_validate(record.model_dump())
    except ValidationError as error:
        raise FlowError(f"This is not a flow as Descope exports it{_where(error)}.") from error
    for problem in _problems(flow):
        raise FlowError(problem)
    return flow


def _where(error: ValidationError) -> str:
    return f" ({located(error)})"[:200]


def _problems(flow: RunnableFlow) -> Iterator[str]:
    if flow.start not in flow.tasks:
        yield f'The flow starts at the task "{flow.start}", which is not in the file.'
    elif flow.tasks[flow.start].action in CALLBACKS:
        yield f'The flow starts at the task "{flow.start}", which nobody enters that way.'
    for task in flow.tasks.values():
        yield from _task_problems(flow, task)
    for screen in flow.screens.values():
        if "ROOT" not in screen.contents:
            yield f'Screen "{screen.screenId}" has no root.'
        for node in screen.contents.values():
            if node.kind is None:
                yield (
                    f'Screen "{screen.screenId}" has the component "{node.name}", '
                    "which the local stand-in cannot draw; take it out of the screen, or use a "
                    "real project."
                )


def _task_problems(flow: RunnableFlow, task: Task) -> Iterator[str]:
    named = f'Task "{task.id}" ({task.name})' if task.name else f'Task "{task.id}"'
    if flow.tasks.get(task.id) is not task:
        yield f"{named} stands in the file under another id."
    for rule in task.rules:
        target = flow.tasks.get(rule.taskId)
        if target is None:
            yield f'{named} leads to "{rule.taskId}", which is not in the file.'
        elif target.type == "start" or (target.action in CALLBACKS and task.type != "automated"):
            yield f'{named} leads to "{rule.taskId}", which nobody enters that way.'
    if task.type not in {"start", "screen", "condition", "automated"}:
        yield (
            f'{named} is of the type "{task.type}", which the local stand-in does not know; take '
            "it out of the flow, or use a real project."
        )
    if task.type == "screen" and task.screenId not in flow.screens:
        yield f'{named} shows the screen "{task.screenId}", which is not in the file.'
    if task.type == "automated" and task.action not in RUNS:
        yield (
            f'{named} has the action "{task.action}", which the local stand-in cannot run; take '
            "the task out of the flow, or use a real project."
        )
    for argument in ("verifyStepId", "exchangeStepId"):
        waits_at = task.argument(argument)
        target = flow.tasks.get(waits_at) if isinstance(waits_at, str) else None
        if waits_at and target is None:
            yield f'{named} goes on at "{waits_at}", which is not in the file.'
        if target and target.action not in CALLBACKS:
            yield f'{named} goes on at "{waits_at}", which takes no answer.'
    for branch in task.conditions:
        yield from _branch_problems(named, task, branch)
    if task.type == "condition" and ELSE not in {each.interactionId for each in task.conditions}:
        yield f"{named} has no branch ELSE."


def _branch_problems(named: str, task: Task, branch: Branch) -> Iterator[str]:
    for atom in branch.atomicConditions:
        if atom.operator not in OPERATORS:
            yield (
                f'{named} compares by "{atom.operator}", which the local stand-in does not know; '
                f"it knows {', '.join(OPERATORS)}."
            )
        if atom.operator == "matches" and pattern(str(atom.predicate.value)) is None:
            yield f"{named} has a pattern that is no regular expression."
    if not branch.atomicConditions and branch.interactionId != ELSE:
        yield f"A branch of {named} compares nothing."
    if not task.next(branch.interactionId):
        yield f'{named} has no next task for the branch "{branch.interactionId}".'
