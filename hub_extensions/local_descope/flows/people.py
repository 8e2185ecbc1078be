"""Who somebody is: found by how they signed in, or signed up; and their place in a company.

A person is known by login ids: a verified address, or a provider's own id for them, which says
whose it is (`social:google:…`, `sso:acme:…`), so that no provider can name another's people. Two
ways in lead to one person where the address is verified, and only then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import NotLetIn
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
    email = str(claims.get(names["email"]) or "")
    email = email.lower() if email.isascii() else ""  # others can fold into somebody's address
    verified, groups = claims.get(names["verifiedEmail"]), claims.get(names["group"])
    return Identity(
        login_id=f"{source}:{subject}",
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


def sign_up_or_in(
    db: Transaction, identity: Identity, *, merge: bool = True, by_sso: bool = False
) -> tuple[User, bool]:
    """The person of an identity, and whether they were made just now.

    A verified address leads to the person who has it, if the way in may `merge` and its provider
    does not know that person by another id; it counts as unverified otherwise.

    Raises:
        NotLetIn: the account is switched off, or its company leaves it the way by SSO only.
    """
    owner = db.user(identity.email) if identity.verified else None
    user = db.user(identity.login_id)
    proved = bool(identity.email and identity.verified)
    if owner and owner is not user:
        theirs = merge and not user and not _known_otherwise(owner, identity)
        user, proved = (owner, True) if theirs else (user, owner == user)
    is_new = user is None
    user = user or User(loginIds=[])
    if user.status == "disabled":
        raise NotLetIn("This account is switched off. Ask whoever gave it to you.")
    if not by_sso:
        for email in (identity.email if proved else "", user.email if user.verifiedEmail else ""):
            check_way(db, email)
    user.status, user.name = "enabled", user.name or identity.name
    if proved and user.email != identity.email:  # an address that is left may be another's soon
        user.loginIds = [each for each in user.loginIds if each != user.email]
    if proved or not user.email:  # an unverified address only fills a gap
        user.email, user.verifiedEmail = identity.email, proved
    own = [identity.login_id, identity.email] if proved else [identity.login_id]
    user.loginIds = list(dict.fromkeys([*user.loginIds, *own]))
    return db.keep(user), is_new


def _known_otherwise(user: User, identity: Identity) -> bool:
    """Whether the provider of this identity knows that user by another id: then the address has
    changed hands there."""
    source, colon, _ = identity.login_id.rpartition(":")
    return bool(colon) and any(each.startswith(f"{source}:") for each in user.loginIds)


def as_member(identity: Identity, tenant: Tenant, sso: SsoSettings) -> Identity:
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
