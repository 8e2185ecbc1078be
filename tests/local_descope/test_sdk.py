"""Descope's own Python SDK, unmodified, against the stand-in: it cannot tell the difference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from descope import AssociatedTenant, AuthException, DescopeClient, SSOOIDCSettings
from descope.exceptions import RateLimitException
from descope.management.sso_settings import AttributeMapping, RoleMapping, SSOSAMLSettings

from tests.local_descope.conftest import StartStandIn
from tests.local_descope.stand_in import (
    FLOW,
    MANAGEMENT_KEY,
    PROJECT,
    SECRET,
    Browser,
    Client,
    StandIn,
)
from tests.sdk import Project

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def mgmt(stand_in: StandIn) -> Any:
    return stand_in.project.mgmt


@pytest.fixture
def session(stand_in: StandIn, browser: Browser, client: Client) -> dict[str, Any]:
    """The tokens of somebody who signed in: Descope's session and refresh JWT."""
    return client.finish(browser.sign_in(client, "admin@acme.test"))


@contextmanager
def refused(status: int, code: str, words: str = "") -> Iterator[None]:
    """The call in the block is refused, in Descope's shape and without repeating a secret."""
    with pytest.raises(AuthException) as raised:
        yield
    error = raised.value
    assert error.status_code == status, error
    body = json.loads(error.error_message)
    assert body.keys() == {"errorCode", "errorDescription", "errorMessage", "message"}
    assert body["errorCode"] == code, body
    assert words in body["errorMessage"]
    assert MANAGEMENT_KEY not in error.error_message


def test_a_user_from_first_to_last(mgmt: Any) -> None:
    place = AssociatedTenant("acme", ["Analyst"])
    made = mgmt.user.create(
        "sam@example.test",
        email="sam@example.test",
        display_name="Sam",
        verified_email=True,
        user_tenants=[place],
        custom_attributes={"team": "data"},
        additional_login_ids=["sam"],
    )["user"]
    assert made["userId"].startswith("U2")
    assert (made["name"], made["status"]) == ("Sam", "enabled")
    assert set(made["loginIds"]) == {"sam@example.test", "sam"}
    assert made["userTenants"] == [
        {"tenantId": "acme", "tenantName": "Acme", "roleNames": ["Analyst"], "permissions": []}
    ]
    assert mgmt.user.load("sam")["user"] == made
    assert mgmt.user.load_by_user_id(made["userId"])["user"] == made
    changed = mgmt.user.update("sam@example.test", email="sam@example.test", display_name="Samuel")
    assert changed["user"]["name"] == "Samuel"
    assert changed["user"]["userTenants"] == []  # an update says all of a user
    assert changed["user"]["verifiedEmail"] is True
    mgmt.user.delete("sam@example.test")
    with refused(404, "E112102"):
        mgmt.user.load("sam@example.test")
    with refused(404, "E112102"):
        mgmt.user.delete("sam@example.test")


def test_a_users_tenants_and_roles(mgmt: Any) -> None:
    mgmt.user.create("kim@example.test", email="kim@example.test")
    mgmt.user.add_tenant("kim@example.test", "globex")
    mgmt.user.set_tenant_roles("kim@example.test", "globex", ["Analyst"])
    mgmt.user.add_tenant_roles("kim@example.test", "globex", ["Tenant Admin", "Analyst"])
    mgmt.user.add_roles("kim@example.test", ["Analyst"])
    user = mgmt.user.remove_tenant_roles("kim@example.test", "globex", ["Analyst"])["user"]
    assert user["userTenants"][0]["roleNames"] == ["Tenant Admin"]
    assert user["roleNames"] == ["Analyst"]
    mgmt.user.set_roles("kim@example.test", [])
    user = mgmt.user.remove_tenant("kim@example.test", "globex")["user"]
    assert (user["roleNames"], user["userTenants"]) == ([], [])
    with refused(400, "E011004"):
        mgmt.user.set_tenant_roles("kim@example.test", "globex", ["Analyst"])
    with refused(404, "E111403", "Nothing"):
        mgmt.user.add_roles("kim@example.test", ["Nothing"])
    with refused(404, "E112202"):
        mgmt.user.add_tenant("kim@example.test", "nowhere")
    assert mgmt.user.load("kim@example.test")["user"]["userTenants"] == []
    mgmt.user.delete("kim@example.test")


