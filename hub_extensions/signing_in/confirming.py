"""What the provider says of people who have signed in, and what it says of them later."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from jupyterhub import orm
from jupyterhub.roles import assign_default_roles
from jupyterhub.user import User
from sqlalchemy.orm import Session, object_session
from tornado import web
from traitlets import Dict, Integer

from .. import grants
from ..claims import RefusedClaims, username_from_claims
from . import identity_notices, provider, sessions
from .oidc import OpenIDConnectAuthenticator


def is_there(user: User) -> bool:
    """Whether somebody has not been deleted in the hub, where their number may be another's now."""
    return object_session(user.orm_user) is not None


class ConfirmingAuthenticator(OpenIDConnectAuthenticator):
    """Asks the provider again while somebody is signed in, and writes down what it says.

    When it is asked, and about whom, is the follower's to say (`access/follow.py`).
    """

    #: The follower, once the hub has started.
    follower: Any

    session_hours = Dict(
        {"": 12.0},
        config=True,
        help='Hours after which somebody must sign in again, by tenant; "" for all others.',
    )
    grace_seconds = Integer(
        3600,
        config=True,
        help="How long a signed-in person works on while the provider is away, from its last yes.",
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # -- what claims mean, for the class that knows the provider (and its `project_id`) to say --

    def is_hub_admin(self, name: str, claims: dict[str, Any]) -> bool:
        """Whether a person is one of JupyterHub's full admins."""
        raise NotImplementedError

    def provider_groups(self, claims: dict[str, Any]) -> dict[str, str]:
        """The groups that these claims give, each with the reason."""
        raise NotImplementedError

    def tenant_of(self, claims: dict[str, Any]) -> str | None:
        """The tenant that a person belongs to here."""
        raise NotImplementedError

    # -- how long a sign-in holds ------------------------------------------------------------

    async def refresh_user(self, user: User, handler: Any = None, **_kwargs: Any) -> bool:
        """Whether a signed-in person still is. No page waits for the provider: it is asked by the
        follower, and what counts here is when it last said yes."""
        session = user.db.get(sessions.Session, user.id)
        identity = user.db.get(grants.Identity, user.id)
        if session is None or identity is None:
            return False
        moment = grants.now()
        age = timedelta(hours=self.session_hours_of(session.tenant))
        return moment - session.signed_in_at < age and moment - identity.confirmed_at < self.grace

    @property
    def grace(self) -> timedelta:
        """How long people work on while the provider is away."""
        return timedelta(seconds=self.grace_seconds)

    def session_hours_of(self, tenant: str) -> float:
        """How long a session of somebody in this tenant may last."""
        return self.session_hours.get(tenant, self.session_hours[""])

    def is_too_old(self, claims: dict[str, Any]) -> bool:
        """Whether somebody was asked who they are so long ago that a session from then would be
        over by now (OpenID Connect Core section 2, `auth_time`). False if the provider says no
        time."""
        asked_at = provider.number(claims.get("auth_time"))
        hours = self.session_hours_of(self.tenant_of(claims) or "")
        return 0 < asked_at < time.time() - 3600 * hours

    def tells_when_asked(self, state: dict[str, Any]) -> bool:
        """Whether the provider has said when it asked them, by what was kept of a sign-in."""
        claims = state.get(self.user_auth_state_key) or {}
        return provider.number(claims.get("auth_time")) > 0

    # -- what the provider says later ----------------------------------------------------------

    def lock(self, name: str) -> asyncio.Lock:
        """Held while what the provider said of a person is acted on, from the look at what was
        known before to the last word written: two sign-ins at once come one after the other."""
        return self._locks.setdefault(name, asyncio.Lock())

    async def confirm(self, user: User, *, ask_roles: bool) -> bool:
        """Exchange a person's refresh token, and write down what the provider says.

        Returns False when it says that they may not go on, or when they have signed out meanwhile.

        Args:
            ask_roles: ask for their claims too, which is one more call.

        Raises:
            ProviderUnreachable: there is no answer; nothing has changed.
        """
        state = await user.get_auth_state() or {}
        try:
            return await self._ask_provider(user, state, ask_roles)
        except provider.ProviderUnreachable:
            raise
        except (web.HTTPError, RefusedClaims) as error:
            self.log.info("The provider no longer confirms %s: %s", user.name, error)
            return False

    async def _ask_provider(self, user: User, state: dict[str, Any], ask_roles: bool) -> bool:
        token = state.get("refresh_token")
        if not token:
            return False
        token_info = await self.get_token_info(None, self.build_refresh_token_request_params(token))
        before = state.get(self.user_auth_state_key) or {}
        claims = await self.token_to_user(token_info) if ask_roles else dict(before)
        about = {claims.get("sub"), token_info.get("id_token_claims", claims).get("sub")}
        identity = user.db.get(grants.Identity, user.id)
        if identity is None or about != {identity.subject}:
            return False
        username_from_claims(claims)
        # A refresh need not repeat how its session began.
        claims.setdefault("amr", before.get("amr"))
        async with self.lock(user.name):
            latest = await user.get_auth_state() or {}
            if latest.get("refresh_token") != token:
                return bool(latest)
            known = latest.get(self.user_auth_state_key) or {}
            if not ask_roles or known != before:
                # What the directory has said meanwhile is newer than what was known or asked then.
                claims = {**claims, "tenants": known.get("tenants")}
            fresh = self.build_auth_state_dict(token_info, claims)
            for name in ("refresh_token", "id_token"):
                fresh[name] = fresh[name] or state.get(name)  # if it brings none, the old one holds
            await user.save_auth_state(fresh)
            if not is_there(user):
                return False
            if session := user.db.get(sessions.Session, user.id):
                session.refreshed_at = grants.now()
            self.record(user.db, user.orm_user, claims)
        return True

    async def take_over(self, user: User, tenants: dict[str, Any], asked_at: datetime) -> None:
        """Write down tenants and roles that the provider was asked for at that moment."""
        async with self.lock(user.name):
            state = await user.get_auth_state()
            session = user.db.get(sessions.Session, user.id)
            if not state or session is None or session.refreshed_at > asked_at:
                return
            claims = {**state[self.user_auth_state_key], "tenants": tenants}
            await user.save_auth_state({**state, self.user_auth_state_key: claims})
            if is_there(user):
                self.record(user.db, user.orm_user, claims)

    def record(self, db: Session, user: orm.User, claims: dict[str, Any]) -> None:
        """Write down what the provider just said of a person: identity, groups, full admin.

        Called after the last await of a sign-in or a refresh; commits.
        """
        identity = db.get(grants.Identity, user.id)
        if identity is None:
            identity = grants.Identity(
                user_id=user.id, issuer=self.project_id, subject=claims["sub"]
            )
            db.add(identity)
        identity.confirmed_at = grants.now()
        if session := db.get(sessions.Session, user.id):
            session.seen = sessions.digest(claims.get("tenants"))
            session.tenant = self.tenant_of(claims) or ""
        identity_notices.settled(db, claims["sub"])
        user.admin = self.is_hub_admin(user.name, claims)
        # Rights come from the role, not from the flag; JupyterHub asks the database for each role.
        roles = {role.name for role in user.roles}
        if "user" not in roles or ("admin" in roles) != user.admin:
            assign_default_roles(db, entity=user)
        given = self.provider_groups(claims)
        grants.set_provider_groups(db, user, given, by="provider", reasons=given)
