"""Runs the flow: one run is one browser's way from the first screen to being signed in.

A run stands at a screen. What is pressed there leads by the task's rules through conditions and
actions to the next screen, to a provider, or to the end. A link in a mail begins a second run, in
the browser that opens it, where the first one waits; that is how Descope does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.common.security import generate_token
from sqlalchemy import delete, select

from ..errors import NotLetIn
from ..models import Run
from ..parts import transaction
from ..records import Flow, now
from . import mail
from .actions import RUNS
from .flow import CALLBACKS, FlowError, RunnableFlow, Screen, Task
from .loading import load_flow
from .screens import is_email, read_form

RUN_SECONDS = 3600
MOST_STEPS = 50
DEFAULT_FLOW = "sign-up-or-in"


def begin(request: dict[str, str], browser: str) -> Run:
    """A new run for an authorization request, at the flow's first screen.

    Raises:
        FlowError: the project has no such flow.
    """
    flow = _flow(request.get("flow") or DEFAULT_FLOW)
    hint = (request.get("login_hint") or request.get("loginHint") or "").lower()
    form = {"email": hint} if is_email(hint) else {}
    run = _new_run(browser=browser, flow_id=flow.flowId, request=request, context={"form": form})
    _walk(flow, run, flow.start)
    return run


def run_of(browser: str, run_id: str) -> Run | None:
    """The run, for the browser it belongs to and as long as it lives."""
    with transaction() as db:
        run = db.get(Run, run_id)
    return run if run and run.browser == browser and run.expires_at > now() else None


def run_asked(browser: str, state: str) -> Run | None:
    """The run of this browser that waits for the answer with this state."""
    with transaction() as db:
        run_id = db.scalar(select(Run.id).where(Run.state == state)) if state else None
    return run_of(browser, run_id) if run_id else None


def screen_of(run: Run) -> tuple[Screen, bool]:
    """The screen that a run stands at, and whether it goes on by itself once a link was opened."""
    flow = _flow(run.flow_id)
    task = flow.task(run.task)
    return flow.screens[task.screenId], bool(task.next("polling"))


def answer(run: Run, interaction: str, form: Mapping[str, str]) -> None:
    """Go on from the run's screen with what was pressed and typed there."""
    flow = _flow(run.flow_id)
    task = flow.task(run.task)
    following = task.next(interaction) if interaction else []
    if not following:
        raise FlowError(f'Nothing follows "{interaction[:64]}" at the task "{run.task}".')
    screen = flow.screens[task.screenId]
    answer = read_form(screen, form, interaction)
    button = screen.node(interaction)
    run.tell(
        form={**run.context.get("form", {}), **answer.values},
        properties={**run.context.get("properties", {}), **answer.properties},
        problems=answer.problems,
        error="",
        provider=button.provider if button else "",
    )
    run.waits_at, run.state = "", None
    if answer.problems:
        _save(run)
    else:
        _walk(flow, run, following[0])


def go_on(run: Run, **names: Any) -> None:
    """A provider has answered: go on at the task that waited, which an answer can do once."""
    task, run.waits_at, run.state = run.waits_at, "", None
    run.tell(**names)
    with transaction() as db:
        kept = db.get(Run, run.id)
        if kept is None or not kept.state:
            raise FlowError("This answer has been used.")
        kept.state = None
    _walk(_flow(run.flow_id), run, task)


def open_link(browser: str, token: str) -> Run:
    """Spend a link and go on, in a run of the browser that opened it.

    Raises:
        LinkRefused: the link cannot be used.
        NotLetIn: it could, and then the flow refused.
        FlowError: the sign-in that the link belongs to is gone.
    """
    link = mail.open_link(token)
    with transaction() as db:
        parent = db.get(Run, link.run_id)
    if parent is None:
        raise FlowError("The sign-in that this link belongs to is gone.")
    run = _new_run(
        browser=browser,
        flow_id=parent.flow_id,
        request=parent.request,
        context=parent.context | {"verified": {"email": link.email}},
        parent=parent.id,
    )
    _walk(_flow(run.flow_id), run, link.task)
    return run


#: Flows as they were read, and checked.
_loaded: dict[str, tuple[Flow, RunnableFlow]] = {}


def _flow(flow_id: str) -> RunnableFlow:
    with transaction() as db:
        record = db.record(Flow, flow_id)
    if record is None:
        raise FlowError(f'There is no flow "{flow_id[:64]}" in this project.')
    if _loaded.get(flow_id, (None,))[0] is not record:
        _loaded[flow_id] = record, load_flow(record)
    return _loaded[flow_id][1]


def _new_run(**columns: Any) -> Run:
    run = Run(id=generate_token(32), expires_at=now() + RUN_SECONDS, **columns)
    with transaction() as db:
        db.execute(delete(Run).where(Run.expires_at < now()))
        db.add(run)
    return run


def _walk(flow: RunnableFlow, run: Run, task_id: str) -> None:
    """Follow the tasks until a screen, a provider or the end."""
    for _ in range(MOST_STEPS):
        task = flow.task(task_id)
        if task.type == "screen":
            run.task = task.id
            return _save(run)
        interaction = _do(task, run)
        if interaction is None:
            return _save(run)
        task_id = _following(flow, task, interaction)
    raise FlowError(f'The flow goes round in circles at the task "{task_id}".')


def _do(task: Task, run: Run) -> str | None:
    if task.type == "condition":
        return task.branch(run.context)
    try:
        return RUNS[task.action](task, run)
    except NotLetIn as problem:
        if not run.task:
            raise
        run.tell(error=str(problem))
        return None


def _following(flow: RunnableFlow, task: Task, interaction: str) -> str:
    """The one task that the browser goes on to; callbacks wait for their link."""
    following = task.next(interaction)
    entered = [each for each in following if flow.tasks[each].action not in CALLBACKS]
    if not entered:
        raise FlowError(f'Nothing follows "{interaction}" at the task "{task.id}".')
    return entered[0]


def _save(run: Run) -> None:
    with transaction() as db:
        kept = db.get(Run, run.id)
        run.signed_in_at = run.signed_in_at or (kept and kept.signed_in_at)
        db.merge(run)
        parent = db.get(Run, run.parent) if run.parent and run.signed_in_at else None
        if parent:
            parent.signed_in_at = run.signed_in_at