def test_users_are_searched(mgmt: Any) -> None:
    def found(**search: Any) -> set[str]:
        return {user["email"] for user in mgmt.user.search_all(**search)["users"]}

    acme = {"admin@acme.test", "analyst@acme.test", "member@acme.test"}
    assert found(tenant_ids=["acme"]) == acme
    assert found(tenant_ids=["acme"], role_names=["Analyst"]) == {"analyst@acme.test"}
    assert found(tenant_ids=["acme"], statuses=["disabled"]) == set()
    admin = mgmt.user.load("admin@acme.test")["user"]
    answer = mgmt.user.search_all(user_ids=[admin["userId"], "U2nobody"])
    assert answer == {"users": [admin], "total": 1}
    assert found(login_ids=["member@acme.test", "nobody@acme.test"]) == {"member@acme.test"}
    pages = [mgmt.user.search_all(tenant_ids=["acme"], limit=2, page=page) for page in range(3)]
    assert [len(page["users"]) for page in pages] == [2, 1, 0]
    assert {page["total"] for page in pages} == {3}
    assert {user["email"] for page in pages for user in page["users"]} == acme
    with refused(400, "E011003"):
        mgmt.user.search_all(limit=101)
    with refused(400, "E011003"):
        mgmt.user.search_all(text="acme")  # not served, so not ignored either


def test_a_tenant_from_first_to_last(mgmt: Any) -> None:
    made = mgmt.tenant.create("Initech", id="initech", self_provisioning_domains=["initech.test"])
    assert made == {"id": "initech"}
    loaded = mgmt.tenant.load("initech")
    assert (loaded["name"], loaded["selfProvisioningDomains"]) == ("Initech", ["initech.test"])
    assert (loaded["authType"], loaded["domains"]) == ("none", [])
    assert loaded in mgmt.tenant.load_all()["tenants"]
    mgmt.user.create("of@initech.test", user_tenants=[AssociatedTenant("initech")])
    mgmt.tenant.update("initech", "Initech Ltd", [], enforce_sso=True)
    changed = mgmt.tenant.load("initech")
    assert (changed["name"], changed["enforceSSO"]) == ("Initech Ltd", True)
    assert changed["selfProvisioningDomains"] == []
    with refused(400, "E073307"):
        mgmt.tenant.create("Other", id="initech")
    with refused(400, "E073307"):
        mgmt.tenant.create("Initech Ltd")
    mgmt.tenant.delete("initech")
    assert mgmt.user.load("of@initech.test")["user"]["userTenants"] == []
    with refused(404, "E112202"):
        mgmt.tenant.load("initech")
    mgmt.user.delete("of@initech.test")
    made = mgmt.tenant.create("Without an id")
    assert made["id"].startswith("T")
    mgmt.tenant.delete(made["id"])


def test_a_role_and_a_permission_from_first_to_last(mgmt: Any) -> None:
    mgmt.permission.create("Read charts", "May look")
    mgmt.role.create("Reader", "Looks at charts", ["Read charts"])
    (role,) = [r for r in mgmt.role.load_all()["roles"] if r["name"] == "Reader"]
    assert role["id"].startswith("ROL")
    assert (role["description"], role["permissionNames"]) == ("Looks at charts", ["Read charts"])
    mgmt.user.create("lee@example.test", user_tenants=[AssociatedTenant("acme", ["Reader"])])
    place = mgmt.user.load("lee@example.test")["user"]["userTenants"][0]
    assert (place["roleNames"], place["permissions"]) == (["Reader"], ["Read charts"])
    mgmt.permission.update("Read charts", "See charts", "May look")
    assert "See charts" in {p["name"] for p in mgmt.permission.load_all()["permissions"]}
    mgmt.role.update("Reader", "Viewer", "Looks", ["See charts"])
    names = {role["name"]: role for role in mgmt.role.load_all()["roles"]}
    assert "Reader" not in names
    assert names["Viewer"]["permissionNames"] == ["See charts"]
    with refused(400, "E024209"):
        mgmt.role.create("Viewer")
    with refused(400, "E024104"):
        mgmt.permission.create("See charts")
    with refused(404, "E111303", "Nothing"):
        mgmt.role.create("Other", permission_names=["Nothing"])
    mgmt.role.create("Here only", tenant_id="globex")
    with refused(404, "E111403"):
        mgmt.user.set_tenant_roles("lee@example.test", "acme", ["Here only"])
    mgmt.role.delete("Here only", "globex")
    mgmt.role.delete("Viewer")
    assert mgmt.user.load("lee@example.test")["user"]["userTenants"][0]["roleNames"] == []
    mgmt.permission.delete("See charts")
    with refused(404, "E111403"):
        mgmt.role.delete("Viewer")
    with refused(404, "E111303"):
        mgmt.permission.delete("See charts")
    mgmt.user.delete("lee@example.test")


