"""The management API's calls about records that are made, changed, listed and deleted alike:
tenants, roles, permissions, applications and access keys."""

from __future__ import annotations

import secrets
from typing import Any

from ..errors import DescopeError
from ..oidc.server import Client
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


def found(db: Transaction, kind: type[Any], told: Named) -> Any:
    """The record of this id, or else of this name and tenant.

    Raises:
        DescopeError: there is none.
    """
    if told.id:
        return db.found(kind, told.id)
    for record in db.records(kind):
        if _name(record) == _name(told):
            return record
    raise DescopeError(kind.missing, f"There is no {told.name}")


def usable_roles(db: Transaction, names: list[str], tenant_id: str = "") -> list[str]:
    """These names, each once, if each is a role of the project or of the tenant."""
    known = {role.name for role in db.records(Role) if role.tenantId in {"", tenant_id}}
    for name in names:
        if name not in known:
            raise DescopeError(Role.missing, f"There is no role {name}")
    return list(dict.fromkeys(names))


def _name(record: Any) -> tuple[str, str]:
    """What no two records of a kind share: a name in a tenant, or in the project."""
    return record.name, getattr(record, "tenantId", "")


def _keep(db: Transaction, record: Any) -> dict[str, Any]:
    for other in db.records(type(record)):
        if other.id != record.id and _name(other) == _name(record):
            raise DescopeError(record.taken)
    if isinstance(record, Role):
        for name in record.permissionNames:
            found(db, Permission, Named(name=name))
        if record.tenantId:
            db.found(Tenant, record.tenantId)
    db.keep(record)
    return {"id": record.id} if isinstance(record, Tenant) else record.model_dump()


def _follow(db: Transaction, before: Any, name: str = "") -> None:
    """Whoever holds a role or a permission by its name holds it by the new one, or no more."""

    def held(names: list[str]) -> list[str]:
        after = [name if each == before.name else each for each in names]
        return [each for each in dict.fromkeys(after) if each]

    if isinstance(before, Permission):
        for role in db.records(Role):
            db.keep(role.changed(permissionNames=held(role.permissionNames)))
    if not isinstance(before, Role) or before.name == name:
        return
    for holder in [*db.records(User), *db.records(AccessKey)]:
        if not before.tenantId:
            holder.roleNames = held(holder.roleNames)
        for place in holder.places:
            if before.tenantId in {"", place.tenantId}:
                place.roleNames = held(place.roleNames)
                place.ssoRoleNames = held(place.ssoRoleNames)
        db.keep(holder)
    for settings in db.records(OidcSettings):
        if before.tenantId in {"", settings.tenantId}:
            for mapping in settings.groupsMapping:
                mapping.roleName = name if mapping.roleName == before.name else mapping.roleName
            settings.groupsMapping = [each for each in settings.groupsMapping if each.roleName]
            settings.defaultSSORoles = held(settings.defaultSSORoles)
            db.keep(settings)


def _close(db: Transaction, tenant: Tenant) -> None:
    """What belonged to a tenant goes with it."""
    if settings := db.record(OidcSettings, tenant.id):
        db.drop(settings)
    for role in db.records(Role):
        if role.tenantId == tenant.id:
            db.drop(role)
    for holder in [*db.records(User), *db.records(AccessKey)]:
        holder.places[:] = [place for place in holder.places if place.tenantId != tenant.id]
        db.keep(holder)


def _serve(kind: type[Any]) -> None:
    name = kind.__name__.lower()

    @call(f"v1/mgmt/{name}/create", kind)
    def create(db: Transaction, told: Any) -> dict[str, Any]:
        if db.record(kind, told.id):
            raise DescopeError(kind.taken)
        return _keep(db, told)

    @call(f"v1/mgmt/{name}/update", Named)
    def update(db: Transaction, told: Any) -> dict[str, Any]:
        """What is not told is empty afterwards, as in Descope; what has calls of its own stays."""
        before = found(db, kind, told)
        kept = before.model_dump(include={"id", "createdTime", "authType", "domains"})
        fields = told.model_dump(exclude_unset=True) | {"name": told.newName or told.name}
        fields.pop("newName", "")
        after = kind.model_validate(fields | kept)
        answer = _keep(db, after)
        _follow(db, before, after.name)
        return answer

    @call(f"v1/mgmt/{name}/delete", Named)
    def delete(db: Transaction, told: Any) -> None:
        record = found(db, kind, told)
        db.drop(record)
        if kind is Tenant:
            _close(db, record)
        else:
            _follow(db, record)

    @call(f"v1/mgmt/{name}/all", method="GET")
    def load_all(db: Transaction, told: Any) -> dict[str, Any]:
        return {f"{name}s": [record.model_dump() for record in db.records(kind)]}


for each in (Tenant, Role, Permission):
    _serve(each)


@call("v1/mgmt/tenant/patch", Named, method="PATCH")
def patch_tenant(db: Transaction, told: Named) -> None:
    """Change what is told of a tenant, and leave the rest as it is."""
    _keep(db, db.found(Tenant, told.id).changed(**told.model_dump(exclude_unset=True)))


@call("v1/mgmt/tenant", Named, method="GET")
def load_tenant(db: Transaction, told: Named) -> dict[str, Any]:
    return db.found(Tenant, told.id).model_dump()


# -- applications and access keys ---------------------------------------------------------------


@call("v1/mgmt/sso/idp/app/load", Named, method="GET")
def load_application(db: Transaction, told: Named) -> dict[str, Any]:
    application = db.found(Application, told.id)
    client = Client(application)
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
        db.found(Tenant, place.tenantId)
        usable_roles(db, place.roleNames, place.tenantId)
    cleartext = secrets.token_urlsafe(48)
    key = db.keep(told.changed(id=new_id("K"), digest=digest_of(cleartext), createdTime=now()))
    return {"cleartext": cleartext, "key": key.model_dump(exclude={"digest"})}


@call("v1/mgmt/accesskey", Named, method="GET")
def load_key(db: Transaction, told: Named) -> dict[str, Any]:
    return {"key": db.found(AccessKey, told.id).model_dump(exclude={"digest"})}


@call("v1/mgmt/license", method="GET")
def license_tier(db: Transaction, told: Record) -> dict[str, Any]:
    return {"rateLimitTier": "tier4"}
