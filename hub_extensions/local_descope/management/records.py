"""The management API's calls about records that are made, changed, listed and deleted alike:
tenants, roles, permissions, applications and access keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from ..errors import DescopeError
from ..oidc.server import Client
from ..parts import parts
from ..records import (
    AccessKey,
    Application,
    OidcSettings,
    Permission,
    Record,
    Role,
    Tenant,
    User,
    new_id,
    now,
)
from ..store import Transaction, digest_of
from .frame import call


class Named(Record):
    """One record, by its id or by its name."""

    id: str = ""
    name: str = ""
    tenantId: str = ""
    newName: str = ""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of record: where its calls are, how they say what is wrong, and what is answered
    when one was made."""

    record: type[Any]
    path: str
    many: str
    missing: str
    taken: str
    answers_record: bool = False
    answers_id: bool = False


TENANT = Kind(
    record=Tenant,
    path="v1/mgmt/tenant",
    many="tenants",
    missing="E112202",
    taken="E073307",
    answers_id=True,
)
ROLE = Kind(
    record=Role,
    path="v1/mgmt/role",
    many="roles",
    missing="E111403",
    taken="E024209",
    answers_record=True,
)
PERMISSION = Kind(
    record=Permission,
    path="v1/mgmt/permission",
    many="permissions",
    missing="E111303",
    taken="E024104",
)


def found(db: Transaction, kind: Kind, told: Any) -> Any:
    """The record that was named.

    Raises:
        DescopeError: there is none.
    """
    for record in db.records(kind.record):
        of_tenant = getattr(record, "tenantId", "") == getattr(told, "tenantId", "")
        if (told.id and record.id == told.id) or (
            not told.id and record.name == told.name and of_tenant
        ):
            return record
    raise DescopeError(kind.missing, f"There is no {told.name or told.id}")


def usable_roles(db: Transaction, names: list[str], tenant_id: str = "") -> list[str]:
    """These names, each once, if each is a role of the project or of the tenant."""
    known = {role.name for role in db.records(Role) if role.tenantId in {"", tenant_id}}
    for name in names:
        if name not in known:
            raise DescopeError(ROLE.missing, f"There is no role {name}")
    return list(dict.fromkeys(names))


def _keep(db: Transaction, kind: Kind, record: Any) -> Any:
    """Keep a record whose name no other one of its kind and tenant has."""
    for other in db.records(kind.record):
        of_tenant = getattr(other, "tenantId", "") == getattr(record, "tenantId", "")
        if other.id != record.id and other.name == record.name and of_tenant:
            raise DescopeError(kind.taken)
    if isinstance(record, Role):
        for name in record.permissionNames:
            found(db, PERMISSION, Named(name=name))
        if record.tenantId:
            found(db, TENANT, Named(id=record.tenantId))
    return db.keep(record)


def _serve(kind: Kind) -> None:
    @call(f"{kind.path}/create", kind.record)
    def create(db: Transaction, told: Any) -> dict[str, Any] | None:
        if db.record(kind.record, told.id):
            raise DescopeError(kind.taken)
        _keep(db, kind, told)
        if kind.answers_record:
            return told.model_dump()
        return {"id": told.id} if kind.answers_id else None

    @call(f"{kind.path}/update", Named)
    def update(db: Transaction, told: Any) -> dict[str, Any] | None:
        """What is not told is empty afterwards, as in Descope."""
        before = found(db, kind, told)
        kept = {"id": before.id, "createdTime": getattr(before, "createdTime", None)}
        fields = told.model_dump(exclude={"id", "newName"}) | kept
        if kind is TENANT:  # its single sign-on has calls of its own
            fields |= {"authType": before.authType, "domains": before.domains}
        record = kind.record.model_validate(fields | {"name": told.newName or told.name})
        _keep(db, kind, record)
        return record.model_dump() if kind.answers_record else None

    @call(f"{kind.path}/delete", Named)
    def delete(db: Transaction, told: Any) -> None:
        record = found(db, kind, told)
        db.drop(record)
        if kind is TENANT and (settings := db.record(OidcSettings, record.id)):
            db.drop(settings)
        for user in db.records(User) if kind is TENANT else ():
            places = [place for place in user.userTenants if place.tenantId != record.id]
            db.keep(user.changed(userTenants=[place.model_dump() for place in places]))

    @call(f"{kind.path}/all", method="GET")
    def load_all(db: Transaction, told: Any) -> dict[str, Any]:
        return {kind.many: [record.model_dump() for record in db.records(kind.record)]}


for each in (TENANT, ROLE, PERMISSION):
    _serve(each)


@call("v1/mgmt/tenant/patch", Named, method="PATCH")
def patch_tenant(db: Transaction, told: Named) -> None:
    """Change what is told of a tenant, and leave the rest as it is."""
    tenant = found(db, TENANT, told)
    _keep(db, TENANT, tenant.changed(**told.model_dump(exclude_unset=True)))


@call("v1/mgmt/tenant", Named, method="GET")
def load_tenant(db: Transaction, told: Named) -> dict[str, Any]:
    return found(db, TENANT, told).model_dump()


# -- applications and access keys ---------------------------------------------------------------


@call("v1/mgmt/sso/idp/app/load", Named, method="GET")
def load_application(db: Transaction, told: Named) -> dict[str, Any]:
    application = db.record(Application, told.id)
    if application is None:
        raise DescopeError("E112302")
    client = Client(application, parts().config, parts().sessions)
    settings = application.oidc.model_dump() | {
        "issuer": client.issuer,
        "discoveryUrl": f"{client.issuer}/.well-known/openid-configuration",
        "clientId": client.client_id,
    }
    fields = application.model_dump(exclude={"oidc"})
    return fields | {"appType": "oidc", "oidcSettings": settings, "samlSettings": {}}


@call("v1/mgmt/accesskey/create", AccessKey)
def create_key(db: Transaction, told: AccessKey) -> dict[str, Any]:
    if 0 < told.expireTime <= now():
        raise DescopeError("E011003", "expireTime: it has passed")
    usable_roles(db, told.roleNames)
    for place in told.keyTenants:
        found(db, TENANT, Named(id=place.tenantId))
        usable_roles(db, place.roleNames, place.tenantId)
    cleartext = secrets.token_urlsafe(48)
    key = db.keep(told.changed(id=new_id("K"), digest=digest_of(cleartext), createdTime=now()))
    return {"cleartext": cleartext, "key": key.model_dump(exclude={"digest"})}


@call("v1/mgmt/accesskey", Named, method="GET")
def load_key(db: Transaction, told: Named) -> dict[str, Any]:
    key = db.record(AccessKey, told.id)
    if key is None:
        raise DescopeError("E111502")
    return {"key": key.model_dump(exclude={"digest"})}


@call("v1/mgmt/license", method="GET")
def license_tier(db: Transaction, told: Record) -> dict[str, Any]:
    return {"rateLimitTier": "tier4"}
