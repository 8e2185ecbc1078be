"""What a store holds at its first start, and what each start brings: key, addresses, flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .config import Config
from .flows.flow import load_flow, read_flow
from .records import (
    DEFAULT_APP,
    AccessKey,
    Application,
    OidcApplication,
    OidcSettings,
    Place,
    Role,
    Secret,
    SsoSettings,
    Tenant,
    User,
)
from .store import Store, Transaction, digest_of

#: Id, name, and the domains whose people sign in by single sign-on, which the stand-in plays too.
TENANTS: Sequence[tuple[str, str, list[str]]] = (
    ("acme", "Acme", []),
    ("globex", "Globex", ["globex.test"]),
)
ROLES: Mapping[str, str] = {
    "Tenant Admin": "Manages the people of a tenant",
    "Analyst": "Writes notebooks",
}
#: Address, name, tenant, roles there.
ACCOUNTS: Sequence[tuple[str, str, str, list[str]]] = (
    ("admin@acme.test", "Acme Admin", "acme", ["Tenant Admin"]),
    ("analyst@acme.test", "Acme Analyst", "acme", ["Analyst"]),
    ("member@acme.test", "Acme Member", "acme", []),
    ("member@globex.test", "Globex Member", "globex", []),
)
SCOPES = ["openid", "email", "profile", "descope.claims", "descope.custom_claims"]


def seed(store: Store, config: Config) -> None:
    """Fill a new store, with the known accounts unless it is to be empty; then, at every start,
    take in the hub's key and addresses and a changed flow file.

    Raises:
        FlowError: the flow file cannot be run.
    """
    with store.begin() as db:
        if db.record(Application, DEFAULT_APP) is None:
            oidc = (
                OidcApplication()
                if config.empty
                else OidcApplication(claims=SCOPES, forcePkce=True)
            )
            db.keep(Application(id=DEFAULT_APP, name="OIDC default application", oidc=oidc))
            if not config.empty:
                _add_accounts(db)
        digest = digest_of(config.client_secret)
        if digest not in {key.digest for key in db.records(AccessKey)}:
            db.keep(AccessKey(name="The hub's client secret", digest=digest))
        if not config.empty:
            _approve(db, config.redirects)
            _load_flow_file(db, config)


def _add_accounts(db: Transaction) -> None:
    db.keep(SsoSettings(mergeUsers=True, blockIfEmailDomainMismatch=True))
    for name, description in ROLES.items():
        db.keep(Role(name=name, description=description))
    for key, name, domains in TENANTS:
        kind = "oidc" if domains else "none"
        db.keep(Tenant(id=key, name=name, authType=kind, domains=domains))
        if domains:
            db.keep(OidcSettings(tenantId=key))
    for email, name, tenant, roles in ACCOUNTS:
        place = Place(tenantId=tenant, roleNames=roles)
        user = User(loginIds=[email], email=email, verifiedEmail=True, name=name)
        user.userTenants = [place]
        db.keep(user)


def _approve(db: Transaction, redirects: Sequence[str]) -> None:
    application = db.record(Application, DEFAULT_APP)
    assert application, "kept a moment ago"
    known = application.oidc.approvedRedirectUrls
    application.oidc.approvedRedirectUrls = list(dict.fromkeys([*known, *redirects]))
    db.keep(application)


def _load_flow_file(db: Transaction, config: Config) -> None:
    """Take the flow file where it has changed since: what was imported meanwhile holds else."""
    flow = read_flow(config.flow)
    digest = digest_of(flow.model_dump_json())
    loaded = db.record(Secret, "flow-file")
    if loaded is None or loaded.value != digest:
        load_flow(flow)
        db.keep(flow)
        db.keep(Secret(id="flow-file", value=digest))
