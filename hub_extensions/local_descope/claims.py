"""What the stand-in says of a user, by the scopes asked for: the same everywhere it says it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .models import User

SCOPES = (
    "openid",
    "profile",
    "email",
    "phone",
    "descope.claims",
    "descope.custom_claims",
    "offline_access",
)


def claims_of(
    user: User, roles: Mapping[str, Sequence[str]], scopes: Collection[str]
) -> dict[str, Any]:
    """Descope's claims of a user.

    `roles` are the user's roles by tenant. Roles of the project itself, at the root, are empty:
    the stand-in has none. An address that came here was proved by a link.
    """
    claims: dict[str, Any] = {"sub": user.id}
    if "email" in scopes:
        claims |= {"email": user.email, "email_verified": True}
    if "profile" in scopes:
        claims["name"] = user.name
    if "descope.claims" in scopes:
        claims |= {
            "tenants": {
                tenant: {"roles": list(held), "permissions": []} for tenant, held in roles.items()
            },
            "roles": [],
            "permissions": [],
        }
    return claims