def test_who_holds_a_role_follows_it(mgmt: Any) -> None:
    mgmt.permission.create("look")
    mgmt.role.create("Old", permission_names=["look"])
    mgmt.user.create("held@a.test", user_tenants=[AssociatedTenant("acme", ["Old"])])
    mgmt.user.add_roles("held@a.test", ["Old"])
    mgmt.sso.mapping("globex", [RoleMapping(["data"], "Old")], AttributeMapping())

    def held() -> tuple[Any, Any, Any]:
        user = mgmt.user.load("held@a.test")["user"]
        groups = mgmt.sso.load_settings("globex")["oidc"]["groupsMapping"]
        roles = [user["roleNames"], user["userTenants"][0]["roleNames"]]
        return *roles, [each["role"]["name"] for each in groups]

    mgmt.role.update("Old", "New", permission_names=["look"])
    assert held() == (["New"], ["New"], ["New"])
    mgmt.permission.update("look", "see")
    (role,) = [each for each in mgmt.role.load_all()["roles"] if each["name"] == "New"]
    assert role["permissionNames"] == ["see"]
    mgmt.role.delete("New")
    assert held() == ([], [], [])
    assert mgmt.user.deactivate("held@a.test")["user"]["status"] == "disabled"


def test_a_deleted_role_is_in_no_token(browser: Browser, client: Client, mgmt: Any) -> None:
    mgmt.role.create("Root")
    mgmt.user.add_roles("member@acme.test", ["Root"])
    mgmt.role.delete("Root")
    claims = client.claims(client.finish(browser.sign_in(client, "member@acme.test")))
    assert claims["roles"] == []


def test_a_tenant_takes_what_is_its_own_with_it(stand_in: StandIn, mgmt: Any) -> None:
    mgmt.tenant.create("Closing", id="closing")
    mgmt.tenant.update("closing", "Closed", [])
    assert "tenantId" not in mgmt.tenant.load("closing")
    mgmt.role.create("There", tenant_id="closing")
    key = mgmt.access_key.create("k", key_tenants=[AssociatedTenant("closing", ["There"])])
    mgmt.tenant.delete("closing")
    assert "There" not in {role["name"] for role in mgmt.role.load_all()["roles"]}
    exchanged = stand_in.project.client.exchange_access_key(key["cleartext"])
    assert exchanged["tenants"] == {}


def test_single_sign_on_settings_from_first_to_last(mgmt: Any) -> None:
    mgmt.tenant.create("Hooli", id="hooli")
    empty = mgmt.sso.load_settings("hooli")
    assert (empty["tenant"]["authType"], empty["tenant"]["domains"]) == ("none", [])
    assert (empty["oidc"]["clientId"], empty["oidc"]["userAttrMapping"]["email"]) == ("", "email")
    settings = SSOOIDCSettings(
        name="Hooli",
        client_id="c1",
        client_secret="s1",
        auth_url="https://id.hooli.test/authorize",
        token_url="https://id.hooli.test/token",
        jwks_url="https://id.hooli.test/keys",
        issuer="https://id.hooli.test",
        scope=["openid", "email"],
    )
    mgmt.sso.configure_oidc_settings("hooli", settings, ["Hooli.test"])
    mgmt.sso.mapping("hooli", [RoleMapping(["g1", "g2"], "Analyst")], AttributeMapping(group="gr"))
    loaded = mgmt.sso.load_settings("hooli")
    assert (loaded["tenant"]["authType"], loaded["tenant"]["domains"]) == ("oidc", ["hooli.test"])
    oidc = loaded["oidc"]
    assert (oidc["clientId"], oidc["clientSecret"]) == ("c1", "")
    assert (oidc["authUrl"], oidc["JWKsUrl"]) == (settings.auth_url, settings.jwks_url)
    assert oidc["userAttrMapping"]["group"] == "gr"
    (mapping,) = oidc["groupsMapping"]
    assert (mapping["role"]["name"], mapping["groups"]) == ("Analyst", ["g1", "g2"])
    settings.client_id = "c2"
    mgmt.sso.configure_oidc_settings("hooli", settings, ["hooli.test"])
    again = mgmt.sso.load_settings("hooli")["oidc"]
    assert (again["clientId"], len(again["groupsMapping"])) == ("c2", 1)
    with refused(400, "E011003", "globex.test"):
        mgmt.sso.configure_oidc_settings("hooli", settings, ["globex.test"])
    settings.auth_url = "javascript:alert(1)"
    with refused(400, "E011003", "authUrl"):
        mgmt.sso.configure_oidc_settings("hooli", settings, ["hooli.test"])
    with refused(404, "E111403"):
        mgmt.sso.mapping("hooli", [RoleMapping(["g"], "Nothing")], AttributeMapping())
    saml = SSOSAMLSettings("https://id.hooli.test/saml", "hooli", "cert")
    with refused(400, "E011004", "SAML"):
        mgmt.sso.configure_saml_settings("hooli", saml)
    assert mgmt.sso.load_settings("hooli")["oidc"] == again
    mgmt.sso.delete_settings("hooli")
    assert mgmt.sso.load_settings("hooli")["tenant"]["authType"] == "none"
    mgmt.tenant.delete("hooli")
    with refused(404, "E112202"):
        mgmt.sso.load_settings("hooli")


