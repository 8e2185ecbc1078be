"""What a person's claims mean here: pure functions from claims to name, groups and records.

Claims come from outside. Whatever has not the expected shape counts as absent: no group, no crash.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from .folders import ADMIN, ANALYSTS

#: Roles of the owner tenant and the plain group that each gives. Exact and case-sensitive.
ROLE_GROUPS: Final[Mapping[str, str]] = {"Tenant Admin": ADMIN, "Analyst": ANALYSTS}

#: The group of every member of the owner tenant.
MEMBERS: Final = "user"

#: The group of every member of a customer's tenant.
CUSTOMERS: Final = "customers"

#: The role that manages a customer's tenant, and what its group adds to the tenant's name.
CUSTOMER_ADMIN_ROLE: Final = "Tenant Admin"
MANAGERS_SUFFIX: Final = ".admin"

#: What the hub asks for; an application at Descope has to support each of them.
SCOPES: Final = ("openid", "email", "profile", "descope.claims", "descope.custom_claims")

#: What a notebook may know of its viewer. Never tokens.
NOTEBOOK_CLAIMS: Final = ("sub", "name", "email", "tenants", "roles", "permissions")

#: What the hub keeps of a person's claims: those, and what it looks at itself.
_KEPT_CLAIMS: Final = (*NOTEBOOK_CLAIMS, "email_verified", "amr", "auth_time", "dct")

_ADDRESS: Final = re.compile(r"[a-z0-9][a-z0-9._+'-]{0,63}@[a-z0-9](?:[a-z0-9.-]{0,188}[a-z0-9])?")
_LONGEST_ROLE: Final = 255
_LONGEST_REASON: Final = 255

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
    customer_tenants: Collection[str] = (),
) -> dict[str, str]:
    """The groups that the provider gives, each with the reason in words: plain ones to the owner
    tenant's members, and to a listed customer's members that customer's own.

    `required_amr`: the ways of signing in of which one is needed for roles to count.
    """
    roles_count = signed_in_by(claims, required_amr)
    reasons: dict[str, str] = {}
    owner_roles = tenant_roles(claims, owner_tenant)
    if owner_roles is not None:
        reasons[MEMBERS] = f"member of tenant {owner_tenant}"
        given: dict[str, list[str]] = {}
        for role in sorted(owner_roles & role_groups.keys()) if roles_count else ():
            given.setdefault(role_groups[role], []).append(f"role {role}")
        for group, held in given.items():
            reasons[group] = f"{' and '.join(held)} in tenant {owner_tenant}"
    for tenant in customer_tenants:  # the listed ones, however many the claims name
        roles = tenant_roles(claims, tenant)
        if roles is not None:
            reasons[CUSTOMERS] = reasons[tenant] = f"member of tenant {tenant}"
            if roles_count and CUSTOMER_ADMIN_ROLE in roles:
                managers = tenant + MANAGERS_SUFFIX
                reasons[managers] = f"role {CUSTOMER_ADMIN_ROLE} in tenant {tenant}"
    return {group: reason[:_LONGEST_REASON] for group, reason in reasons.items()}


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
    claims: Claims,
    owner_tenant: str,
    roles: Collection[str],
    required_amr: Collection[str],
    customer_tenants: Collection[str] = (),
) -> frozenset[str]:
    """Those roles that somebody has, and that do not count for how they signed in."""
    if signed_in_by(claims, required_amr):
        return frozenset()
    held_back = (tenant_roles(claims, owner_tenant) or frozenset()) & frozenset(roles)
    for tenant in customer_tenants:
        held_back |= (tenant_roles(claims, tenant) or frozenset()) & {CUSTOMER_ADMIN_ROLE}
    return held_back


def tenant_of(
    claims: Claims, owner_tenant: str, customer_tenants: Collection[str] = ()
) -> str | None:
    """The tenant that a person belongs to here: the owner tenant first, else the listed customer
    that they chose when they signed in (Descope's claim `dct`), else their only listed one."""
    tenants = claims.get("tenants")
    if not isinstance(tenants, Mapping):
        return None
    if owner_tenant in tenants:
        return owner_tenant
    own = [tenant for tenant in customer_tenants if tenant in tenants]
    chosen = claims.get("dct")
    if isinstance(chosen, str) and chosen in own:
        return chosen
    return own[0] if len(own) == 1 else None


def notebook_claims(claims: Claims) -> dict[str, Any]:
    """The allow-listed claims that notebooks get."""
    return {name: claims[name] for name in NOTEBOOK_CLAIMS if name in claims}


def kept_claims(claims: Claims) -> dict[str, Any]:
    """The claims that the hub keeps. Attributes of a project's own are none of its business."""
    return {name: claims[name] for name in _KEPT_CLAIMS if name in claims}
