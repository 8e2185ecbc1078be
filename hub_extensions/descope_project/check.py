"""What keeps a project from being ready for the hub, and what would mend each of it."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..claims import SCOPES
from ..flow_formats import files_of, to_sdk
from .desired import Desired
from .finding import Call, Change, Finding
from .project import DEFAULT_APP, State
from .single_sign_on import single_sign_on

#: Clocks may differ by the hub's leeway (`provider.LEEWAY`); the SDK's own is shorter.
MOST_SKEW: Final = 60
SOME_SKEW: Final = 5
_SOON: Final = 30 * 24 * 3600
#: Fields of a tenant, and what the SDK calls them when only they are changed.
_PATCHES: Final = {"name": "name", "enforceSSO": "enforce_sso"}
_BY_HAND: Final = "it cannot be read or set by this project's plan or key: set it in the console"


def findings(state: State, desired: Desired, *, renew_secrets: bool = False) -> list[Finding]:
    """All of them, in the order in which they are best mended."""
    return [
        *_roles(state, desired),
        *_tenants(state, desired),
        *single_sign_on(state, desired, renew_secrets),
        *_application(state, desired),
        *_merging(state, desired),
        *_flow(state, desired),
        *_key(state),
        *_clock(state),
    ]


def _roles(state: State, desired: Desired) -> Iterator[Finding]:
    for name, description in desired.roles.items():
        if name not in state.roles:
            create = Call(name="role.create", arguments=(name, description))
            after = {"name": name, "description": description}
            change = Change(what=f"role {name}", before=None, after=after, calls=(create,))
            yield Finding(what=f'The role "{name}" is missing.', fix="push makes it", change=change)


def _tenants(state: State, desired: Desired) -> Iterator[Finding]:
    for tenant, wanted in desired.tenants.items():
        known = state.tenants.get(tenant)
        if known is None:
            yield _missing_tenant(tenant, state, desired)
            continue
        after: dict[str, Any] = {"name": wanted.name} if wanted.name else {}
        if wanted.enforce_sso is not None:
            after["enforceSSO"] = wanted.enforce_sso
        before = {"name": known.get("name"), "enforceSSO": bool(known.get("enforceSSO"))}
        before = {name: before[name] for name in after}
        if before == after:
            continue
        options = {_PATCHES[name]: value for name, value in after.items() if value != before[name]}
        call = Call(name="tenant.patch_tenant", arguments=(tenant,), options=options)
        yield Finding(
            what=f"The tenant {tenant} is not as flows/project.toml has it.",
            fix="push changes it",
            change=Change(what=f"tenant {tenant}", before=before, after=after, calls=(call,)),
        )


def _missing_tenant(tenant: str, state: State, desired: Desired) -> Finding:
    """A tenant to make; but an owner that nobody wrote down, beside other tenants, is mistyped."""
    wanted = desired.tenants[tenant]
    if tenant not in desired.written and state.tenants:
        others = ", ".join(sorted(state.tenants)[:5])
        return Finding(
            what=f"DESCOPE_TENANT_ID names {tenant}, which is no tenant of the project.",
            fix=f"set it to one of {others}, or write [tenants.{tenant}] into flows/project.toml",
        )
    name = wanted.name or tenant
    after = {"id": tenant, "name": name, "enforceSSO": bool(wanted.enforce_sso)}
    options = {"enforce_sso": bool(wanted.enforce_sso)}
    call = Call(name="tenant.create", arguments=(name, tenant, []), options=options)
    return Finding(
        what=f"The tenant {tenant} is missing.",
        fix="push makes it",
        change=Change(what=f"tenant {tenant}", before=None, after=after, calls=(call,)),
    )


def _application(state: State, desired: Desired) -> Iterator[Finding]:
    claims = list(state.application.get("claims") or [])
    redirects = list(state.application.get("approvedRedirectUrls") or [])
    before = {
        "claims": claims,
        "approvedRedirectUrls": redirects,
        "forcePkce": bool(state.application.get("forcePkce")),
    }
    after = {
        "claims": list(dict.fromkeys([*claims, *SCOPES])),
        "approvedRedirectUrls": list(dict.fromkeys([*redirects, *desired.redirects])),
        "forcePkce": True,
    }
    for address in redirects:
        if "*" in address:
            yield Finding(
                what=f"The application may send people, and codes, to any address like {address}.",
                fix="write the address out in the console, under Federated Apps",
                is_note=True,
            )
    if before == after:
        return
    lacking = [name for name in after["claims"] if name not in claims]
    missing = [address for address in after["approvedRedirectUrls"] if address not in redirects]
    reasons = [
        f"does not support {', '.join(lacking)}" if lacking else "",
        f"may not send people back to {', '.join(missing)}" if missing else "",
        "" if before["forcePkce"] else "does not insist on PKCE",
    ]
    what = f"The OIDC application {' and '.join(filter(None, reasons))}."
    files = _edited_application(state.files, after)
    change = Change(what="OIDC application", before=before, after=after, files=files or {})
    yield Finding(
        what=what,
        fix="push changes it"
        if files
        else f"{_BY_HAND}, under Federated Apps: supported claims and approved redirect addresses",
        change=change if files else None,
        is_note=not lacking and not missing,
    )


def _edited_application(
    files: Mapping[str, Any] | None, wanted: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The snapshot's file of applications with the default one changed."""
    body = copy.deepcopy((files or {}).get("applications.json") or {})
    for application in body.get("applications") or ():
        if application.get("id") == DEFAULT_APP:
            application["oidc"] = {**(application.get("oidc") or {}), **wanted}
            return {"applications.json": body}
    return None


