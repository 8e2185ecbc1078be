"""Runs the flow: one run is one browser's way from the first screen to being signed in.

A run stands at a screen. What is pressed there leads by the task's rules through conditions and
actions to the next screen, or to the end. A link in a mail begins a second run, in the browser
that opens it, where the first one waits; that is how Descope does it.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.common.security import generate_token
from sqlalchemy import delete

from .flow import CALLBACKS, Flow, FlowError, Screen, Task, branch_of
from .mail import Outbox
from .models import Run, now
from .screens import is_email, read_form
from .store import Store

RUN_SECONDS = 3600
MOST_STEPS = 50
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What an action gets: its task, the run as it stands (its context may be written to), and
    the services it may use."""

    task: Task
    run: Run
    store: Store
    outbox: Outbox


class ActionProblem(Exception):
    """An action failed in a way the person can mend; the message is shown on the last screen."""


#: An action does its work and returns the interaction that its task's rules go on with, or None
#: where the flow ends.
Action = Callable[[Step], str | None]


class Runner:
    """Moves runs along a flow; each call reads and writes the store."""

    def __init__(
        self, flow: Flow, actions: Mapping[str, Action], store: Store, outbox: Outbox
    ) -> None:
        self._flow = flow
        self._actions = actions
        self._store = store
        self._outbox = outbox

    def begin(self, request: dict[str, str], browser: str) -> Run:
        """A new run for an authorization request, at the flow's first screen."""
        hint = (request.get("login_hint") or request.get("loginHint") or "").lower()
        context: dict[str, Any] = {"form": {"email": hint} if is_email(hint) else {}}
        run = _new_run(browser, request, context)
        with self._store.begin() as db:
            db.execute(delete(Run).where(Run.expires_at < now()))
        self._walk(run, self._flow.start)
        return run

    def run(self, run_id: str, browser: str) -> Run | None:
        """The run, for the browser it belongs to and as long as it lives."""
        with self._store.begin() as db:
            run = db.get(Run, run_id)
        return run if run and run.browser == browser and run.expires_at > now() else None

    def screen(self, run: Run) -> Screen:
        return self._flow.screens[self._flow.tasks[run.task].screen]

    def waits_for_link(self, run: Run) -> bool:
        """Whether the screen goes on by itself once the link was opened."""
        return bool(self._flow.tasks[run.task].next("polling"))

    def answer(self, run: Run, interaction: str, form: Mapping[str, str]) -> None:
        """Go on from the run's screen with what was pressed and typed there."""
        following = self._flow.tasks[run.task].next(interaction)
        if not following:
            raise FlowError(f'Nothing follows "{interaction}" at the task "{run.task}".')
        answer = read_form(self.screen(run), form, interaction)
        context = copy.deepcopy(run.context)
        context.setdefault("form", {}).update(answer.values)
        context.setdefault("properties", {}).update(answer.properties)
        context |= {"problems": dict(answer.problems), "error": ""}
        run.context = context
        if answer.problems:
            self._save(run)
        else:
            self._walk(run, following[0])

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
        run = _new_run(browser, parent.request, copy.deepcopy(parent.context))
        run.parent = parent.id
        run.context["verified"] = {"email": link.email}
        self._walk(run, link.task)
        return run

    def _walk(self, run: Run, task_id: str) -> None:
        """Follow the tasks until a screen or the end."""
        for _ in range(MOST_STEPS):
            task = self._flow.tasks[task_id]
            if task.kind == "screen":
                run.task = task.id
                return self._save(run)
            interaction = self._do(task, run)
            if interaction is None:
                return self._save(run)
            task_id = self._following(task, interaction)
        raise FlowError(f'The flow goes round in circles at the task "{task_id}".')

    def _do(self, task: Task, run: Run) -> str | None:
        if task.kind == "condition":
            return branch_of(task, run.context)
        step = Step(task=task, run=run, store=self._store, outbox=self._outbox)
        try:
            return self._actions[task.action](step)
        except ActionProblem as problem:
            if not run.task:
                raise
            run.context = run.context | {"error": str(problem)}
            return None

    def _following(self, task: Task, interaction: str) -> str:
        """The one task that the browser goes on to; callbacks wait for their link."""
        following = task.next(interaction)
        entered = [each for each in following if self._flow.tasks[each].action not in CALLBACKS]
        if not entered:
            raise FlowError(f'Nothing follows "{interaction}" at the task "{task.id}".')
        return entered[0]

    def _save(self, run: Run) -> None:
        with self._store.begin() as db:
            db.merge(run)
            parent = db.get(Run, run.parent) if run.parent and run.signed_in_at else None
            if parent:
                parent.signed_in_at = run.signed_in_at


def _new_run(browser: str, request: dict[str, str], context: dict[str, Any]) -> Run:
    return Run(
        id=generate_token(32),
        browser=browser,
        request=request,
        context=context,
        task="",
        expires_at=now() + RUN_SECONDS,
    )
