"""What the stand-in says of a user, by the scopes asked for: the same everywhere it says it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..records import Place, Role, User
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


def authority(
    db: Transaction, project_roles: Collection[str], places: Collection[Place]
) -> dict[str, Any]:
    """Roles and permissions: by tenant, and at the root those of the project itself. A role that
    has been deleted since is nobody's."""
    known = db.records(Role)

    def granted(held: Collection[str], tenant_id: str) -> dict[str, list[str]]:
        here = {role.name: role for role in known if role.tenantId in {"", tenant_id}}
        roles = [name for name in dict.fromkeys(held) if name in here]
        permitted = {each for name in roles for each in here[name].permissionNames}
        return {"roles": roles, "permissions": sorted(permitted)}

    tenants = {p.tenantId: granted([*p.roleNames, *p.ssoRoleNames], p.tenantId) for p in places}
    return {"tenants": tenants, **granted(project_roles, "")}


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
        claims |= authority(db, user.roleNames, user.userTenants)
    if "descope.custom_claims" in scopes:
        claims |= {"customAttributes": user.customAttributes}
    return claims