def test_a_flow_from_first_to_last(mgmt: Any, browser: Browser, client: Client) -> None:
    exported = mgmt.flow.export_flow("sign-up-or-in")
    assert exported["flow"]["dsl"]["startTask"] == "0"
    assert {screen["id"] for screen in exported["screens"]} >= {"SCatriumWelcome"}
    flow = exported["flow"] | {"name": "Another"}
    made = mgmt.flow.import_flow("another", flow, exported["screens"])
    assert made["flow"]["name"] == "Another"
    assert {"another", "sign-up-or-in"} <= {f["id"] for f in mgmt.flow.list_flows()["flows"]}
    assert "Send me a link" in browser.open(client.begin(flow="another")).text
    screens = json.loads(json.dumps(exported["screens"]).replace("Sign in", "Come in"))
    mgmt.flow.import_flow("another", flow, screens)
    assert "Come in" in browser.open(client.begin(flow="another")).text
    broken = json.loads(json.dumps(flow).replace("logged-in", "open-sesame"))
    with refused(400, "E011003", 'the action "open-sesame"'):
        mgmt.flow.import_flow("another", broken, screens)
    assert "Come in" in browser.open(client.begin(flow="another")).text
    mgmt.flow.delete_flows(["another"])
    with refused(404, "E103003"):
        mgmt.flow.export_flow("another")
    with refused(404, "E103003"):
        mgmt.flow.delete_flows(["sign-up-or-in", "another"])
    assert mgmt.flow.export_flow("sign-up-or-in") == exported
    assert 'no flow "another"' in unescaped(browser.open(client.begin(flow="another")))


def test_a_flow_that_changed_under_somebody_asks_to_start_again(
    start_stand_in: StartStandIn,
) -> None:
    stand_in = start_stand_in()
    with Browser(stand_in) as browser:
        client = Client(stand_in)
        page = browser.open(client.begin())
        flow = stand_in.project.mgmt.flow
        renamed = json.loads(json.dumps(flow.export_flow("sign-up-or-in")).replace('"0"', '"zero"'))
        flow.import_flow("sign-up-or-in", renamed["flow"], renamed["screens"])
        for answer in (browser.get(page.url), browser.press(page, "Send me a link")):
            assert answer.status_code == 400
            assert "Start again" in answer.text
        client.session.close()


def unescaped(page: requests.Response) -> str:
    return page.text.replace("&#34;", '"')


def test_a_snapshot_comes_back_as_it_was(mgmt: Any) -> None:
    files = mgmt.project.export_snapshot()["files"]
    assert files["auth/magiclink.json"]["expirationTimeUnit"] == "minutes"
    (application,) = files["applications.json"]["applications"]
    assert "descope.claims" in application["oidc"]["claims"]
    shipped = json.loads(FLOW.read_text(encoding="utf-8"))
    assert files["flows/sign-up-or-in/contents.json"] == shipped["contents"]
    assert mgmt.project.validate_snapshot(files)["ok"] is True
    mgmt.project.import_snapshot(files)
    assert mgmt.project.export_snapshot()["files"] == files
    # a file that is not there changes nothing, and two of one name are one
    named = {"roles.json": {"roles": [{"name": "Twice"}, {"name": "Twice"}]}}
    mgmt.project.import_snapshot(named)
    after = mgmt.project.export_snapshot()["files"]
    assert after.keys() == files.keys()
    assert [each["name"] for each in after["roles.json"]["roles"]].count("Twice") == 1


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("auth/magiclink.json", {"expirationTime": 0}, "expirationTime"),
        ("auth/magiclink.json", {"expirationTime": "3"}, "expirationTime"),
        ("project.json", {"refreshTokenExpirationUnit": "centuries"}, "refreshTokenExpirationUnit"),
        ("project.json", [], "project.json"),
        ("auth/oauth.json", {"providerSettings": {"google": "x"}}, "google"),
        ("applications.json", {"applications": [{"id": "../x", "name": "x"}]}, "id"),
        ("applications.json", {"applications": {}}, "no list"),
        ("roles.json", {"roles": [{"description": "x"}]}, "name"),
        ("flows/flows.json", {"flows": ["missing"]}, "a file is missing"),
        ("flows/flows.json", {"flows": 5}, "flows"),
        ("permissions.json", {"permissions": [{"name": []}]}, "name"),
        ("roles.json", {"roles": [{"name": {}}]}, "name"),
        (
            "auth/oauth.json",
            {"providerSettings": {"google": {"authUrl": "javascript:alert(1)"}}},
            "authUrl",
        ),
        ("lists.json", {"lists": []}, "does not know this file"),
    ],
)
def test_a_broken_snapshot_changes_nothing(mgmt: Any, path: str, body: Any, words: str) -> None:
    files = mgmt.project.export_snapshot()["files"]
    broken = files | {path: body, "auth/sso.json": {"mergeUsers": False}}
    answer = mgmt.project.validate_snapshot(broken)
    assert answer["ok"] is False
    assert words in answer["failures"][0]
    with refused(400, "E011003", words):
        mgmt.project.import_snapshot(broken)
    assert mgmt.project.export_snapshot()["files"] == files
    # a file that is not there changes nothing, and two of one name are one
    named = {"roles.json": {"roles": [{"name": "Twice"}, {"name": "Twice"}]}}
    mgmt.project.import_snapshot(named)
    after = mgmt.project.export_snapshot()["files"]
    assert after.keys() == files.keys()
    assert [each["name"] for each in after["roles.json"]["roles"]].count("Twice") == 1


