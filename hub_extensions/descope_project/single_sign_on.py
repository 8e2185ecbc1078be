"""Findings about the single sign-on of tenants, and the calls that set it up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from descope.management.sso_settings import (
    AttributeMapping,
    OIDCAttributeMapping,
    RoleMapping,
    SSOOIDCSettings,
)

from .desired import Desired, DesiredSso
from .finding import Call, Change, Finding
from .project import State

#: Descope's attributes of the SDK's mapping, and the claims that they come from by default.
_ATTRIBUTES: Final[Mapping[str, str]] = {
    "loginId": "sub",
    "name": "name",
    "givenName": "given_name",
    "middleName": "middle_name",
    "familyName": "family_name",
    "email": "email",
    "verifiedEmail": "email_verified",
    "username": "",
    "phoneNumber": "phone_number",
    "verifiedPhone": "phone_number_verified",
    "picture": "picture",
}


def single_sign_on(state: State, desired: Desired, renew: bool) -> Iterator[Finding]:
    """Tenants whose provider is not as wanted; all that have one, to `renew` their secrets."""
    for tenant, wanted in desired.tenants.items():
        settings = state.sso.get(tenant, {})
        domains = settings.get("tenant", {}).get("domains") or []
        kind = settings.get("tenant", {}).get("authType", "none")
        if wanted.sso is None:
            if kind != "none" and not domains:
                yield Finding(
                    what=f"Single sign-on of the tenant {tenant} names no mail domain.",
                    fix="name its domains in the console, under Tenants, SSO",
                )
            continue
        now = settings.get("oidc") or {}
        before = _sso_view(now, domains) if kind == "oidc" else None
        after = _sso_wanted(wanted.sso)
        if before == after and not renew:
            continue
        change = Change(
            what=f"single sign-on of {tenant}",
            before=before,
            after=after,
            calls=_sso_calls(tenant, wanted.sso, now, after, desired),
        )
        yield Finding(
            what=f"Single sign-on of the tenant {tenant} is not set up as wanted."
            if before != after
            else f"The client secret of the tenant {tenant} is to be sent again.",
            fix="push sets it up",
            change=change,
        )


def _sso_wanted(sso: DesiredSso) -> dict[str, Any]:
    return {
        "name": sso.name,
        "clientId": sso.client_id,
        "issuer": sso.issuer,
        **sso.endpoints(),
        "scope": sorted(sso.scopes),
        "domains": sorted(domain.lower() for domain in sso.domains),
        "group": sso.groups_claim if sso.roles else "",
        "roles": {role: sorted(groups) for role, groups in sorted(sso.roles.items())},
    }


def _sso_view(oidc: Mapping[str, Any], domains: list[str]) -> dict[str, Any]:
    names = ("name", "clientId", "issuer", "authUrl", "tokenUrl", "userDataUrl", "JWKsUrl")
    mappings = oidc.get("groupsMapping") or []
    roles = {each["role"]["name"]: sorted(each.get("groups") or []) for each in mappings}
    group = (oidc.get("userAttrMapping") or {}).get("group") or ""
    return {
        **{name: oidc.get(name) or "" for name in names},
        "scope": sorted(oidc.get("scope") or []),
        "domains": sorted(domains),
        "group": group if roles else "",
        "roles": dict(sorted(roles.items())),
    }


def _sso_calls(
    tenant: str, sso: DesiredSso, now: Mapping[str, Any], after: dict[str, Any], desired: Desired
) -> tuple[Call, ...]:
    """Descope replaces all settings at once, so those that are not wanted otherwise are repeated.

    The groups' roles have a call of their own; the SDK has no other way for them.
    """
    mapping = {**_ATTRIBUTES, **{k: v for k, v in (now.get("userAttrMapping") or {}).items() if v}}
    attributes = OIDCAttributeMapping(*(mapping[name] for name in _ATTRIBUTES))
    settings = SSOOIDCSettings(
        name=sso.name,
        client_id=sso.client_id,
        client_secret=sso.client_secret.read(desired.folder),
        redirect_url=now.get("redirectUrl") or "",
        auth_url=after["authUrl"],
        token_url=after["tokenUrl"],
        user_data_url=after["userDataUrl"],
        scope=sso.scopes,
        jwks_url=after["JWKsUrl"],
        attribute_mapping=attributes,
        manage_provider_tokens=bool(now.get("manageProviderTokens")),
        callback_domain=now.get("callbackDomain") or "",
        prompt=now.get("prompt") or [],
        grant_type=now.get("grantType") or "authorization_code",
        issuer=sso.issuer,
    )
    roles = [RoleMapping(groups, role) for role, groups in sso.roles.items()]
    return (
        Call(name="sso.configure_oidc_settings", arguments=(tenant, settings, sso.domains)),
        Call(
            name="sso.mapping",
            arguments=(tenant, roles, AttributeMapping(group=after["group"] or None)),
        ),
    )
