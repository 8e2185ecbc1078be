"""The management API's calls about a tenant's single sign-on."""

from __future__ import annotations

from typing import Any

from ..errors import DescopeError
from ..flows.people import CLAIM_NAMES
from ..records import OidcSettings, Record, Role, RoleMapping, Tenant, User
from ..store import Transaction
from .frame import call
from .named import usable_roles


class TenantName(Record):
    tenantId: str


class ConfigureOidc(TenantName):
    settings: OidcSettings
    domains: list[str] = []


class ConfigureMapping(TenantName):
    roleMappings: list[RoleMapping] = []
    attributeMapping: dict[str, Any] = {}


def _settings(db: Transaction, tenant: Tenant) -> OidcSettings:
    return db.record(OidcSettings, tenant.id) or OidcSettings(tenantId=tenant.id)


@call("v2/mgmt/sso/settings", TenantName, method="GET")
def load_sso(db: Transaction, told: TenantName) -> dict[str, Any]:
    """The settings without the client's secret; empty ones where there are none."""
    tenant = db.found(Tenant, told.tenantId)
    settings = _settings(db, tenant)
    ids = {role.name: role.id for role in db.records(Role)}
    groups = [
        {"role": {"id": ids.get(each.roleName, ""), "name": each.roleName}, "groups": each.groups}
        for each in settings.groupsMapping
    ]
    oidc = settings.model_dump(exclude={"tenantId"}) | {
        "clientSecret": "",
        "groupsMapping": groups,
        "userAttrMapping": {**CLAIM_NAMES, "group": "", **settings.userAttrMapping},
        "lastSuccessTestTime": 0,
    }
    return {"tenant": tenant.model_dump(), "saml": {"groupsMapping": []}, "oidc": oidc}


@call("v1/mgmt/sso/oidc", ConfigureOidc)
def configure_oidc(db: Transaction, told: ConfigureOidc) -> None:
    """Replace a tenant's settings. A secret that is left out stays, so do the groups' roles."""
    tenant = db.found(Tenant, told.tenantId)
    domains = [domain.lower().strip() for domain in told.domains]
    for other in db.records(Tenant):
        if other.id != tenant.id and (taken := set(domains) & set(other.domains)):
            raise DescopeError("E011003", f"The domain {min(taken)} belongs to another tenant")
    before = _settings(db, tenant)
    mapping = {key: name for key, name in told.settings.userAttrMapping.items() if name}
    db.keep(
        told.settings.changed(
            tenantId=tenant.id,
            clientSecret=told.settings.clientSecret or before.clientSecret,
            userAttrMapping={"group": before.userAttrMapping.get("group"), **mapping},
            groupsMapping=before.groupsMapping,
            defaultSSORoles=before.defaultSSORoles,
        )
    )
    db.keep(tenant.changed(authType="oidc", domains=domains))


@call("v1/mgmt/sso/mapping", ConfigureMapping)
def configure_mapping(db: Transaction, told: ConfigureMapping) -> None:
    """Which roles a company's groups give, and in which claim its provider names the groups."""
    tenant = db.found(Tenant, told.tenantId)
    settings = _settings(db, tenant)
    usable_roles(db, [each.roleName for each in told.roleMappings], tenant.id)
    group = str(told.attributeMapping.get("group") or "")
    attributes = settings.userAttrMapping | {"group": group}
    db.keep(settings.changed(groupsMapping=told.roleMappings, userAttrMapping=attributes))


@call("v1/mgmt/sso/settings", TenantName, method="DELETE")
def delete_sso(db: Transaction, told: TenantName) -> None:
    """Nobody signs in by it any more, and what its groups gave is gone."""
    tenant = db.found(Tenant, told.tenantId)
    if settings := db.record(OidcSettings, tenant.id):
        db.drop(settings)
    db.keep(tenant.changed(authType="none", domains=[]))
    for user in db.records(User):
        if place := user.place(tenant.id):
            place.ssoRoleNames = []
            db.keep(user)


@call("v1/mgmt/sso/saml", TenantName)
@call("v1/mgmt/sso/saml/metadata", TenantName)
def configure_saml(db: Transaction, told: TenantName) -> None:
    raise DescopeError("E011004", "The local stand-in does not do SAML; use OpenID Connect")
