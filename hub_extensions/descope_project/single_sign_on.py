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
_NO_GROUPS: Final[Mapping[str, Any]] = {"group": "", "roles": {}}


def single_sign_on(state: State, desired: Desired, renew: bool) -> Iterator[Finding]:
    """Tenants whose provider is not as wanted; all that have one, to `renew` their secrets."""
    for tenant, wanted in desired.tenants.items():
        settings = state.sso.get(tenant, {})
        domains = settings.get("tenant", {}).get("domains") or []
        kind = settings.get("tenant", {}).get("authType") or "none"
        if wanted.sso is None:
            if kind != "none" and not domains:
                yield Finding(
                    what=f"Single sign-on of the tenant {tenant} names no mail domain.",
                    fix="name its domains in the console, under Tenants, SSO",
                )
            continue
        now = (settings.get("oidc") or {}) if kind == "oidc" else {}
        before = _view(now, domains) if kind == "oidc" else None
        after = _wanted(wanted.sso, before)
        if before == after and not renew:
            continue
        yield _finding(tenant, kind, wanted.sso, now, before, after, desired)


def _finding(
    tenant: str,
    kind: str,
    sso: DesiredSso,
    now: Mapping[str, Any],
    before: Any,
    after: dict[str, Any],
    desired: Desired,
) -> Finding:
    what = f"Single sign-on of the tenant {tenant} is not set up as wanted."
    mapping = now.get("userAttrMapping") or {}
    lost = [name for name in ("fgaMappings", "defaultSSORoles", "groupsPriority") if now.get(name)]
    lost += ["custom attributes"] if mapping.get("customAttributes") else []
    if kind not in {"none", "oidc"}:
        fix = f"it signs in by {kind}: end that in the console first, or take it out of the file"
        return Finding(what=what, fix=fix)
    if lost:
        fix = f"the SDK would lose its {', '.join(lost)}: change it in the console, under SSO"
        return Finding(what=what, fix=fix)
    if before == after:
        what = f"The client secret of the tenant {tenant} is to be sent again."
    change = Change(
        what=f"single sign-on of {tenant}",
        before=before,
        after=after,
        calls=_calls(tenant, sso, now, before or _NO_GROUPS, after, desired),
    )
    return Finding(what=what, fix="push sets it up", change=change)


def _wanted(sso: DesiredSso, before: Mapping[str, Any] | None) -> dict[str, Any]:
    kept = before or _NO_GROUPS
    return {
        "name": sso.name,
        "clientId": sso.client_id,
        "issuer": sso.issuer,
        **sso.endpoints(),
        "scope": sorted(sso.scopes),
        "domains": sorted(domain.lower() for domain in sso.domains),
        # where the file says nothing of groups, those of the console stay
        "group": sso.groups_claim if sso.roles else kept["group"],
        "roles": {role: sorted(groups) for role, groups in sorted(sso.roles.items())}
        or kept["roles"],
    }


def _view(oidc: Mapping[str, Any], domains: list[str]) -> dict[str, Any]:
    names = ("name", "clientId", "issuer", "authUrl", "tokenUrl", "userDataUrl", "JWKsUrl")
    mappings = oidc.get("groupsMapping") or []
    roles = {each["role"]["name"]: sorted(each.get("groups") or []) for each in mappings}
    return {
        **{name: oidc.get(name) or "" for name in names},
        "scope": sorted(oidc.get("scope") or []),
        "domains": sorted(domains),
        "group": (oidc.get("userAttrMapping") or {}).get("group") or "",
        "roles": dict(sorted(roles.items())),
    }


def _calls(
    tenant: str,
    sso: DesiredSso,
    now: Mapping[str, Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    desired: Desired,
) -> tuple[Call, ...]:
    """Descope replaces all settings at once, so those that are not wanted otherwise are repeated.

    The groups' roles have a call of their own; the SDK has no other way for them.
    """
    mapping = {**_ATTRIBUTES, **{k: v for k, v in (now.get("userAttrMapping") or {}).items() if v}}
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
        attribute_mapping=OIDCAttributeMapping(*(mapping[name] for name in _ATTRIBUTES)),
        manage_provider_tokens=bool(now.get("manageProviderTokens")),
        callback_domain=now.get("callbackDomain") or "",
        prompt=now.get("prompt") or [],
        grant_type=now.get("grantType") or "authorization_code",
        issuer=sso.issuer,
    )
    configure = Call(name="sso.configure_oidc_settings", arguments=(tenant, settings, sso.domains))
    if all(before[name] == after[name] for name in _NO_GROUPS):
        return (configure,)
    roles = [RoleMapping(groups, role) for role, groups in after["roles"].items()]
    attributes = AttributeMapping(
        group=after["group"],
        name=mapping["name"],
        email=mapping["email"],
        given_name=mapping["givenName"],
        middle_name=mapping["middleName"],
        family_name=mapping["familyName"],
        phone_number=mapping["phoneNumber"],
        picture=mapping["picture"],
    )
    return configure, Call(name="sso.mapping", arguments=(tenant, roles, attributes))