def _merging(state: State, desired: Desired) -> Iterator[Finding]:
    if state.files is None:
        yield Finding(
            what="Whose word on an address joins accounts, and whether single sign-on is kept to a "
            f"company's own mail domains, is not known ({state.no_files}).",
            fix="in the console, under Authentication Methods: SSO, block on domain mismatch; "
            "Social Login, merge accounts only where you trust the provider",
            is_note=True,
        )
        return
    sso = dict(state.files.get("auth/sso.json") or {})
    wanted = {"blockIfEmailDomainMismatch": True, "mergeUsers": True}
    before = {name: bool(sso.get(name)) for name in wanted}
    if before != wanted:
        change = Change(
            what="single sign-on of the project",
            before=before,
            after=wanted,
            files={"auth/sso.json": sso | wanted},
        )
        open_domains = not before["blockIfEmailDomainMismatch"]
        yield Finding(
            what="A company's single sign-on may bring people with any mail domain."
            if open_domains
            else "Somebody who signs in by a link and by single sign-on gets two accounts.",
            fix="push changes it",
            change=change,
        )
    yield from _social(state.files, desired)


def _social(files: Mapping[str, Any], desired: Desired) -> Iterator[Finding]:
    social = copy.deepcopy(files.get("auth/oauth.json") or {})
    providers: dict[str, Any] = social.get("providerSettings") or {}
    merging = [
        name
        for name, provider in sorted(providers.items())
        if provider.get("enabled", True)
        and provider.get("trustProvidedEmails", True)
        and name not in desired.merge
    ]
    if not merging:
        return
    for name in merging:
        providers[name]["trustProvidedEmails"] = False
    names = ", ".join(merging)
    yield Finding(
        what=f"Accounts are joined by what {names} says of an address: whoever can claim a "
        "colleague's address there becomes that colleague.",
        fix=f"push makes their accounts separate; or list {names} as merge in flows/project.toml",
        change=Change(
            what="social login",
            before={name: {"trustProvidedEmails": True} for name in merging},
            after={name: {"trustProvidedEmails": False} for name in merging},
            files={"auth/oauth.json": social},
        ),
    )


def _flow(state: State, desired: Desired) -> Iterator[Finding]:
    flow_id = desired.flow["flowId"]
    before, after = outline(state.flow) if state.flow else None, outline(desired.flow)
    if before == after:
        return
    if before is None:  # a whole flow is no diff to read: what it consists of is enough
        after = {name: sorted(after[name]) for name in ("tasks", "screens")}
    if state.files is None:
        told = to_sdk(desired.flow)
        arguments = (flow_id, told["flow"], told["screens"])
        calls, files = (Call(name="flow.import_flow", arguments=arguments),), {}
    else:
        index = state.files.get("flows/flows.json") or {}
        names = list(dict.fromkeys([*(index.get("flows") or []), flow_id]))
        calls, files = (), {**files_of(desired.flow), "flows/flows.json": index | {"flows": names}}
    missing = f'The flow "{flow_id}" is missing.'
    yield Finding(
        what=missing if before is None else f'The flow "{flow_id}" differs from its file.',
        fix="push writes the file into the project, pull the project's flow into the file",
        change=Change(what=f"flow {flow_id}", before=before, after=after, calls=calls, files=files),
    )


def outline(flow: Mapping[str, Any]) -> dict[str, Any]:
    """What a flow does and shows, without positions on the canvas, versions and empty values."""
    tasks = flow["contents"]["tasks"]
    return {
        "start": flow["contents"].get("startTask"),
        "tasks": {
            name: _plain({k: v for k, v in task.items() if k not in {"view", "errorHandlingV2"}})
            for name, task in tasks.items()
        },
        "screens": {
            screen["screenId"]: _plain(screen.get("contents") or {}) for screen in flow["screens"]
        },
    }


def _plain(value: Any) -> Any:
    """A value without what is empty in it, which Descope may leave out or fill in."""
    if isinstance(value, Mapping):
        pairs = ((key, _plain(item)) for key, item in sorted(value.items()))
        return {key: item for key, item in pairs if item not in (None, "", [], {}, False)}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _key(state: State) -> Iterator[Finding]:
    key = state.key
    if key is None:
        yield Finding(
            what="The hub has no access key: DESCOPE_CLIENT_SECRET is not set.",
            fix="push makes one and writes it into .env",
            change=Change(
                what="access key",
                before=None,
                after={"name": "Atrium hub"},
                calls=(Call(name="access_key.create", arguments=("Atrium hub",)),),
                makes_key=True,
            ),
        )
    elif not key.is_alive:
        yield Finding(
            what="DESCOPE_CLIENT_SECRET is no living access key of this project: mistyped, expired "
            "or switched off.",
            fix="unset it, and push makes a new one",
        )
    elif 0 < key.expires_at < time.time() + _SOON:
        days = max(0, int((key.expires_at - time.time()) // 86400))
        yield Finding(
            what=f'The access key "{key.name}" expires in {days} days; then nobody can sign in.',
            fix="unset DESCOPE_CLIENT_SECRET, and push makes a new one",
            is_note=True,
        )


def _clock(state: State) -> Iterator[Finding]:
    if abs(state.skew) <= SOME_SKEW:
        return
    way = "ahead of" if state.skew > 0 else "behind"
    yield Finding(
        what=f"This machine's clock is {abs(state.skew):.0f} s {way} Descope's; beyond {MOST_SKEW} "
        "s its tokens are refused.",
        fix="let the machine keep its clock by NTP",
        is_note=abs(state.skew) <= MOST_SKEW,
    )