def test_the_default_application_is_loaded(mgmt: Any, client: Client) -> None:
    application = mgmt.sso_application.load("descope-default-oidc")
    settings = application["oidcSettings"]
    assert settings["issuer"] == client.metadata["issuer"]
    assert settings["clientId"] == PROJECT
    assert client.stand_in.callback in settings["approvedRedirectUrls"]
    with refused(404, "E112302"):
        mgmt.sso_application.load("another")


def test_an_access_key_is_made_and_exchanged(stand_in: StandIn, mgmt: Any) -> None:
    made = mgmt.access_key.create("for a job", key_tenants=[AssociatedTenant("acme", ["Analyst"])])
    assert mgmt.access_key.load(made["key"]["id"])["key"] == made["key"]
    told = stand_in.project.client.exchange_access_key(made["cleartext"])
    assert told["keyId"] == made["key"]["id"]
    assert told["tenants"]["acme"]["roles"] == ["Analyst"]
    assert stand_in.project.client.exchange_access_key(SECRET)["keyId"].startswith("K")
    with refused(401, "E062803"):
        stand_in.project.client.exchange_access_key("wrong")
    with refused(400, "E011003", "passed"):
        mgmt.access_key.create("too late", expire_time=1)
    with refused(404, "E111502"):
        mgmt.access_key.load("K" * 28)


def test_a_session_is_validated_refreshed_and_ended(
    stand_in: StandIn, session: dict[str, Any]
) -> None:
    descope = stand_in.project.client
    claims = descope.validate_session(session["access_token"])
    assert claims["tenants"]["acme"]["roles"] == ["Tenant Admin"]
    assert (claims["drn"], claims["dct"], claims["projectId"]) == ("DS", "acme", PROJECT)
    refreshed = descope.refresh_session(session["refresh_token"])
    assert refreshed["user"]["email"] == "admin@acme.test"
    assert refreshed["sessionToken"]["jwt"] != session["access_token"]
    assert descope.me(session["refresh_token"])["email"] == "admin@acme.test"
    descope.logout(session["refresh_token"])
    for call in (descope.refresh_session, descope.me, descope.logout):
        with refused(401, "E061003"):
            call(session["refresh_token"])
    with refused(401, "E061005"):
        descope.me(session["access_token"])  # it is no refresh token


