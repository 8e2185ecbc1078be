"""The actions that the stand-in knows, by the names that a flow's tasks call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from authlib.common.security import generate_token

from ..errors import NotLetIn
from ..models import Run
from ..parts import parts, transaction
from ..records import OidcSettings, SsoSettings, Tenant, User, now
from . import mail, people
from .flow import FlowError, Task
from .people import Identity, identity_from
from .screens import is_email, masked
from .upstream import Upstream, social_provider, social_upstream, sso_upstream

SUCCESS = "success"
#: An action does its work, may tell the run, and returns the interaction that its task's rules go
#: on with, or None where the flow ends or waits for a provider.
Action = Callable[[Task, Run], str | None]


def send_magic_link(task: Task, run: Run) -> str:
    """Write a mail to the address in the form. Whether it has an account makes no difference."""
    email = run.context["form"].get("email", "")
    verify = task.text("verifyStepId")
    if not verify:
        raise FlowError(f'Task "{task.id}" does not say which task verifies its link.')
    if not is_email(email):
        raise NotLetIn("This does not look like an e-mail address.")
    with transaction() as db:
        people.check_way(db, email)
    mail.send_link(run.id, verify, email)
    run.tell(sentTo={"maskedEmail": masked(email)})
    return SUCCESS


def verify_magic_link(task: Task, run: Run) -> str:
    """The link was opened: its address is the person's, who is found or signed up."""
    email = run.context["verified"]["email"]
    with transaction() as db:
        identity = Identity(login_id=email, email=email, verified=True)
        user, first_seen = people.sign_up_or_in(db, identity)
    return _verified(run, user, first_seen, "email")


def start_social(task: Task, run: Run) -> None:
    """To the social provider whose button was pressed."""
    name = run.context.get("provider") or task.text("defaultProvider")
    provider = social_provider(name)
    if not name or not provider.enabled:
        raise NotLetIn("This way to sign in is not switched on.")
    _ask(task, run, social_upstream(name, provider))


def finish_social(task: Task, run: Run) -> str:
    """The provider says who it is. Its word on an address joins accounts if it is trusted."""
    name = run.context["asked"].removeprefix("social-")
    provider = social_provider(name)
    upstream = social_upstream(name, provider)
    identity = identity_from(f"social:{name}", _told(run, upstream), upstream.mapping)
    if not provider.trustProvidedEmails:
        identity = replace(identity, verified=False)
    with transaction() as db:
        user, first_seen = people.sign_up_or_in(db, identity)
    return _verified(run, user, first_seen, "oauth")


def start_sso(task: Task, run: Run) -> None:
    """To the provider of the company that was asked for, or whose domain the address has."""
    email = run.context["form"].get("email", "")
    asked_for = run.request.get("tenant", "")
    with transaction() as db:
        tenant = db.record(Tenant, asked_for) if asked_for else people.tenant_for(db, email)
        settings = db.record(OidcSettings, tenant.id) if tenant else None
        enabled = db.settings(SsoSettings).enabled
    whose = asked_for or people.domain_of(email) or "this address"
    if not enabled or tenant is None or tenant.authType != "oidc" or settings is None:
        raise NotLetIn(f"No single sign-on is set up for {whose[:100]}. Use a link instead.")
    _ask(task, run, sso_upstream(tenant, settings))


def finish_sso(task: Task, run: Run) -> str:
    """The company's provider says who it is: a member of that company, with its groups' roles."""
    tenant_id = run.context["asked"].removeprefix("sso-")
    with transaction() as db:
        tenant, settings = db.record(Tenant, tenant_id), db.record(OidcSettings, tenant_id)
        sso = db.settings(SsoSettings)
    if tenant is None or settings is None:
        raise NotLetIn("This single sign-on has been switched off meanwhile.")
    upstream = sso_upstream(tenant, settings)
    identity = identity_from(f"sso:{tenant.id}", _told(run, upstream), upstream.mapping)
    identity = people.as_member(identity, tenant, sso)
    with transaction() as db:
        user, first_seen = people.sign_up_or_in(db, identity, merge=sso.mergeUsers, by_sso=True)
        people.join_by_sso(db, user, settings, identity, sso)
    return _verified(run, user, first_seen, "fed")


def update_user_properties(task: Task, run: Run) -> str:
    name = run.context.get("properties", {}).get("displayName", "")
    if run.user_id and name:
        with transaction() as db:
            user = db.record(User, run.user_id)
            if user:
                db.keep(user.changed(name=name))
    return SUCCESS


def logged_in(task: Task, run: Run) -> None:
    """The end: the page that called the runner gives the browser its session."""
    if run.user_id is None:
        raise FlowError(f'Task "{task.id}" signs in, and nobody was verified before it.')
    run.signed_in_at = now()


def _ask(task: Task, run: Run, upstream: Upstream) -> None:
    """Leave for a provider, and go on at the `.end` task when it has answered."""
    callbacks = task.next(SUCCESS)
    waits_at = task.text("exchangeStepId") or next(iter(callbacks), "")
    if not waits_at:
        raise FlowError(f'Task "{task.id}" does not say which task takes the answer.')
    state = generate_token(43)
    run.waits_at, run.state = waits_at, state
    config = parts().config
    if upstream.is_local:
        address = f"{config.url}/login/provider/{run.id}"
    else:
        address = upstream.begin(config.upstream_callback, state)
    run.tell(asked=upstream.key, told=None, leave_to=address)


def _told(run: Run, upstream: Upstream) -> Mapping[str, Any]:
    """The provider's claims: of the page that plays it, or of its own answer."""
    return run.context.get("told") or {} if upstream.is_local else upstream.finish()


def _verified(run: Run, user: User, first_seen: bool, method: str) -> str:
    known = run.amr if run.user_id == user.userId else []
    run.user_id, run.amr = user.userId, [*known, method]
    run.tell(authInfo={"firstSeen": first_seen}, told=None)
    return SUCCESS


RUNS: Mapping[str, Action] = {
    "sign-up-or-in-magic-link-email": send_magic_link,
    "verify-magic-link": verify_magic_link,
    "oauth-start": start_social,
    "exchange-oauth-code": finish_social,
    "saml-start": start_sso,
    "exchange-saml-code": finish_sso,
    "update-user-properties": update_user_properties,
    "logged-in": logged_in,
}
