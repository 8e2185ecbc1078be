"""DescopeAuthenticator: signs people in through Descope and turns their roles into groups."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyterhub import orm
from sqlalchemy import select
from sqlalchemy.orm import Session
from tornado import web
from traitlets import Dict, Float, Integer, List, Set, Unicode, default

from . import (
    announcement,
    audit,
    claims_api,
    embedding,
    folder_secrets,
    grants,
    health,
    look,
    queries,
    shared_data,
    thumbnails,
    turns,
)
from . import claims as claim_rules
from .access import asking, forget, group_api, managers
from .access import report_api as access_api
from .access import requests as access_requests
from .access.directory import Directory
from .access.follow import Follower
from .accounts import server_api
from .audit import api as audit_api
from .claims import RefusedClaims
from .folders import PUBLISHERS_SUFFIX
from .publishing import api as publishing_api
from .publishing import pages as publishing_pages
from .settings import SettingsError
from .signing_in import (
    back_channel,
    closed,
    deep_links,
    identity_notices,
    kept_lab,
    log,
    opening,
    pending,
    provider,
    sessions,
    sign_in,
    sign_out,
    signed_in,
)
from .signing_in.confirming import ConfirmingAuthenticator
from .signing_in.rate_limit import RateLimits
from .usage import api as usage_api

#: Proxies refuse an address that is longer, and it goes into one as `id_token_hint`.
_LONGEST_ID_TOKEN = 8 * 1024


class DescopeAuthenticator(ConfirmingAuthenticator):
    """Sign in with Descope; the owner tenant's roles become hub groups by the table of grants."""

    login_service = "Descope"
    login_handler = sign_in.SignInHandler
    callback_handler = sign_in.CallbackHandler
    logout_handler = sign_out.SignOutHandler

    project_id = Unicode(config=True, help="The Descope project's id.")
    base_uri = Unicode(config=True, help="Where Descope answers, without a slash at the end.")
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
    management_key = Unicode(
        config=True, help="Opens Descope's management API, to see who changed."
    )
    management_uri = Unicode(config=True, help="Where the hub reaches Descope's management API.")
    revoke_seconds = Float(
        30, config=True, help="Within how many seconds what is taken away at Descope ends here."
    )
    sign_in_limit = Integer(
        300, config=True, help="Sign-ins that one address may begin in a minute."
    )
    trusted_proxies = List(
        config=True, help="Networks of the proxies whose X-Forwarded-For is believed."
    )
    state_folder = Unicode(config=True, help="The hub's state folder, for the audit trail.")
    publishing_obstacle = Unicode(
        config=True, help="Why nobody can publish here, a sentence; empty if they can."
    )
    publishing_warning = Unicode(
        config=True, help="What admins are told of publishing here, a sentence; empty for nothing."
    )
    audit_key = Unicode(config=True, help="The key of the audit trail's chain, in hexadecimal.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
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

    @default("client_id")
    def _client_id_default(self) -> str:
        return self.project_id

    @default("scope")
    def _scope_default(self) -> list[str]:
        return list(claim_rules.SCOPES)

    @default("username_claim")
    def _username_claim_default(self) -> Any:
        return claim_rules.username_from_claims

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
        self._open(app)
        self.log.info("Signing in through %s", self.provider_metadata["issuer"])
        self.follower = Follower(app, self, self.revoke_seconds, self._directory())
        self._following = asyncio.get_running_loop().create_task(self.follower.run())
        return [
            *super().get_handlers(app),
            *sign_in.handlers,
            *opening.handlers,
            *sign_out.handlers,
            *kept_lab.handlers,
            *signed_in.handlers,
            *back_channel.handlers,
            *group_api.handlers,
            *claims_api.handlers,
            *audit_api.handlers,
            *access_api.handlers,
            *usage_api.handlers,
            *health.handlers,
            *server_api.handlers,
            *shared_data.handlers,
            *folder_secrets.handlers,
            *thumbnails.handlers,
            *deep_links.handlers,
            *embedding.handlers,
            *closed.handlers,
            *asking.handlers,
            *publishing_api.handlers,
            *publishing_pages.handlers,
            *announcement.handlers,
            *look.handlers(),
        ]

    def _open(self, app: Any) -> None:
        """Make ready what the sign-ins, the grants and the audit trail are kept in."""
        self._check_role_map()
        log.keep_secrets_out()
        queries.write_ahead(app.db)
        queries.leave_out_pings(app.db)
        queries.load_one_alone(app.db)
        queries.let_go_of_deleted(app.db)
        turns.take_turns()
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
        announcement.create_tables(app.db)
        usage_api.start(app)
        grants.adopt_memberships(app.db)
        managers.keep_roles(app.db, self.provided_groups, self.customer_tenants)
        self._warn_of_a_hidden_proxy()
        self._tell_publishers(app.db)

    def _check_role_map(self) -> None:
        customers = claim_rules.customer_groups(self.customer_tenants)
        if taken := customers.intersection(self.role_groups.values()):
            raise SettingsError(
                f"the role map gives people of the owner tenant the group {min(taken)}, which is a"
                " customer's; give that role another group"
            )

    def _warn_of_a_hidden_proxy(self) -> None:
        if self.oauth_callback_url.startswith("https:") and not self.trusted_proxies:
            self.log.warning(
                "ATRIUM_TRUSTED_PROXIES is not set: for the limit on sign-ins everybody behind the "
                "proxy that ends TLS is one address; set it to that proxy's"
            )

    def _tell_publishers(self, db: Session) -> None:
        """Say which groups are a right to publish: one may be older than that meaning."""
        named = orm.Group.name.endswith(PUBLISHERS_SUFFIX, autoescape=True)
        groups = db.scalars(select(orm.Group).where(named).order_by(orm.Group.name))
        if found := [f"{group.name} ({len(group.users)})" for group in groups]:
            self.log.warning(
                "Members of these groups may publish to the folder that each is named after: %s",
                ", ".join(found),
            )

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

    # -- what claims mean here ----------------------------------------------------------------

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
