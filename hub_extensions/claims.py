"""What a person's claims mean here: pure functions from claims to name, groups and records.

Claims come from outside. Whatever has not the expected shape counts as absent: no group, no crash.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

#: Roles of the owner tenant and the plain group that each gives. Exact and case-sensitive.
ROLE_GROUPS: Final[Mapping[str, str]] = {"Tenant Admin": "admin", "Analyst": "analysts"}

#: The group of every member of the owner tenant.
MEMBERS: Final = "user"

#: The group of every member of a customer's tenant.
CUSTOMERS: Final = "customers"

#: What the group of those who manage others adds to their name.
MANAGERS_SUFFIX: Final = ".admin"

#: What the hub asks for; an application at Descope has to support each of them.
SCOPES: Final = ("openid", "email", "profile", "descope.claims", "descope.custom_claims")

#: What a notebook may know of its viewer. Never tokens.
NOTEBOOK_CLAIMS: Final = ("sub", "name", "email", "tenants", "roles", "permissions")

_ADDRESS: Final = re.compile(r"[a-z0-9][a-z0-9._+'-]{0,63}@[a-z0-9](?:[a-z0-9.-]{0,188}[a-z0-9])?")
_LONGEST_ROLE: Final = 255

Claims = Mapping[str, Any]


class RefusedClaims(ValueError):
    """These claims sign nobody in. The message is a sentence for the person."""


def username_from_claims(claims: Claims) -> str:
    """The hub user's name: the verified e-mail address in small letters.

    Raises:
        RefusedClaims: no address, an unverified one, or one outside the narrow grammar that
            keeps look-alike names apart.
    """
    email = claims.get("email")
    if not isinstance(email, str) or not email:
        raise RefusedClaims("Your sign-in came without an e-mail address.")
    if claims.get("email_verified") is not True:
        raise RefusedClaims("Your e-mail address has not been verified yet.")
    # Plain letters only: folding others would make one address of two that look alike.
    name = email.casefold() if email.isascii() else ""
    if not _ADDRESS.fullmatch(name) or ".." in name:
        raise RefusedClaims("This e-mail address has characters that cannot be used here.")
    return name


def tenant_roles(claims: Claims, tenant: str) -> frozenset[str] | None:
    """The roles held in a tenant, or None for somebody who is no member of it.

    Roles at the root of the claims belong to the whole Descope project and never count.
    """
    tenants = claims.get("tenants")
    if not isinstance(tenants, Mapping) or tenant not in tenants:
        return None
    held = tenants[tenant]
    roles = held.get("roles") if isinstance(held, Mapping) else None
    if not isinstance(roles, Iterable) or isinstance(roles, str | bytes | Mapping):
        return frozenset()
    return frozenset(role for role in roles if isinstance(role, str) and len(role) <= _LONGEST_ROLE)


def groups_from_claims(
    claims: Claims,
    owner_tenant: str,
    role_groups: Mapping[str, str] = ROLE_GROUPS,
    required_amr: Collection[str] = (),
) -> frozenset[str]:
    """The plain groups that the provider gives: those of the owner tenant's members only.

    `required_amr`: the ways of signing in of which one is needed for roles to count.
    """
    roles = tenant_roles(claims, owner_tenant)
    if roles is None:
        return frozenset()
    counted = roles if signed_in_by(claims, required_amr) else frozenset()
    return frozenset({MEMBERS} | {role_groups[role] for role in counted if role in role_groups})


def customer_groups(customer_tenants: Collection[str]) -> frozenset[str]:
    """Every group that the provider gives to customers."""
    managers = {tenant + MANAGERS_SUFFIX for tenant in customer_tenants}
    return frozenset({CUSTOMERS, *customer_tenants} | managers)


def signed_in_by(claims: Claims, required_amr: Collection[str]) -> bool:
    """Whether somebody signed in by one of these ways (the claim `amr`, RFC 8176); by any, if
    none is named."""
    methods = claims.get("amr")
    if not isinstance(methods, list):
        methods = []
    said = {method for method in methods if isinstance(method, str)}
    return not required_amr or not said.isdisjoint(required_amr)


def roles_held_back(
    claims: Claims, owner_tenant: str, roles: Collection[str], required_amr: Collection[str]
) -> frozenset[str]:
    """Those of these roles that somebody has, and that do not count for how they signed in."""
    if signed_in_by(claims, required_amr):
        return frozenset()
    return (tenant_roles(claims, owner_tenant) or frozenset()) & frozenset(roles)


def tenant_of(claims: Claims, owner_tenant: str) -> str | None:
    """The tenant that a person belongs to here: the owner tenant first, else their only one."""
    tenants = claims.get("tenants")
    if not isinstance(tenants, Mapping):
        return None
    if owner_tenant in tenants:
        return owner_tenant
    return next(iter(tenants)) if len(tenants) == 1 else None


def notebook_claims(claims: Claims) -> dict[str, Any]:
    """The allow-listed claims that notebooks get."""
    return {name: claims[name] for name in NOTEBOOK_CLAIMS if name in claims}