def test_a_refresh_token_used_again_ends_its_session(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in()
    stand_in.project.settings("project.json", rotateJwt=True)
    client, descope = Client(stand_in), stand_in.project.client
    with Browser(stand_in) as browser, client.session:
        first = client.finish(browser.sign_in(client, "member@acme.test"))["refresh_token"]
        second = descope.refresh_session(first)["refreshSessionToken"]["jwt"]
        with refused(400, "E064006"):
            descope.refresh_session(first)
        with refused(401, "E061003"):
            descope.refresh_session(second)


def test_one_of_two_refreshes_at_once_wins(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in()
    stand_in.project.settings("project.json", rotateJwt=True)
    client = Client(stand_in)
    with Browser(stand_in) as browser, client.session:
        token = client.finish(browser.sign_in(client, "member@acme.test"))["refresh_token"]

    def refresh(_: int) -> int:
        headers = {"Authorization": f"Bearer {PROJECT}:{token}"}
        url = f"{stand_in.url}/v1/auth/refresh"
        return requests.post(url, json={}, headers=headers, timeout=20).status_code

    with ThreadPoolExecutor(6) as threads:
        statuses = sorted(threads.map(refresh, range(6)))
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 401}


def test_a_person_switched_off_or_logged_out_is_out_at_once(
    mgmt: Any, stand_in: StandIn, browser: Browser, client: Client
) -> None:
    descope = stand_in.project.client
    for end in (mgmt.user.logout_user, mgmt.user.deactivate):
        tokens = client.finish(browser.sign_in(client, "member@acme.test", prompt="login"))
        end("member@acme.test")
        with refused(401, "E061003"):
            descope.refresh_session(tokens["refresh_token"])
        assert client.userinfo(tokens).status_code == 401
        assert "Send me a link" in browser.open(client.begin()).text
    mgmt.user.activate("member@acme.test")


def test_new_keys_sign_nobody_out(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in()
    client, descope = Client(stand_in), stand_in.project.client
    with Browser(stand_in) as browser, client.session:
        tokens = client.finish(browser.sign_in(client, "admin@acme.test"))
        descope.validate_session(tokens["access_token"])
        stand_in.rotate_keys()
        fresh = client.refresh(tokens)
        head = requests.get(client.metadata["jwks_uri"], timeout=10).json()["keys"]
        assert len(head) == 2
        assert client.claims(fresh)["sub"] == client.claims(tokens)["sub"]
        assert descope.validate_session(fresh["access_token"])["userId"]
        assert descope.validate_session(tokens["access_token"])["userId"]
        assert "Location" in browser.open(client.begin()).headers


# -- who may call, and what with ------------------------------------------------------------------


CALLS = [
    ("POST", "/v1/mgmt/user/create", {"loginId": "x@example.test"}),
    ("POST", "/v1/mgmt/tenant/create", {"name": "x"}),
    ("POST", "/v1/mgmt/flow/export", {"flowId": "sign-up-or-in"}),
    ("POST", "/v1/mgmt/project/snapshot/export", {}),
    ("GET", "/v1/mgmt/role/all", None),
    ("GET", "/v1/mgmt/license", None),
    ("DELETE", "/v1/mgmt/sso/settings?tenantId=globex", None),
]
KEYS = [
    ("", "E011008"),
    ("Bearer ", "E011008"),
    (f"Bearer {PROJECT}", "E061004"),
    (f"Bearer {PROJECT}:", "E061004"),
    (f"Bearer {PROJECT}:wrong", "E061004"),
    (f"Bearer {PROJECT}:{MANAGEMENT_KEY}x", "E061004"),
    (f"Bearer {PROJECT}:{SECRET}", "E061004"),
    (f"Bearer PanotherProject:{MANAGEMENT_KEY}", "E011008"),
    (f"Basic {PROJECT}:{MANAGEMENT_KEY}", "E011008"),
    (f"Bearer {MANAGEMENT_KEY}", "E011008"),
    (f"Bearer {PROJECT}:ünïcode", "E061004"),
]


@pytest.mark.parametrize(("header", "code"), KEYS)
def test_without_the_management_key_nothing_is_done(
    stand_in: StandIn, header: str, code: str
) -> None:
    for method, path, body in CALLS:
        headers = {"Authorization": header.encode()}
        answer = requests.request(
            method, f"{stand_in.url}{path}", json=body, headers=headers, timeout=10
        )
        assert (answer.status_code, answer.json()["errorCode"]) == (401, code), path
    with refused(404, "E112102"):
        stand_in.project.mgmt.user.load("x@example.test")
    assert stand_in.project.mgmt.sso.load_settings("globex")["tenant"]["authType"] == "oidc"


def test_the_keys_of_another_project_open_nothing(stand_in: StandIn) -> None:
    other = Project(stand_in.url, MANAGEMENT_KEY, "PanotherProject000000000000000")
    with refused(401, "E011008"):
        other.mgmt.user.load("admin@acme.test")


WRONG_BODIES: list[tuple[str, Any, str]] = [
    ("user/create", {}, "loginId"),
    ("user/create", {"loginId": 5}, "loginId"),
    ("user/create", {"loginId": ["x"]}, "loginId"),
    ("user/create", {"loginId": " "}, "loginId"),
    ("user/create", {"loginId": "x" * 300}, "loginId"),
    ("user/create", {"loginId": "x", "email": {}}, "email"),
    ("user/create", {"loginId": "x", "verifiedEmail": "yes"}, "verifiedEmail"),
    ("user/create", {"loginId": "x", "userTenants": "acme"}, "userTenants"),
    ("user/create", {"loginId": "x", "userTenants": [{"tenantId": 1}]}, "tenantId"),
    ("user/create", {"loginId": "x", "status": "boss"}, "status"),
    ("user/create", {"loginId": "x", "roleNames": [None]}, "roleNames"),
    ("user/update/status", {"loginId": "admin@acme.test", "status": "x"}, "status"),
    ("tenant/create", {"name": ""}, "name"),
    ("tenant/create", {"name": "x", "id": "../x"}, "id"),
    ("tenant/create", {"name": "x", "id": "y" * 65}, "id"),
    ("tenant/create", {"name": "x", "selfProvisioningDomains": [1]}, "selfProvisioningDomains"),
    ("role/create", {"name": None}, "name"),
    ("role/create", {"name": "x", "permissionNames": "all"}, "permissionNames"),
    ("permission/create", {"name": []}, "name"),
    ("sso/oidc", {"tenantId": "acme"}, "settings"),
    ("sso/oidc", {"tenantId": "acme", "settings": []}, "settings"),
    ("sso/oidc", {"tenantId": "acme", "settings": {"clientId": 1}}, "clientId"),
    ("sso/oidc", {"tenantId": "acme", "settings": {"authUrl": "http://[x"}}, "authUrl"),
    ("sso/oidc", {"tenantId": "acme", "settings": {"tokenUrl": "https://"}}, "tokenUrl"),
    ("flow/import", {"flowId": "x"}, "flow"),
    ("flow/import", {"flowId": "../x", "flow": {"dsl": {}}}, "flowId"),
    ("flow/import", {"flowId": "x", "flow": {"dsl": []}}, "contents"),
    ("flow/delete", {"ids": "sign-up-or-in"}, "ids"),
    ("project/snapshot/import", {"files": []}, "files"),
    ("accesskey/create", {"name": "x", "expireTime": "never"}, "expireTime"),
    ("user/create", [], ""),
    ("user/create", "text", ""),
    ("user/create", b"{", ""),
    ("user/create", b"\xff\xfe", ""),
    ("user/create", b'{"loginId": ' + b"[" * 50_000, ""),
]


@pytest.mark.parametrize(("path", "body", "name"), WRONG_BODIES, ids=range(len(WRONG_BODIES)))
def test_a_body_of_the_wrong_shape_is_refused(
    stand_in: StandIn, path: str, body: Any, name: str
) -> None:
    before = stand_in.project.mgmt.project.export_snapshot()
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {PROJECT}:{MANAGEMENT_KEY}"}
    answer = requests.post(f"{stand_in.url}/v1/mgmt/{path}", data=sent, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "E011003")
    assert name in answer.json()["errorMessage"]
    assert stand_in.project.mgmt.project.export_snapshot() == before
    with refused(404, "E112102"):
        stand_in.project.mgmt.user.load("x")


def test_who_a_user_or_a_key_is_is_not_for_a_caller_to_say(stand_in: StandIn, mgmt: Any) -> None:
    analyst = mgmt.user.load("analyst@acme.test")["user"]
    hubs = stand_in.project.client.exchange_access_key(SECRET)["keyId"]

    def tell(path: str, **body: Any) -> None:
        headers = {"Authorization": f"Bearer {PROJECT}:{MANAGEMENT_KEY}"}
        url = f"{stand_in.url}/v1/mgmt/{path}"
        assert requests.post(url, json=body, headers=headers, timeout=10).status_code == 200

    tell("user/create", loginId="e1@x.test", loginIds=["analyst@acme.test"], createdTime=1)
    tell("user/create", loginId="e2@x.test", userId=analyst["userId"])
    tell("user/update", loginId="e2@x.test", userId=analyst["userId"], loginIds=["admin@acme.test"])
    tell("accesskey/create", name="x", id=hubs, digest="x")
    assert mgmt.user.load("analyst@acme.test")["user"] == analyst
    assert mgmt.user.load("e1@x.test")["user"]["loginIds"] == ["e1@x.test"]
    assert mgmt.user.load("admin@acme.test")["user"]["email"] == "admin@acme.test"
    assert stand_in.project.client.exchange_access_key(SECRET)["keyId"] == hubs
    mgmt.user.update("e2@x.test", email="e2@x.test", verified_email=True)
    moved = mgmt.user.update("e2@x.test", email="other@x.test")["user"]
    assert moved["verifiedEmail"] is False  # nobody has proved the new one


def test_a_tenant_made_again_has_nothing_of_the_first(mgmt: Any) -> None:
    mgmt.tenant.create("Pied Piper", id="piper")
    settings = SSOOIDCSettings(name="x", client_id="c", client_secret="s")
    mgmt.sso.configure_oidc_settings("piper", settings, ["piper.test"])
    mgmt.sso.mapping("piper", [RoleMapping(["g"], "Analyst")], AttributeMapping(group="g"))
    mgmt.tenant.delete("piper")
    mgmt.tenant.create("Pied Piper", id="piper")
    loaded = mgmt.sso.load_settings("piper")
    assert (loaded["oidc"]["clientId"], loaded["oidc"]["groupsMapping"]) == ("", [])
    mgmt.tenant.delete("piper")


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:*/callback",
        "https://[bad/cb",
        "https://app.example.com;script-src *;/cb",
        "*",
        "com.example.app:/cb",
        "",
    ],
)
def test_an_odd_approved_address_breaks_no_page(start_stand_in: StartStandIn, address: str) -> None:
    stand_in = start_stand_in()

    def approve(file: dict[str, Any]) -> None:
        file["applications"][0]["oidc"]["approvedRedirectUrls"].append(address)

    stand_in.project.change("applications.json", approve)
    client = Client(stand_in)
    with Browser(stand_in) as browser, client.session:
        page = browser.open(client.begin())
        assert "Send me a link" in page.text
        policy = page.headers["Content-Security-Policy"]
        assert policy.count("script-src") == 0
        assert "*;" not in policy
        assert f"form-action 'self' {stand_in.origin};" in policy


