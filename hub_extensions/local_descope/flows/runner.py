"""Runs the flow: one run is one browser's way from the first screen to being signed in.

A run stands at a screen. What is pressed there leads by the task's rules through conditions and
actions to the next screen, to a provider, or to the end. A link in a mail begins a second run, in
the browser that opens it, where the first one waits; that is how Descope does it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.common.security import generate_token
from sqlalchemy import delete, select

from ..models import Run
from ..records import Flow as FlowRecord
from ..records import now
from ..store import Store
from .flow import CALLBACKS, Flow, FlowError, Screen, Task, load_flow
from .mail import Outbox
from .screens import is_email, read_form

RUN_SECONDS = 3600
MOST_STEPS = 50
DEFAULT_FLOW = "sign-up-or-in"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What an action gets: its task, the run as it stands (which it may change), and the services
    it may use."""

    task: Task
    run: Run
    store: Store
    outbox: Outbox

    def tell(self, **names: Any) -> None:
        """Put names into the run's context."""
        self.run.context = self.run.context | names


class ActionProblem(Exception):
    """An action failed in a way the person can mend; the message is shown on the last screen."""


#: An action does its work and returns the interaction that its task's rules go on with, or None
#: where the flow ends or waits for a provider.
Action = Callable[[Step], str | None]


class Runner:
    """Moves runs along a flow; each call reads and writes the store."""

    def __init__(self, actions: Mapping[str, Action], store: Store, outbox: Outbox) -> None:
        self._actions = actions
        self._store = store
        self._outbox = outbox

    def _flow(self, flow_id: str) -> Flow:
        with self._store.begin() as db:
            record = db.record(FlowRecord, flow_id)
        if record is None:
            raise FlowError(f'There is no flow "{flow_id[:64]}" in this project.')
        return load_flow(record)

    def begin(self, request: dict[str, str], browser: str) -> Run:
        """A new run for an authorization request, at the flow's first screen.

        Raises:
            FlowError: the project has no such flow.
        """
        flow = self._flow(request.get("flow") or DEFAULT_FLOW)
        hint = (request.get("login_hint") or request.get("loginHint") or "").lower()
        context: dict[str, Any] = {"form": {"email": hint} if is_email(hint) else {}}
        run = _new_run(browser, flow.id, request, context)
        with self._store.begin() as db:
            db.execute(delete(Run).where(Run.expires_at < now()))
        self._walk(flow, run, flow.start)
        return run

    def run(self, run_id: str, browser: str) -> Run | None:
        """The run, for the browser it belongs to and as long as it lives."""
        with self._store.begin() as db:
            run = db.get(Run, run_id)
        return run if run and run.browser == browser and run.expires_at > now() else None

    def asked(self, state: str, browser: str) -> Run | None:
        """The run of this browser that waits for the answer with this state."""
        with self._store.begin() as db:
            run_id = db.scalar(select(Run.id).where(Run.state == state)) if state else None
        return self.run(run_id, browser) if run_id else None

    def screen(self, run: Run) -> Screen:
        flow = self._flow(run.flow_id)
        return flow.screens[flow.tasks[run.task].screenId]

    def waits_for_link(self, run: Run) -> bool:
        """Whether the screen goes on by itself once the link was opened."""
        return bool(self._flow(run.flow_id).tasks[run.task].next("polling"))

    def answer(self, run: Run, interaction: str, form: Mapping[str, str]) -> None:
        """Go on from the run's screen with what was pressed and typed there."""
        flow = self._flow(run.flow_id)
        following = flow.tasks[run.task].next(interaction) if interaction else []
        if not following:
            raise FlowError(f'Nothing follows "{interaction[:64]}" at the task "{run.task}".')
        screen = flow.screens[flow.tasks[run.task].screenId]
        answer = read_form(screen, form, interaction)
        button = screen.node(interaction)
        context = copy.deepcopy(run.context)
        context.setdefault("form", {}).update(answer.values)
        context.setdefault("properties", {}).update(answer.properties)
        context |= {"problems": dict(answer.problems), "error": ""}
        context["provider"] = button.provider if button else ""
        run.context = context
        run.waits_at, run.state = "", None
        if answer.problems:
            self._save(run)
        else:
            self._walk(flow, run, following[0])

    def go_on(self, run: Run, **names: Any) -> None:
        """A provider has answered: go on at the task that waited, which an answer can do once."""
        task, run.waits_at, run.state = run.waits_at, "", None
        run.context = run.context | names
        with self._store.begin() as db:
            kept = db.get(Run, run.id)
            if kept is None or not kept.state:
                raise FlowError("This answer has been used.")
            kept.state = None
        self._walk(self._flow(run.flow_id), run, task)

    def open_link(self, token: str, browser: str) -> Run:
        """Spend a link and go on, in a run of the browser that opened it.

        Raises:
            LinkRefused: the link cannot be used.
            ActionProblem: it could, and then the flow refused.
            FlowError: the sign-in that the link belongs to is gone.
        """
        link = self._outbox.open_link(token)
        with self._store.begin() as db:
            parent = db.get(Run, link.run_id)
        if parent is None:
            raise FlowError("The sign-in that this link belongs to is gone.")
        context = copy.deepcopy(parent.context)
        run = _new_run(browser, parent.flow_id, parent.request, context)
        run.parent = parent.id
        run.context["verified"] = {"email": link.email}
        self._walk(self._flow(run.flow_id), run, link.task)
        return run

    def _walk(self, flow: Flow, run: Run, task_id: str) -> None:
        """Follow the tasks until a screen, a provider or the end."""
        for _ in range(MOST_STEPS):
            if task_id not in flow.tasks:
                raise FlowError(f'The flow has no task "{task_id}" any more. Start again.')
            task = flow.tasks[task_id]
            if task.type == "screen":
                run.task = task.id
                return self._save(run)
            interaction = self._do(task, run)
            if interaction is None:
                return self._save(run)
            task_id = self._following(flow, task, interaction)
        raise FlowError(f'The flow goes round in circles at the task "{task_id}".')

    def _do(self, task: Task, run: Run) -> str | None:
        if task.type == "condition":
            return task.branch(run.context)
        step = Step(task=task, run=run, store=self._store, outbox=self._outbox)
        try:
            return self._actions[task.action](step)
        except ActionProblem as problem:
            if not run.task:
                raise
            step.tell(error=str(problem))
            return None

    def _following(self, flow: Flow, task: Task, interaction: str) -> str:
        """The one task that the browser goes on to; callbacks wait for their link."""
        following = task.next(interaction)
        entered = [each for each in following if flow.tasks[each].action not in CALLBACKS]
        if not entered:
            raise FlowError(f'Nothing follows "{interaction}" at the task "{task.id}".')
        return entered[0]

    def _save(self, run: Run) -> None:
        with self._store.begin() as db:
            kept = db.get(Run, run.id)
            run.signed_in_at = run.signed_in_at or (kept and kept.signed_in_at)
            db.merge(run)
            parent = db.get(Run, run.parent) if run.parent and run.signed_in_at else None
            if parent:
                parent.signed_in_at = run.signed_in_at


def _new_run(browser: str, flow_id: str, request: dict[str, str], context: dict[str, Any]) -> Run:
    return Run(
        id=generate_token(32),
        browser=browser,
        flow_id=flow_id,
        request=request,
        context=context,
        task="",
        amr=[],
        waits_at="",
        expires_at=now() + RUN_SECONDS,
    )
