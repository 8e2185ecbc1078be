"""DescopeAuthenticator: signs people in through Descope and turns their roles into groups."""

from __future__ import annotations

import asyncio
import json
import math
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
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
from traitlets import Dict, Float, Integer, List, Set, Unicode, default

from . import audit, claims_api, grants, look
from . import claims as claim_rules
from .access import asking, forget, group_api, managers
from .access import report_api as access_api
from .access import requests as access_requests
from .access.directory import Directory
from .access.follow import Follower
from .accounts import server_api
from .audit import api as audit_api
from .claims import RefusedClaims
from .settings import SettingsError
from .signing_in import (
    back_channel,
    closed,
    deep_links,
    identity_notices,
    log,
    pending,
    provider,
    sessions,
    sign_in,
    sign_out,
    signed_in,
)
from .signing_in.rate_limit import RateLimits


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
    management_key = Unicode(
        config=True, help="Opens Descope's management API, to see who changed."
    )
    management_uri = Unicode(config=True, help="Where the hub reaches Descope's management API.")
    revoke_seconds = Float(
        30, config=True, help="Within how many seconds what is taken away at Descope ends here."
    )
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
    sign_in_limit = Integer(
        300, config=True, help="Sign-ins that one address may begin in a minute."
    )
    trusted_proxies = List(
        config=True, help="Networks of the proxies whose X-Forwarded-For is believed."
    )
    provider_timeout = Float(8.0, config=True, help="Seconds to wait for one of its answers.")

    state_folder = Unicode(config=True, help="The hub's state folder, for the audit trail.")
    audit_key = Unicode(config=True, help="The key of the audit trail's chain, in hexadecimal.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._keys: KeySet | None = None
        self._keys_at = 0.0
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.rate_limits = RateLimits(self.sign_in_limit)

    # -- what a project id says about the rest ---------------------------------------------

    @default("base_uri")
    def _base_uri_default(self) -> str:
        return provider.descope_base_uri(self.project_id)

    @default("management_uri")
    def _management_uri_default(self) -> str:
        return self.base_uri

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
        customers = claim_rules.customer_groups(self.customer_tenants)
        if taken := customers.intersection(self.role_groups.values()):
            raise SettingsError(
                f"the role map gives people of the owner tenant the group {min(taken)}, which is a"
                " customer's; give that role another group"
            )
        log.keep_tokens_out()
        grants.create_tables(app.db)
        sessions.create_tables(app.db)
        if other := grants.other_issuer(app.db, self.project_id):
            raise SettingsError(
                f"the database in ATRIUM_DB_URL holds the people of {other}, not of "
                f"{self.project_id}; set DESCOPE_PROJECT_ID back, or use another database"
            )
        pending.create_tables(app.db)
        try:
            audit.configure(Path(self.state_folder) / "audit", self.audit_key)
        except audit.TrailInUse as error:
            raise SettingsError(f"{error}; stop it first, or set ATRIUM_STATE") from None
        forget.follow(app, Path(self.state_folder))
        identity_notices.create_tables(app.db)
        access_requests.create_tables(app.db)
        grants.adopt_memberships(app.db)
        managers.keep_roles(app.db, self.provided_groups, self.customer_tenants)
        self.log.info("Signing in through %s", self.provider_metadata["issuer"])
        self.follower = Follower(app, self, self.revoke_seconds, self._directory())
        self._following = asyncio.get_running_loop().create_task(self.follower.run())
        if self.oauth_callback_url.startswith("https:") and not self.trusted_proxies:
            self.log.warning(
                "ATRIUM_TRUSTED_PROXIES is not set: for the limit on sign-ins everybody behind the "
                "proxy that ends TLS is one address; set it to that proxy's"
            )
        return [
            *super().get_handlers(app),
            *sign_in.handlers,
            *sign_out.handlers,
            *signed_in.handlers,
            *back_channel.handlers,
            *group_api.handlers,
            *claims_api.handlers,
            *audit_api.handlers,
            *access_api.handlers,
            *server_api.handlers,
            *deep_links.handlers,
            *closed.handlers,
            *asking.handlers,
            *look.handlers(),
        ]

    def _directory(self) -> Directory | None:
        """What tells of many people with one call; None without a management key."""
        if not self.management_key:
            self.log.warning(
                "DESCOPE_MANAGEMENT_KEY is not set: Descope can be asked about one person at a "
                "time only, so with more than %d signed in, what is taken away there counts "
                "later than after %d seconds",
                int(self.revoke_seconds / 3),
                self.revoke_seconds,
            )
            return None
        return Directory(self.project_id, self.management_uri, self.management_key)

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

    def provider_groups(self, claims: dict[str, Any]) -> dict[str, str]:
        """The groups that these claims give, each with the reason."""
        return claim_rules.groups_from_claims(
            claims,
            self.owner_tenant,
            self.role_groups,
            self.required_amr,
            self.customer_tenants,
        )

    @property
    def provided_groups(self) -> frozenset[str]:
        """The groups that follow the provider: an admin of the hub does not change them."""
        own = {claim_rules.MEMBERS, *claim_rules.ROLE_GROUPS.values(), *self.role_groups.values()}
        return claim_rules.customer_groups(self.customer_tenants) | own

    def tenant_of(self, claims: dict[str, Any]) -> str | None:
        """The tenant that a person belongs to here."""
        return claim_rules.tenant_of(claims, self.owner_tenant, self.customer_tenants)

    def roles_held_back(self, claims: dict[str, Any]) -> frozenset[str]:
        """Roles that would give a group, had this person signed in by a required way."""
        return claim_rules.roles_held_back(
            claims,
            self.owner_tenant,
            self.role_groups,
            self.required_amr,
            self.customer_tenants,
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

    async def keys(self, known_for: float = math.inf) -> KeySet:
        """The provider's keys; those kept for more than so many seconds are fetched anew."""
        if self._keys and time.monotonic() - self._keys_at <= known_for:
            return self._keys
        return await self._fetch_keys()

    async def _fetch_keys(self) -> KeySet:
        document = await self.httpfetch(self.provider_metadata["jwks_uri"], "Fetching keys")
        try:
            self._keys = KeySet.import_key_set(document)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise provider.ProviderUnreachable from error
        self._keys_at = time.monotonic()
        return self._keys

    # -- following the provider while somebody is signed in ---------------------------------

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

    async def confirm(self, user: User, *, ask_roles: bool) -> bool:
        """Exchange a person's refresh token and act on the answer; False ends everything of theirs.

        Args:
            ask_roles: ask for their claims too, which is one more call.

        Raises:
            ProviderUnreachable: there is no answer; nothing has changed.
        """
        state = await user.get_auth_state() or {}
        try:
            confirmed = await self._ask_provider(user, state, ask_roles)
        except provider.ProviderUnreachable:
            raise
        except (web.HTTPError, RefusedClaims) as error:
            self.log.info("The provider no longer confirms %s: %s", user.name, error)
            confirmed = False
        if not confirmed:
            async with self.lock(user.name):
                if await self._is_latest(user, state):
                    await self.follower.end(user.id, "dismissed")
        return confirmed

    async def _is_latest(self, user: User, state: dict[str, Any]) -> bool:
        """Whether nobody has signed in or out since: else an answer is of what is over."""
        latest = await user.get_auth_state() or {}
        return latest.get("refresh_token") == state.get("refresh_token")

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
        claim_rules.username_from_claims(claims)
        # A refresh need not repeat how its session began.
        claims.setdefault("amr", before.get("amr"))
        async with self.lock(user.name):
            latest = await user.get_auth_state() or {}
            if latest.get("refresh_token") != token:
                return bool(latest)
            if not ask_roles:  # the directory may have told of them meanwhile
                claims = dict(latest[self.user_auth_state_key])
            fresh = self.build_auth_state_dict(token_info, claims)
            for name in ("refresh_token", "id_token"):
                fresh[name] = fresh[name] or state.get(name)  # if it brings none, the old one holds
            await user.save_auth_state(fresh)
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
        assign_default_roles(db, entity=user)  # rights come from the role, not from the flag
        given = self.provider_groups(claims)
        grants.set_provider_groups(db, user, given, by="provider", reasons=given)