def test_what_is_not_there_is_said_in_descopes_shape(stand_in: StandIn) -> None:
    headers = {"Authorization": f"Bearer {PROJECT}:{MANAGEMENT_KEY}"}
    for method, path, status in (
        ("POST", "/v1/mgmt/user/impersonate", 404),
        ("GET", "/v1/mgmt/user/create", 405),
        ("POST", "/v1/auth/otp/signin/email", 404),
        ("POST", "/oauth2/v1/device", 404),
    ):
        answer = requests.request(method, f"{stand_in.url}{path}", headers=headers, timeout=10)
        assert answer.status_code == status
        if path.startswith("/v1/"):
            assert answer.json()["errorCode"]


def test_a_body_that_is_too_large_is_refused(stand_in: StandIn) -> None:
    headers = {"Authorization": f"Bearer {PROJECT}:{MANAGEMENT_KEY}"}
    body = b'{"loginId": "' + b"x" * 9_000_000 + b'"}'
    url = f"{stand_in.url}/v1/mgmt/user/create"
    answer = requests.post(url, data=body, headers=headers, timeout=20)
    assert answer.status_code == 413


def test_writes_at_once_lose_nothing(stand_in: StandIn, mgmt: Any) -> None:
    mgmt.user.create("busy@example.test", user_tenants=[AssociatedTenant("acme")])
    roles = [f"Role {number}" for number in range(12)]

    def give(role: str) -> None:
        mine = DescopeClient(PROJECT, management_key=MANAGEMENT_KEY, base_url=stand_in.url).mgmt
        mine.role.create(role)
        mine.user.add_tenant_roles("busy@example.test", "acme", [role])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(give, roles))
    user = mgmt.user.load("busy@example.test")["user"]
    assert set(user["userTenants"][0]["roleNames"]) == set(roles)
    for role in roles:
        mgmt.role.delete(role)
    mgmt.user.delete("busy@example.test")


def test_everything_survives_a_restart(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in()
    mgmt = stand_in.project.mgmt
    mgmt.user.create("stays@example.test", user_tenants=[AssociatedTenant("acme", ["Analyst"])])
    stand_in.project.settings("auth/sso.json", allowOverrideRoles=True)
    files = mgmt.project.export_snapshot()
    user = mgmt.user.load("stays@example.test")
    stand_in.stop()
    stand_in.start()
    assert mgmt.user.load("stays@example.test") == user
    assert mgmt.project.export_snapshot() == files


def test_who_asks_too_often_is_told_when_to_come_back(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in(LOCAL_DESCOPE_CALL_LIMIT="5")
    with Browser(stand_in) as browser:

        def ask_often() -> None:
            for _ in range(6):
                stand_in.project.mgmt.role.load_all()

        with pytest.raises(RateLimitException) as raised:
            ask_often()
        assert raised.value.status_code == "E130429"
        assert 1 <= raised.value.rate_limit_parameters["Retry-After"] <= 61
        # others are not kept out, and people's pages are not calls
        token = f"{stand_in.url}/oauth2/v1/token"
        assert requests.post(token, data={}, timeout=10).status_code == 400
        assert browser.open(f"{stand_in.url}/outbox").status_code == 200
