"""Who somebody is: found by how they signed in, or signed up; and their place in a company.

A person is known by login ids: a verified address, or a provider's own id for them. Two ways in
lead to one person where the address is verified, and only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..records import OidcSettings, Place, SsoSettings, Tenant, User
from ..store import Transaction
from .screens import is_email, tidy_line

#: The OpenID Connect claim of each of Descope's attributes, where no mapping says another.
CLAIM_NAMES: Mapping[str, str] = {
    "loginId": "sub",
    "email": "email",
    "verifiedEmail": "email_verified",
    "name": "name",
    "group": "groups",
}


class NotLetIn(Exception):
    """Somebody may not come in this way; the message is a sentence for them."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a way of signing in says of a person; `email` may be "" or unverified, and `verified`
    is None where it is not said."""

    login_id: str
    email: str = ""
    verified: bool | None = False
    name: str = ""
    groups: frozenset[str] = frozenset()


def claim_names(mapping: Mapping[str, str | None]) -> dict[str, str]:
    """Which claim each attribute comes from."""
    return {**CLAIM_NAMES, **{key: name for key, name in mapping.items() if name}}


def identity_from(
    source: str, claims: Mapping[str, Any], mapping: Mapping[str, str | None]
) -> Identity:
    """The identity in a provider's claims, by the attribute mapping of its settings.

    Raises:
        NotLetIn: they do not say who it is.
    """
    names = claim_names(mapping)
    subject = claims.get(names["loginId"])
    if not isinstance(subject, str | int) or not str(subject) or len(str(subject)) > 200:
        raise NotLetIn("The sign-in service did not say who you are.")
    email = str(claims.get(names["email"]) or "").lower()
    verified, groups = claims.get(names["verifiedEmail"]), claims.get(names["group"])
    return Identity(
        login_id=f"{source}-{subject}",
        email=email if is_email(email) else "",
        verified=verified is True if verified is not None else None,
        name=tidy_line(str(claims.get(names["name"]) or ""))[:100],
        groups=frozenset(map(str, groups)) if isinstance(groups, list) else frozenset(),
    )


def domain_of(email: str) -> str:
    return email.rpartition("@")[2]


def tenant_for(db: Transaction, email: str) -> Tenant | None:
    """The tenant whose single sign-on answers for the domain of this address."""
    return next((each for each in db.records(Tenant) if domain_of(email) in each.domains), None)


def check_way(db: Transaction, email: str) -> None:
    """Refuse a way in that is not the company's own, where the company enforces its own.

    Raises:
        NotLetIn: names the way that is left.
    """
    tenant = tenant_for(db, email)
    if tenant and tenant.enforceSSO:
        raise NotLetIn(f"People at {domain_of(email)} sign in with single sign-on.")


def sign_up_or_in(db: Transaction, identity: Identity, *, merge: bool = True) -> tuple[User, bool]:
    """The person of an identity, and whether they were made just now.

    A verified address leads to the person who has it, if the way in may `merge`, and counts as
    unverified where it may not.

    Raises:
        NotLetIn: the account is switched off.
    """
    wanted = [identity.login_id]
    if identity.email and identity.verified and (merge or db.user(identity.email) is None):
        wanted.append(identity.email)
    found = next((user for name in wanted if (user := db.user(name))), None)
    user = found or User(loginIds=[])
    if user.status == "disabled":
        raise NotLetIn("This account is switched off. Ask whoever gave it to you.")
    mine = [name for name in wanted if not (owner := db.user(name)) or owner.userId == user.userId]
    user.loginIds = list(dict.fromkeys([*user.loginIds, *mine]))
    user.status = "enabled"
    # A verified address replaces the one that is known; an unverified one only fills a gap.
    if identity.email and (identity.email in mine or not user.email):
        user.email, user.verifiedEmail = identity.email, identity.email in mine
    user.name = user.name or identity.name
    return db.keep(user), found is None


def vouched(identity: Identity, tenant: Tenant, sso: SsoSettings) -> Identity:
    """The identity with an address that counts as verified if the company's word on it does: it
    is of a domain of theirs, not called unverified by its provider, nor by the project's settings.

    Raises:
        NotLetIn: the address is of another domain, and the project blocks those.
    """
    own = bool(identity.email) and domain_of(identity.email) in tenant.domains
    if not own and sso.blockIfEmailDomainMismatch:
        raise NotLetIn(f"{tenant.name} cannot sign in people with an address of another company.")
    if own and identity.verified is False:
        raise NotLetIn(f"{tenant.name} says that your e-mail address is not verified.")
    return replace(identity, verified=own and not sso.markEmailAsUnverified)


def join_by_sso(
    db: Transaction, user: User, settings: OidcSettings, identity: Identity, sso: SsoSettings
) -> None:
    """Make somebody a member of the company that signed them in, with the roles of its groups."""
    mapped = [m.roleName for m in settings.groupsMapping if identity.groups & set(m.groups)]
    place = user.place(settings.tenantId)
    if place is None:
        place = Place(tenantId=settings.tenantId)
        user.userTenants.append(place)
    place.ssoRoleNames = list(dict.fromkeys([*settings.defaultSSORoles, *mapped]))
    if sso.allowOverrideRoles:
        place.roleNames = []
    db.keep(user)
