"""The actions that the stand-in knows, by the names that a flow's tasks call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from authlib.common.security import generate_token

from ..parts import parts
from ..records import OidcSettings, SsoSettings, Tenant, User, now
from . import people
from .flow import FlowError
from .mail import TooManyMails
from .people import Identity, NotLetIn, identity_from
from .runner import Action, ActionProblem, Step
from .screens import is_email, masked
from .upstream import Upstream, social_provider, social_upstream, sso_upstream

SUCCESS = "success"


def send_magic_link(step: Step) -> str:
    """Write a mail to the address in the form. Whether it has an account makes no difference."""
    email = step.run.context["form"].get("email", "")
    verify = step.task.text("verifyStepId")
    if not verify:
        raise FlowError(f'Task "{step.task.id}" does not say which task verifies its link.')
    if not is_email(email):
        raise ActionProblem("This does not look like an e-mail address.")
    try:
        with step.store.begin() as db:
            people.check_way(db, email)
        step.outbox.send_link(step.run.id, verify, email)
    except NotLetIn as error:
        raise ActionProblem(str(error)) from error
    except TooManyMails as error:
        raise ActionProblem(
            "This address has been sent many links already. Open one of them, or wait ten minutes."
        ) from error
    step.tell(sentTo={"maskedEmail": masked(email)})
    return SUCCESS


def verify_magic_link(step: Step) -> str:
    """The link was opened: its address is the person's, who is found or signed up."""
    email = step.run.context["verified"]["email"]
    try:
        with step.store.begin() as db:
            identity = Identity(login_id=email, email=email, verified=True)
            user, first_seen = people.sign_up_or_in(db, identity)
    except NotLetIn as error:
        raise ActionProblem(str(error)) from error
    return _verified(step, user, first_seen, "email")


def start_social(step: Step) -> None:
    """To the social provider whose button was pressed."""
    name = step.run.context.get("provider") or step.task.text("defaultProvider")
    provider = social_provider(step.store, name)
    if not name or not provider.enabled:
        raise ActionProblem("This way to sign in is not switched on.")
    _ask(step, f"social-{name}", social_upstream(name, provider))


def finish_social(step: Step) -> str:
    """The provider says who it is. Its word on an address joins accounts if it is trusted."""
    name = step.run.context["asked"].removeprefix("social-")
    provider = social_provider(step.store, name)
    upstream = social_upstream(name, provider)
    try:
        identity = identity_from(f"social:{name}", _told(step, upstream), upstream.mapping)
        if not provider.trustProvidedEmails:
            identity = replace(identity, verified=False)
        with step.store.begin() as db:
            user, first_seen = people.sign_up_or_in(db, identity)
    except NotLetIn as error:
        raise ActionProblem(str(error)) from error
    return _verified(step, user, first_seen, "oauth")


def start_sso(step: Step) -> None:
    """To the provider of the company that was asked for, or whose domain the address has."""
    email = step.run.context["form"].get("email", "")
    asked_for = step.run.request.get("tenant", "")
    with step.store.begin() as db:
        tenant = db.record(Tenant, asked_for) if asked_for else people.tenant_for(db, email)
        settings = db.record(OidcSettings, tenant.id) if tenant else None
        enabled = db.settings(SsoSettings).enabled
    whose = asked_for or people.domain_of(email) or "this address"
    if not enabled or tenant is None or tenant.authType != "oidc" or settings is None:
        raise ActionProblem(f"No single sign-on is set up for {whose[:100]}. Use a link instead.")
    _ask(step, f"sso-{tenant.id}", sso_upstream(tenant, settings))


def finish_sso(step: Step) -> str:
    """The company's provider says who it is: a member of that company, with its groups' roles."""
    tenant_id = step.run.context["asked"].removeprefix("sso-")
    with step.store.begin() as db:
        tenant, settings = db.record(Tenant, tenant_id), db.record(OidcSettings, tenant_id)
        sso = db.settings(SsoSettings)
    if tenant is None or settings is None:
        raise ActionProblem("This single sign-on has been switched off meanwhile.")
    upstream = sso_upstream(tenant, settings)
    try:
        identity = identity_from(f"sso:{tenant.id}", _told(step, upstream), upstream.mapping)
        identity = people.vouched(identity, tenant, sso)
        with step.store.begin() as db:
            user, first_seen = people.sign_up_or_in(db, identity, merge=sso.mergeUsers, by_sso=True)
            people.join_by_sso(db, user, settings, identity, sso)
    except NotLetIn as error:
        raise ActionProblem(str(error)) from error
    return _verified(step, user, first_seen, "fed")


def update_user_properties(step: Step) -> str:
    name = step.run.context.get("properties", {}).get("displayName", "")
    if step.run.user_id and name:
        with step.store.begin() as db:
            user = db.record(User, step.run.user_id)
            if user:
                db.keep(user.changed(name=name))
    return SUCCESS


def logged_in(step: Step) -> None:
    """The end: the page that called the runner gives the browser its session."""
    if step.run.user_id is None:
        raise FlowError(f'Task "{step.task.id}" signs in, and nobody was verified before it.')
    step.run.signed_in_at = now()


def _ask(step: Step, key: str, upstream: Upstream) -> None:
    """Leave for a provider, and go on at the `.end` task when it has answered."""
    callbacks = step.task.next(SUCCESS)
    waits_at = step.task.text("exchangeStepId") or next(iter(callbacks), "")
    if not waits_at:
        raise FlowError(f'Task "{step.task.id}" does not say which task takes the answer.')
    state = generate_token(43)
    step.run.waits_at, step.run.state = waits_at, state
    config = parts().config
    if upstream.is_local:
        address = f"{config.url}/login/provider/{step.run.id}"
    else:
        address = upstream.begin(config.upstream_callback, state)
    step.tell(asked=key, told=None, leave_to=address)


def _told(step: Step, upstream: Upstream) -> Mapping[str, Any]:
    """The provider's claims: of the page that plays it, or of its own answer."""
    return step.run.context.get("told") or {} if upstream.is_local else upstream.finish()


def _verified(step: Step, user: User, first_seen: bool, method: str) -> str:
    known = step.run.amr if step.run.user_id == user.userId else []
    step.run.user_id, step.run.amr = user.userId, [*known, method]
    step.tell(authInfo={"firstSeen": first_seen}, told=None)
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
