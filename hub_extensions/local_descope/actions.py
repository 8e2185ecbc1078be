"""The actions that the stand-in knows, by the names that a flow's tasks call them."""

from __future__ import annotations

from collections.abc import Mapping

from .flow import FlowError, argument
from .mail import TooManyMails
from .models import now
from .runner import Action, ActionProblem, Step
from .screens import is_email, masked

SUCCESS = "success"


def send_magic_link(step: Step) -> str:
    """Write a mail to the address in the form. Whether it has an account makes no difference."""
    email = step.run.context["form"].get("email", "")
    verify = argument(step.task, "verifyStepId")
    if not verify:
        raise FlowError(f'Task "{step.task.id}" does not say which task verifies its link.')
    if not is_email(email):
        raise ActionProblem("This does not look like an e-mail address.")
    try:
        step.outbox.send_link(step.run.id, verify, email)
    except TooManyMails as error:
        raise ActionProblem(
            "This address has been sent many links already. Open one of them, or wait ten minutes."
        ) from error
    step.run.context = step.run.context | {"sentTo": {"maskedEmail": masked(email)}}
    return SUCCESS


def verify_magic_link(step: Step) -> str:
    """The link was opened: its address is the person's, who is found or signed up."""
    user, first_seen = step.store.sign_up_or_in(step.run.context["verified"]["email"])
    if not user.enabled:
        raise ActionProblem("This account is switched off. Ask whoever gave it to you.")
    step.run.user_id = user.id
    step.run.context = step.run.context | {"authInfo": {"firstSeen": first_seen}}
    return SUCCESS


def update_user_properties(step: Step) -> str:
    name = step.run.context.get("properties", {}).get("displayName", "")
    if step.run.user_id and name:
        step.store.rename(step.run.user_id, name)
    return SUCCESS


def logged_in(step: Step) -> None:
    """The end: the page that called the runner gives the browser its session."""
    if step.run.user_id is None:
        raise FlowError(f'Task "{step.task.id}" signs in, and nobody was verified before it.')
    step.run.signed_in_at = now()


ACTIONS: Mapping[str, Action] = {
    "sign-up-or-in-magic-link-email": send_magic_link,
    "verify-magic-link": verify_magic_link,
    "update-user-properties": update_user_properties,
    "logged-in": logged_in,
}
