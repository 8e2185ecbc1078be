"""DescopeAuthenticator: signs people in through Descope and turns their roles into groups."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode
from weakref import WeakValueDictionary

from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from jupyterhub import orm
from jupyterhub.roles import assign_default_roles
from jupyterhub.user import User
from oauthenticator.generic import GenericOAuthenticator
from sqlalchemy.orm import Session
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest
from traitlets import Dict, Float, Integer, Set, Unicode, default

from . import (
    access_requests,
    asking,
    claims_api,
    deep_links,
    grants,
    group_api,
    look,
    pending,
    provider,
    sign_in,
    sign_out,
)
from . import claims as claim_rules
from .claims import RefusedClaims
from .settings import SettingsError

#: Seconds that a page waits for the provider's word on somebody last confirmed long ago.
_PATIENCE: Final = 1.0
#: Seconds after which a provider that was away is asked again.
_ASK_AGAIN: Final = 30


class DescopeAuthenticator(GenericOAuthenticator):
    """Sign in with Descope; the owner tenant's roles become hub groups by the table of grants."""

    login_service = "Descope"
    login_handler = sign_in.SignInHandler
    callback_handler = sign_in.CallbackHandler
    logout_handler = sign_out.SignOutHandler

    project_id = Unicode(config=True, help="The Descope project's id.")
    base_uri = Unicode(config=True, help="Where Descope answers, without a slash at the end.")
    issuer = Unicode(config=True, help="The OpenID Connect issuer: base address and project id.")
    owner_tenant = Unicode(config=True, help="The tenant whose people own this hub.")
    customer_tenants = Set(
        config=True, help="The tenants of customers, whose members get groups of their own."
    )
    role_groups = Dict(
        dict(claim_rules.ROLE_GROUPS),
        config=True,
        help="Roles of the owner tenant and the hub group that each gives. Exact, case-sensitive.",
    )
    hub_admins = Set(
        config=True,
        help="Addresses of JupyterHub's full admins. They must be members of the owner tenant.",
    )
    required_amr = Set(
        config=True,
        help="Ways of signing in (amr), one of which is needed for a role to count. Any, if empty.",
    )
    provider_metadata = Dict(
        config=True,
        help="The provider's endpoints by their names in OpenID Connect Discovery. Discovered.",
    )
    grace_seconds = Integer(
        3600,
        config=True,
        help="How long a signed-in person works on while the provider is away, from its last yes.",
    )
    provider_timeout = Float(8.0, config=True, help="Seconds to wait for one of its answers.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._keys: KeySet | None = None
        self._refreshing: dict[str, asyncio.Task[bool]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._app: Any = None
        self._away_until = 0.0

    # -- what a project id says about the rest ---------------------------------------------

    @default("base_uri")
    def _base_uri_default(self) -> str:
        return provider.descope_base_uri(self.project_id)

    @default("issuer")
    def _issuer_default(self) -> str:
        return f"{self.base_uri}/{self.project_id}"

    @default("provider_metadata")
    def _provider_metadata_default(self) -> dict[str, str]:
        return provider.discover(self.issuer)

    @default("client_id")
    def _client_id_default(self) -> str:
        return self.project_id

    @default("authorize_url")
    def _authorize_url_default(self) -> str:
        return self.provider_metadata["authorization_endpoint"]

    @default("token_url")
    def _token_url_default(self) -> str:
        return self.provider_metadata["token_endpoint"]

    @default("userdata_url")
    def _userdata_url_default(self) -> str:
        return self.provider_metadata["userinfo_endpoint"]

    @default("scope")
    def _scope_default(self) -> list[str]:
        return list(claim_rules.SCOPES)

    @default("username_claim")
    def _username_claim_default(self) -> Any:
        return claim_rules.username_from_claims

    @default("http_request_kwargs")
    def _http_request_kwargs_default(self) -> dict[str, Any]:
        # A redirect would carry the client secret or a token elsewhere.
        timeout = self.provider_timeout
        return {"follow_redirects": False, "connect_timeout": timeout, "request_timeout": timeout}

    @default("allow_all")
    def _allow_all_default(self) -> bool:
        # Everybody with a verified address may sign in; without a group they see a friendly
        # page that says so and get no server.
        return True

    @default("enable_auth_state")
    def _enable_auth_state_default(self) -> bool:
        return True

    @default("auto_login")
    def _auto_login_default(self) -> bool:
        return True

    # -- JupyterHub's hooks ----------------------------------------------------------------

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """JupyterHub's handlers of this authenticator. Called once, when the hub starts.

        Raises:
            SettingsError: the provider cannot be reached, or the database is another one's.
        """
        self._app = app
        grants.create_tables(app.db)
        if other := grants.other_issuer(app.db, self.project_id):
            raise SettingsError(
                f"the database in ATRIUM_DB_URL holds the people of {other}, not of "
                f"{self.project_id}; set DESCOPE_PROJECT_ID back, or use another database"
            )
        pending.create_tables(app.db)
        access_requests.create_tables(app.db)
        grants.adopt_memberships(app.db)
        self.log.info("Signing in through %s", self.provider_metadata["issuer"])
        return [
            *super().get_handlers(app),
            *sign_in.handlers,
            *sign_out.handlers,
            *group_api.handlers,
            *claims_api.handlers,
            *deep_links.handlers,
            *asking.handlers,
            *look.handlers(),
        ]

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """The hub user's name. Called by :meth:`.authenticate`."""
        try:
            return claim_rules.username_from_claims(user_info)
        except RefusedClaims as error:
            raise web.HTTPError(403, str(error)) from error

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Full admins are named by the operator, and members of the owner tenant."""
        auth_model["admin"] = self.is_hub_admin(auth_model["name"], self.claims_of(auth_model))
        return auth_model

    def claims_of(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """The claims in an auth model."""
        return auth_model["auth_state"][self.user_auth_state_key]

    def is_hub_admin(self, name: str, claims: dict[str, Any]) -> bool:
        """Whether a person is one of JupyterHub's full admins."""
        member = claim_rules.tenant_roles(claims, self.owner_tenant) is not None
        named = name in {address.casefold() for address in self.hub_admins}
        return member and named and self.signed_in_well(claims)

    def signed_in_well(self, claims: dict[str, Any]) -> bool:
        """Whether somebody signed in by a way for which their roles count."""
        return claim_rules.signed_in_by(claims, self.required_amr)

    def provider_groups(self, claims: dict[str, Any]) -> frozenset[str]:
        """The groups that these claims give."""
        return claim_rules.groups_from_claims(
            claims, self.owner_tenant, self.role_groups, self.required_amr
        )

    @property
    def provided_groups(self) -> frozenset[str]:
        """The groups that follow the provider: an admin of the hub does not change them."""
        own = {claim_rules.MEMBERS, *claim_rules.ROLE_GROUPS.values(), *self.role_groups.values()}
        return claim_rules.customer_groups(self.customer_tenants) | own

    def roles_held_back(self, claims: dict[str, Any]) -> frozenset[str]:
        """Roles that would give a group, had this person signed in by a required way."""
        return claim_rules.roles_held_back(
            claims, self.owner_tenant, self.role_groups, self.required_amr
        )

    def lock(self, name: str) -> asyncio.Lock:
        """Held while what the provider said of a person is acted on, from the look at what was
        known before to the last word written: two sign-ins at once come one after the other."""
        return self._locks.setdefault(name, asyncio.Lock())

    # -- talking to the provider -----------------------------------------------------------

    async def fetch(
        self, req: HTTPRequest, label: str = "fetching", parse_json: bool = True, **kwargs: Any
    ) -> Any:
        """As oauthenticator's, but logs no answer and no query, and tells "no" from "away"."""
        try:
            answer = await self.http_client.fetch(req, **kwargs)
            return json.loads(answer.body) if parse_json else answer
        except HTTPClientError as error:
            self.log.warning("%s: %s from %s", label, error.code, req.url.partition("?")[0])
            if provider.is_refusal(error):
                raise provider.ProviderRefused from error
            raise provider.ProviderUnreachable from error
        except (OSError, ValueError) as error:
            self.log.warning("%s: %s at %s", label, type(error).__name__, req.url.partition("?")[0])
            raise provider.ProviderUnreachable from error

    async def get_token_info(self, handler: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Exchange a code or a refresh token; the ID token in the answer is checked in full.

        The verified claims are kept beside it as `id_token_claims`.

        Raises:
            ProviderRefused, ProviderUnreachable, web.HTTPError: 403 for a token that is not right.
        """
        token_info = await self.httpfetch(
            self.token_url,
            "Asking for tokens",
            method="POST",
            headers=self.build_token_info_request_headers(),
            body=urlencode(params),
            validate_cert=self.validate_server_cert,
        )
        if not isinstance(token_info, dict) or "access_token" not in token_info:
            raise provider.ProviderRefused
        verifier = params.get("code_verifier")
        if verifier or token_info.get("id_token"):
            nonce = provider.nonce_for(verifier) if verifier else None
            token_info["id_token_claims"] = await self._verified(token_info.get("id_token"), nonce)
        return token_info

    async def token_to_user(self, token_info: dict[str, Any]) -> dict[str, Any]:
        """Userinfo over the verified claims of the ID token, if both speak of the same person."""
        in_token = token_info.get("id_token_claims") or {}
        user_info = await super().token_to_user(token_info)
        if not isinstance(user_info, dict) or not isinstance(user_info.get("sub"), str):
            raise web.HTTPError(403, "The sign-in service did not say who you are.")
        if in_token and in_token["sub"] != user_info["sub"]:
            self.log.warning("Userinfo and ID token speak of different people")
            raise web.HTTPError(403, "The sign-in service gave contradicting answers.")
        told = {**in_token, **user_info}
        told.pop("amr", None)  # how somebody signed in is for the ID token alone to say
        return told | {name: in_token[name] for name in ("amr",) if name in in_token}

    def build_auth_state_dict(self, token_info: dict[str, Any], user_info: dict[str, Any]) -> Any:
        """What is kept of a sign-in, encrypted: claims, refresh and ID token, nothing twice."""
        return {
            "refresh_token": token_info.get("refresh_token"),
            "id_token": token_info.get("id_token"),
            self.user_auth_state_key: user_info,
        }

    async def _verified(self, id_token: Any, nonce: str | None) -> dict[str, Any]:
        if not isinstance(id_token, str):
            raise web.HTTPError(403, "The sign-in service gave no identity.")
        expected = {"issuer": self.provider_metadata["issuer"], "audience": self.client_id}
        for keys in (self._keys, None):
            # A key that is not known yet may be new: fetch the keys once more (key rotation).
            if keys is None:
                keys = await self._fetch_keys()
            try:
                return provider.verified_claims(id_token, keys, nonce=nonce, **expected)
            except provider.InvalidToken as error:
                refused = error
        self.log.warning("%s", refused)
        raise web.HTTPError(403, "The sign-in service's answer could not be trusted.")

    async def _fetch_keys(self) -> KeySet:
        document = await self.httpfetch(self.provider_metadata["jwks_uri"], "Fetching keys")
        try:
            self._keys = KeySet.import_key_set(document)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise provider.ProviderUnreachable from error
        return self._keys

    # -- following the provider while somebody is signed in ---------------------------------

    async def refresh_user(self, user: User, handler: Any = None, **_kwargs: Any) -> bool:
        """Whether a signed-in person still is; asks the provider beside the page, not before it.

        One question at a time per person. Somebody last confirmed long ago waits for the answer,
        for a moment; then, or while the provider is away, the grace time decides.
        """
        identity = user.db.get(grants.Identity, user.id)
        if identity is None:
            return False
        age = grants.now() - identity.confirmed_at
        if age < timedelta(seconds=self.auth_refresh_age):
            return True
        in_grace = age < timedelta(seconds=self.grace_seconds)
        if time.monotonic() < self._away_until:
            return in_grace
        task = self._refreshing.get(user.name)
        if task is None:
            task = asyncio.create_task(self._confirm(user))
            self._refreshing[user.name] = task
            task.add_done_callback(functools.partial(self._refreshed, user.name))
        if age < timedelta(seconds=2 * self.auth_refresh_age):
            return True
        try:
            return await asyncio.wait_for(asyncio.shield(task), _PATIENCE)
        except TimeoutError:
            return in_grace

    def _refreshed(self, name: str, task: asyncio.Task[bool]) -> None:
        """A question to the provider has ended, perhaps with nobody waiting for it."""
        self._refreshing.pop(name, None)
        if not task.cancelled() and (error := task.exception()):
            self.log.error("Asking the provider about %s failed", name, exc_info=error)

    async def _confirm(self, user: User) -> bool:
        """Ask the provider about a person, and act on the answer."""
        state = await user.get_auth_state() or {}
        try:
            confirmed = await self._ask_provider(user, state)
        except provider.ProviderUnreachable:
            self._away_until = time.monotonic() + _ASK_AGAIN
            identity = user.db.get(grants.Identity, user.id)
            grace = timedelta(seconds=self.grace_seconds)
            confirmed = identity is not None and grants.now() - identity.confirmed_at < grace
        except (web.HTTPError, RefusedClaims) as error:
            self.log.info("The provider no longer confirms %s: %s", user.name, error)
            confirmed = False
        if not confirmed:
            async with self.lock(user.name):
                if await self._is_latest(user, state):
                    await sign_out.end_everything(self._app, user)
                    grants.set_provider_groups(user.db, user.orm_user, (), by="provider")
        return confirmed

    async def _is_latest(self, user: User, state: dict[str, Any]) -> bool:
        """Whether nobody has signed in or out since: else an answer is of what is over."""
        latest = await user.get_auth_state() or {}
        return latest.get("refresh_token") == state.get("refresh_token")

    async def _ask_provider(self, user: User, state: dict[str, Any]) -> bool:
        token = state.get("refresh_token")
        if not token:
            return False
        token_info = await self.get_token_info(None, self.build_refresh_token_request_params(token))
        claims = await self.token_to_user(token_info)
        identity = user.db.get(grants.Identity, user.id)
        if identity is None or claims["sub"] != identity.subject:
            return False
        claim_rules.username_from_claims(claims)
        # A refresh need not repeat how its session began.
        claims.setdefault("amr", (state.get(self.user_auth_state_key) or {}).get("amr"))
        async with self.lock(user.name):
            if not await self._is_latest(user, state):
                return await user.get_auth_state() is not None
            fresh = self.build_auth_state_dict(token_info, claims)
            for name in (
                "refresh_token",
                "id_token",
            ):  # an answer may bring none: the old one holds
                fresh[name] = fresh[name] or state.get(name)
            await user.save_auth_state(fresh)
            self.record(user.db, user.orm_user, claims)
        return True

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
        user.admin = self.is_hub_admin(user.name, claims)
        assign_default_roles(db, entity=user)  # rights come from the role, not from the flag
        grants.set_provider_groups(db, user, self.provider_groups(claims), by="provider")
