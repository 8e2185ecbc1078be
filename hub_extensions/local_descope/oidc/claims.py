"""What the stand-in says of a user, by the scopes asked for: the same everywhere it says it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..records import Role, User
from ..store import Transaction

SCOPES = (
    "openid",
    "profile",
    "email",
    "phone",
    "descope.claims",
    "descope.custom_claims",
    "offline_access",
)


def roles_in(db: Transaction, user: User, tenant_id: str) -> list[str]:
    """The roles that a user has in a tenant. A role that has been deleted since is nobody's."""
    known = {role.name for role in db.records(Role) if role.tenantId in {"", tenant_id}}
    place = user.place(tenant_id)
    held = [*place.roleNames, *place.ssoRoleNames] if place else []
    return [name for name in dict.fromkeys(held) if name in known]


def permissions_of(db: Transaction, roles: Collection[str], tenant_id: str = "") -> list[str]:
    """What roles permit together."""
    held = [r for r in db.records(Role) if r.name in roles and r.tenantId in {"", tenant_id}]
    return sorted({name for role in held for name in role.permissionNames})


def authority(db: Transaction, user: User) -> dict[str, Any]:
    """Roles and permissions: by tenant, and at the root those of the project itself."""
    tenants = {}
    for place in user.userTenants:
        roles = roles_in(db, user, place.tenantId)
        permissions = permissions_of(db, roles, place.tenantId)
        tenants[place.tenantId] = {"roles": roles, "permissions": permissions}
    permissions = permissions_of(db, user.roleNames)
    return {"tenants": tenants, "roles": user.roleNames, "permissions": permissions}


def claims_of(db: Transaction, user: User, scopes: Collection[str]) -> dict[str, Any]:
    """Descope's claims of a user."""
    claims: dict[str, Any] = {"sub": user.userId}
    if "email" in scopes and user.email:
        claims |= {"email": user.email, "email_verified": user.verifiedEmail}
    if "profile" in scopes:
        claims |= {"name": user.name}
    if "phone" in scopes and user.phone:
        claims |= {"phone_number": user.phone, "phone_number_verified": user.verifiedPhone}
    if "descope.claims" in scopes:
        claims |= authority(db, user)
    if "descope.custom_claims" in scopes:
        claims |= {"customAttributes": user.customAttributes}
    return claims
