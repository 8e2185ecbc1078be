"""What a store holds at its first start, and what each start brings: key, addresses, flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .config import Config
from .flows.loading import load_flow, read_flow
from .records import (
    DEFAULT_APP,
    AccessKey,
    Application,
    OidcApplication,
    OidcSettings,
    Place,
    Record,
    Role,
    Secret,
    SsoSettings,
    Tenant,
    User,
)
from .store import Store, Transaction, digest_of

#: Address, name, tenant, roles there.
ACCOUNTS: Sequence[tuple[str, str, str, list[str]]] = (
    ("admin@acme.test", "Acme Admin", "acme", ["Tenant Admin"]),
    ("analyst@acme.test", "Acme Analyst", "acme", ["Analyst"]),
    ("member@acme.test", "Acme Member", "acme", []),
    ("member@globex.test", "Globex Member", "globex", []),
)
CLAIMS = ["openid", "email", "profile", "descope.claims", "descope.custom_claims"]


def seed(store: Store, config: Config) -> None:
    """Fill a new store, with the known accounts unless it is to be empty; then, at every start,
    take in the hub's key and addresses and a changed flow file.

    Raises:
        FlowError: the flow file cannot be run.
    """
    with store.begin() as db:
        application = db.record(Application, DEFAULT_APP)
        if application is None:
            application = Application(id=DEFAULT_APP, name="OIDC default application")
            if not config.empty:
                application.oidc = OidcApplication(claims=CLAIMS, forcePkce=True)
                for record in _known_project():
                    db.keep(record)
        if not config.empty:
            known = application.oidc.approvedRedirectUrls
            approved = list(dict.fromkeys([*known, *config.redirects]))
            application.oidc.approvedRedirectUrls = approved
            application.oidc.backChannelLogoutUrl = config.logout_url or ""
            _load_flow_file(db, config)
        db.keep(application)
        digest = digest_of(config.client_secret)
        if digest not in {key.digest for key in db.records(AccessKey)}:
            db.keep(AccessKey(name="The hub's client secret", digest=digest))


def _known_project() -> Iterator[Record]:
    yield SsoSettings(mergeUsers=True, blockIfEmailDomainMismatch=True)
    yield Role(name="Tenant Admin", description="Manages the people of a tenant")
    yield Role(name="Analyst", description="Writes notebooks")
    yield Tenant(id="acme", name="Acme")
    # its people sign in by single sign-on, which the stand-in plays too
    yield Tenant(id="globex", name="Globex", authType="oidc", domains=["globex.test"])
    yield OidcSettings(tenantId="globex")
    for email, name, tenant, roles in ACCOUNTS:
        places = [Place(tenantId=tenant, roleNames=roles)]
        yield User(loginIds=[email], email=email, verifiedEmail=True, name=name, userTenants=places)


def _load_flow_file(db: Transaction, config: Config) -> None:
    """Take the flow file where it has changed since: what was imported meanwhile holds else."""
    flow = read_flow(config.flow)
    digest = digest_of(flow.model_dump_json())
    loaded = db.record(Secret, "flow-file")
    if loaded is None or loaded.value != digest:
        load_flow(flow)
        db.keep(flow)
        db.keep(Secret(id="flow-file", value=digest))
