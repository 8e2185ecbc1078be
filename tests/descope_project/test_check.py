"""Each way in which a project is not ready is found, with its fix, and nothing where it is."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub_extensions.claims import SCOPES
from hub_extensions.descope_project.check import findings, outline
from hub_extensions.descope_project.desired import Desired, DesiredSso, DesiredTenant, SecretPlace
from hub_extensions.descope_project.finding import Finding
from hub_extensions.descope_project.project import DEFAULT_APP, Key, State
from hub_extensions.flow_formats import files_of, flow_in
from tests.local_descope.stand_in import FLOW

SHIPPED = json.loads(FLOW.read_text(encoding="utf-8"))
HUB = "https://hub.example.com/hub"
ENDPOINTS = {
    name: f"https://id.acme.test/{name}"
    for name in ("authUrl", "tokenUrl", "userDataUrl", "JWKsUrl")
}
SSO = DesiredSso(
    name="Okta",
    issuer="https://id.acme.test",
    client_id="c1",
    client_secret=SecretPlace(env="ACME_SECRET"),
    domains=["acme.test"],
    roles={"Analyst": ["data"]},
)


def desired(**changes: Any) -> Desired:
    fields: dict[str, Any] = {
        "folder": Path(),
        "flow": SHIPPED,
        "flow_file": FLOW,
        "roles": {"Tenant Admin": "x", "Analyst": "y"},
        "tenants": {"T1": DesiredTenant()},
        "written": frozenset(),
        "merge": frozenset({"google"}),
        "redirects": (f"{HUB}/oauth_callback", f"{HUB}/signed-out"),
    }
    return Desired(**fields | changes)


def ready(**changes: Any) -> State:
    """A project as the hub needs it."""
    application = {
        "claims": list(SCOPES),
        "approvedRedirectUrls": [f"{HUB}/oauth_callback", f"{HUB}/signed-out"],
        "forcePkce": True,
    }
    files: dict[str, Any] = {
        "applications.json": {
            "applications": [{"id": DEFAULT_APP, "name": "x", "oidc": application}]
        },
        "auth/sso.json": {"enabled": True, "mergeUsers": True, "blockIfEmailDomainMismatch": True},
        "auth/oauth.json": {"providerSettings": {"google": {"trustProvidedEmails": True}}},
        "flows/flows.json": {"flows": ["sign-up-or-in", "another"]},
        **files_of(SHIPPED),
    }
    fields: dict[str, Any] = {
        "roles": frozenset({"Tenant Admin", "Analyst", "Other"}),
        "tenants": {"T1": {"id": "T1", "name": "Acme", "enforceSSO": False}},
        "sso": {"T1": {"tenant": {"authType": "none", "domains": []}, "oidc": {}}},
        "application": application,
        "flow": SHIPPED,
        "files": files,
        "key": Key(is_alive=True, name="hub", expires_at=0),
    }
    return State(**fields | changes)


def test_a_project_that_is_ready_has_no_finding() -> None:
    assert findings(ready(), desired()) == []


def edited(path: str, **settings: Any) -> dict[str, Any]:
    """The files of a ready project with settings in one of them changed."""
    files = copy.deepcopy(ready().files or {})
    files[path] |= settings
    return files


def changed_flow() -> dict[str, Any]:
    flow = copy.deepcopy(SHIPPED)
    flow["contents"]["tasks"]["4"]["name"] = "Is this somebody new?"
    return flow


NOT_READY: dict[str, tuple[Callable[[], State], str, str]] = {
    "a role is absent": (
        lambda: ready(roles=frozenset({"Tenant Admin"})),
        'The role "Analyst" is missing',
        "push makes it",
    ),
    "the owner tenant is absent": (
        lambda: ready(tenants={}, sso={}),
        "The tenant T1 is missing",
        "push makes it",
    ),
    "the owner tenant is mistyped": (
        lambda: ready(tenants={"T11": {"id": "T11", "name": "Acme"}}, sso={}),
        "DESCOPE_TENANT_ID names T1, which is no tenant",
        "set it to one of T11",
    ),
    "claims are missing": (
        lambda: ready(application=ready().application | {"claims": ["openid", "email"]}),
        "does not support profile, descope.claims",
        "push changes it",
    ),
    "the callback is not allowed": (
        lambda: ready(application=ready().application | {"approvedRedirectUrls": []}),
        f"may not send people back to {HUB}/oauth_callback",
        "push changes it",
    ),
    "the flow is absent": (lambda: ready(flow=None), "is missing", "push writes the file"),
    "the flow differs": (lambda: ready(flow=changed_flow()), "differs", "pull the project's flow"),
    "accounts are merged": (
        lambda: ready(files=edited("auth/oauth.json", providerSettings={"github": {}})),
        "joined by what github says",
        "merge in flows/project.toml",
    ),
    "mail domains are not enforced": (
        lambda: ready(
            files=edited("auth/sso.json", blockIfEmailDomainMismatch=False, mergeUsers=True)
        ),
        "any mail domain",
        "push changes it",
    ),
    "two ways make two accounts": (
        lambda: ready(files=edited("auth/sso.json", mergeUsers=False)),
        "gets two accounts",
        "push changes it",
    ),
    "a company's sign-on names no domain": (
        lambda: ready(sso={"T1": {"tenant": {"authType": "saml", "domains": []}}}),
        "names no mail domain",
        "name its domains in the console",
    ),
    "the clock is wrong": (lambda: ready(skew=-120.0), "120 s behind Descope's", "NTP"),
    "the key is dead": (
        lambda: ready(key=Key(is_alive=False)),
        "no living access key",
        "unset it, and push",
    ),
    "there is no key": (lambda: ready(key=None), "is not set", "push makes one"),
}
NOTES: dict[str, tuple[Callable[[], State], str]] = {
    "the key ends soon": (
        lambda: ready(key=Key(is_alive=True, name="hub", expires_at=int(time.time()) + 3 * 86400)),
        'The access key "hub" expires in 2 days',
    ),
    "the clock is a little wrong": (lambda: ready(skew=20.0), "20 s ahead of Descope's"),
    "a redirect has a wildcard": (
        lambda: ready(
            application=ready().application
            | {
                "approvedRedirectUrls": [
                    *ready().application["approvedRedirectUrls"],
                    "https://*.example.com",
                ]
            }
        ),
        "any address like https://*.example.com",
    ),
    "PKCE is not forced": (
        lambda: ready(application=ready().application | {"forcePkce": False}),
        "does not insist on PKCE",
    ),
}


@pytest.mark.parametrize("name", NOT_READY)
def test_what_is_not_ready_is_found_with_its_fix(name: str) -> None:
    state, what, fix = NOT_READY[name]
    (finding,) = findings(state(), desired())
    assert what in finding.what
    assert fix in finding.fix
    assert not finding.is_note
    assert finding.what.endswith(".")


@pytest.mark.parametrize("name", NOTES)
def test_what_may_become_a_problem_is_a_note(name: str) -> None:
    state, what = NOTES[name]
    (finding,) = findings(state(), desired())
    assert finding.is_note
    assert what in finding.what


def change_of(finding: Finding) -> Any:
    assert finding.change
    return finding.change


def test_a_change_keeps_what_else_is_in_a_file() -> None:
    """A snapshot is imported whole: what a change leaves out would be lost."""
    files = edited("auth/sso.json", blockIfEmailDomainMismatch=False, ssoSuite={"x": 1})
    (finding,) = findings(ready(files=files), desired())
    after = change_of(finding).files["auth/sso.json"]
    assert after == files["auth/sso.json"] | {"blockIfEmailDomainMismatch": True}
    missing = ready(flow=None)
    change = change_of(findings(missing, desired())[0])
    assert change.files["flows/flows.json"]["flows"] == ["sign-up-or-in", "another"]
    few = ready(application=ready().application | {"claims": []})
    change = change_of(findings(few, desired())[0])
    (application,) = change.files["applications.json"]["applications"]
    assert application["name"] == "x"
    assert set(application["oidc"]["claims"]) == set(SCOPES)


def test_without_a_snapshot_it_is_said_what_to_do_by_hand() -> None:
    state = ready(files=None, no_files="402 E0 not in your plan", flow=None, application={})
    found = findings(state, desired())
    by_hand = [each for each in found if "console" in each.fix]
    assert len(by_hand) == 2
    assert any("not in your plan" in each.what for each in found)
    assert all(each.change is None for each in by_hand)
    (flow,) = [each for each in found if "flow" in each.what]
    assert [call.name for call in change_of(flow).calls] == ["flow.import_flow"]


def test_single_sign_on_is_compared_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DesiredSso, "endpoints", lambda _: ENDPOINTS)
    monkeypatch.setenv("ACME_SECRET", "the-companys-secret")
    wanted = desired(tenants={"T1": DesiredTenant(sso=SSO)})
    oidc = {
        "name": "Okta",
        "clientId": "c1",
        "clientSecret": "",
        "issuer": "https://id.acme.test",
        **ENDPOINTS,
        "scope": ["profile", "openid", "email"],
        "userAttrMapping": {"group": "groups", "email": "mail"},
        "groupsMapping": [{"role": {"id": "ROL1", "name": "Analyst"}, "groups": ["data"]}],
        "callbackDomain": "auth.acme.test",
    }
    settings = {"tenant": {"authType": "oidc", "domains": ["acme.test"]}, "oidc": oidc}
    same = ready(sso={"T1": settings})
    assert findings(same, wanted) == []
    (renewed,) = findings(same, wanted, renew_secrets=True)
    assert "to be sent again" in renewed.what
    settings["oidc"] = oidc | {"clientId": "another"}
    (finding,) = findings(ready(sso={"T1": settings}), wanted)
    assert [call.name for call in change_of(finding).calls] == ["sso.configure_oidc_settings"]
    settings["oidc"] = oidc | {"clientId": "another", "groupsMapping": []}
    (finding,) = findings(ready(sso={"T1": settings}), wanted)
    configure, mapping = change_of(finding).calls
    told = configure.arguments[1]
    assert (told.client_id, told.client_secret) == ("c1", "the-companys-secret")
    # what is not wanted otherwise is said again, because all is replaced
    assert (told.callback_domain, told.attribute_mapping.email) == ("auth.acme.test", "mail")
    assert mapping.arguments[2].group == "groups"
    assert "the-companys-secret" not in repr(finding)
    assert "the-companys-secret" not in json.dumps([finding.change.before, finding.change.after])


def sso_of(**oidc: Any) -> dict[str, Any]:
    return {"tenant": {"authType": "oidc", "domains": ["acme.test"]}, "oidc": oidc}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tenant": {"authType": "saml", "domains": ["acme.test"]}}, "it signs in by saml"),
        (sso_of(fgaMappings={"g": {}}), "would lose its fgaMappings"),
        (sso_of(defaultSSORoles=["Analyst"]), "would lose its defaultSSORoles"),
        (sso_of(groupsPriority=["a"]), "would lose its groupsPriority"),
        (
            sso_of(userAttrMapping={"customAttributes": {"a": "b"}}),
            "would lose its custom attributes",
        ),
    ],
)
def test_what_the_sdk_would_lose_is_left_to_the_console(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(DesiredSso, "endpoints", lambda _: ENDPOINTS)
    monkeypatch.setenv("ACME_SECRET", "s")
    wanted = desired(tenants={"T1": DesiredTenant(sso=SSO)})
    (finding,) = findings(ready(sso={"T1": settings}), wanted)
    assert words in finding.fix
    assert finding.change is None


def test_groups_of_the_console_stay_where_the_file_names_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DesiredSso, "endpoints", lambda _: ENDPOINTS)
    monkeypatch.setenv("ACME_SECRET", "s")
    silent = SSO.model_copy(update={"roles": {}})
    groups = [{"role": {"name": "Analyst"}, "groups": ["x"]}]
    settings = sso_of(groupsMapping=groups, userAttrMapping={"group": "gr"})
    wanted = desired(tenants={"T1": DesiredTenant(sso=silent)})
    (finding,) = findings(ready(sso={"T1": settings}), wanted)
    assert [call.name for call in change_of(finding).calls] == ["sso.configure_oidc_settings"]
    assert change_of(finding).after["roles"] == {"Analyst": ["x"]}


def test_of_a_tenant_only_what_differs_is_changed() -> None:
    tenant = {"id": "T1", "name": "Acme", "enforceSSO": True, "enforceSSOExclusions": ["U1"]}
    state = ready(tenants={"T1": tenant})
    assert findings(state, desired()) == []
    same = DesiredTenant(name="Acme", enforce_sso=True)
    assert findings(state, desired(tenants={"T1": same})) == []
    other = DesiredTenant(name="Acme Ltd", enforce_sso=True)
    (finding,) = findings(state, desired(tenants={"T1": other}))
    (call,) = change_of(finding).calls
    assert (call.name, call.arguments, call.options) == (
        "tenant.patch_tenant",
        ("T1",),
        {"name": "Acme Ltd"},
    )


def test_positions_and_empty_values_make_no_difference() -> None:
    flow = copy.deepcopy(SHIPPED)
    flow["metadata"]["componentsVersion"] = "9.9.9"
    for task in flow["contents"]["tasks"].values():
        task["view"] = {"x": 1, "y": 2}
        task["skipResolve"] = False
    assert outline(flow) == outline(SHIPPED)


def test_a_flow_is_the_same_after_a_snapshot() -> None:
    assert flow_in(files_of(SHIPPED), "sign-up-or-in") == SHIPPED
    assert flow_in({}, "sign-up-or-in") is None
