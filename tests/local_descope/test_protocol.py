"""The stand-in as a generic OpenID Connect client meets it, from discovery alone."""

from __future__ import annotations

import json
import subprocess

import pytest
import requests
from authlib.integrations.base_client import OAuthError

from tests.hub import wait_until
from tests.local_descope.conftest import StartStandIn
from tests.local_descope.stand_in import (
    PROJECT,
    SECRET,
    Browser,
    Client,
    StandIn,
    get_json,
    query_of,
)
from tests.providers import node_command

pytestmark = pytest.mark.long


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_whole_way(stand_in: StandIn, browser: Browser, method: str) -> None:
    client = Client(stand_in, method=method)
    answer = browser.sign_in(client, "admin@acme.test")
    assert query_of(answer)["state"] == client.state
    tokens = client.finish(answer)
    claims = client.claims(tokens)
    assert claims["sub"].startswith("U2")
    assert (claims["email"], claims["email_verified"]) == ("admin@acme.test", True)
    assert claims["name"] == "Acme Admin"
    assert claims["amr"] == ["email"]
    assert claims["tenants"] == {"acme": {"roles": ["Tenant Admin"], "permissions": []}}
    assert (claims["roles"], claims["permissions"]) == ([], [])
    for way in ("GET", "POST"):
        userinfo = client.userinfo(tokens, way).json()
        assert userinfo.items() <= claims.items()
        assert userinfo.keys() >= {"sub", "email", "email_verified", "name", "tenants"}
    client.session.close()


@pytest.mark.parametrize(
    ("email", "tenants"),
    [
        ("analyst@acme.test", {"acme": {"roles": ["Analyst"], "permissions": []}}),
        ("member@acme.test", {"acme": {"roles": [], "permissions": []}}),
        ("member@globex.test", {"globex": {"roles": [], "permissions": []}}),
    ],
)
def test_known_accounts(browser: Browser, client: Client, email: str, tenants: object) -> None:
    assert client.claims(client.finish(browser.sign_in(client, email)))["tenants"] == tenants


def test_claims_follow_the_scopes_asked_for(browser: Browser, client: Client) -> None:
    tokens = client.finish(browser.sign_in(client, "admin@acme.test", scope="openid"))
    assert not {"email", "name", "tenants", "roles"} & client.claims(tokens).keys()
    assert client.userinfo(tokens).json().keys() == {"sub"}


def test_keys_are_found_at_the_sdks_address_too(stand_in: StandIn, client: Client) -> None:
    keys = get_json(f"{stand_in.url}/v2/keys/{PROJECT}")
    assert keys == get_json(client.metadata["jwks_uri"])
    assert {"kid", "alg"} <= keys["keys"][0].keys()
    assert not {"d", "p", "q"} & keys["keys"][0].keys()
    other = requests.get(f"{stand_in.url}/v2/keys/Pother", timeout=10)
    assert other.status_code == 404


def test_a_refresh_reads_the_roles_anew(
    stand_in: StandIn, browser: Browser, client: Client
) -> None:
    tokens = client.finish(browser.sign_in(client, "analyst@acme.test"))
    before = client.claims(tokens)
    stand_in.project.set_roles("analyst@acme.test", "acme", "Analyst", "Tenant Admin")
    after = client.refresh(tokens)
    stand_in.project.set_roles("analyst@acme.test", "acme", "Analyst")
    claims = client.claims(after)
    assert claims["tenants"]["acme"]["roles"] == ["Analyst", "Tenant Admin"]
    assert (claims["auth_time"], claims["amr"]) == (before["auth_time"], ["email"])
    assert after["access_token"] != tokens["access_token"]
    assert after["refresh_token"] == tokens["refresh_token"]
    assert client.userinfo(after).json()["tenants"]["acme"]["roles"] == ["Analyst"]


def test_a_disabled_user_gets_nothing_more(
    stand_in: StandIn, browser: Browser, client: Client
) -> None:
    tokens = client.finish(browser.sign_in(client, "member@globex.test"))
    stand_in.project.mgmt.user.deactivate("member@globex.test")
    try:
        with pytest.raises(OAuthError, match="invalid_grant"):
            client.refresh(tokens)
        assert client.userinfo(tokens).status_code == 401
        assert "Sign in" in browser.open(client.begin()).text
        refused = browser.sign_in(client, "member@globex.test")
        assert refused.status_code == 403
    finally:
        stand_in.project.mgmt.user.activate("member@globex.test")


def test_rotation_is_a_switch(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in()
    stand_in.project.settings("project.json", rotateJwt=True)
    client, browser = Client(stand_in), Browser(stand_in)
    first = client.finish(browser.sign_in(client, "member@acme.test"))
    second = client.refresh(first)
    assert second["refresh_token"] != first["refresh_token"]
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh(first)
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh(second)  # the old one, used again, may have been stolen: all ends
    client.session.close()
    browser.close()


def test_revoking_a_refresh_token_ends_its_access_token(browser: Browser, client: Client) -> None:
    tokens = client.finish(browser.sign_in(client, "member@acme.test"))
    endpoint = client.metadata["revocation_endpoint"]
    client.session.revoke_token(endpoint, tokens["refresh_token"], "refresh_token")
    assert client.userinfo(tokens).status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh(tokens)


def test_revoking_an_access_token_leaves_the_refresh_token(
    browser: Browser, client: Client
) -> None:
    tokens = client.finish(browser.sign_in(client, "member@acme.test"))
    client.session.revoke_token(client.metadata["revocation_endpoint"], tokens["access_token"])
    assert client.userinfo(tokens).status_code == 401
    assert client.userinfo(client.refresh(tokens)).status_code == 200


def test_a_replayed_code_is_refused_and_revokes(browser: Browser, client: Client) -> None:
    answer = browser.sign_in(client, "member@acme.test")
    tokens = client.finish(answer)
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.finish(answer)
    assert client.userinfo(tokens).status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh(tokens)


def test_a_code_lives_for_a_minute(stand_in: StandIn, browser: Browser, client: Client) -> None:
    answer = browser.sign_in(client, "member@acme.test")
    stand_in.sql("UPDATE codes SET expires_at = expires_at - 61 WHERE nonce = ?", client.nonce)
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.finish(answer)


def test_an_expired_access_token_is_refused(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in()
    client, browser = Client(stand_in), Browser(stand_in)
    assert client.finish(browser.sign_in(client, "member@acme.test"))["expires_in"] == 600
    short = {"sessionTokenExpiration": 1, "sessionTokenExpirationUnit": "seconds"}
    stand_in.project.settings("project.json", **short)
    tokens = client.finish(browser.open(client.begin()))
    assert tokens["expires_in"] == 1
    wait_until(lambda: client.userinfo(tokens).status_code == 401, "the end of the token")
    assert client.userinfo(client.refresh(tokens)).status_code == 200
    client.session.close()
    browser.close()


@pytest.mark.parametrize(
    "changed", [{"code_verifier": "x" * 64}, {"redirect_uri": "http://127.0.0.1:1/other"}]
)
def test_a_wrong_verifier_or_redirect_gets_no_token(
    browser: Browser, client: Client, changed: dict[str, str]
) -> None:
    answer = browser.sign_in(client, "member@acme.test")
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.finish(answer, **changed)


def test_a_wrong_client_secret_gets_no_token(stand_in: StandIn, browser: Browser) -> None:
    for method in ("client_secret_basic", "client_secret_post"):
        client = Client(stand_in, secret="wrong", method=method)
        with pytest.raises(OAuthError, match="invalid_client"):
            client.finish(browser.sign_in(client, "member@acme.test", prompt="login"))
        client.session.close()


def test_no_code_leaves_for_an_address_not_set_up(browser: Browser, client: Client) -> None:
    approved = client.stand_in.callback
    port = client.stand_in.port
    for redirect in (
        "http://127.0.0.1:1/hub/oauth_callback",
        f"{approved}/x",
        f"{approved}.evil.test",
        f"{approved}?next=x",
        f"{approved}#x",
        f"{approved}/../oauth_callback",
        approved.replace("/hub/oauth_callback", "/hub%2Foauth_callback"),
        approved.replace("/hub/", "/hub//"),
        approved.replace("127.0.0.1", "127.0.0.1@evil.test"),
        approved.replace("http://", "http://evil.test@"),
        approved.replace(f":{port}", f":{port}0"),
        approved.replace(f":{port}", ""),
        approved.replace("http://", "HTTP://"),
        approved.replace("127.0.0.1", "localhost"),
        f"{approved}\\@evil.test",
        "javascript:alert(1)",
        "*",
        '"é',
        "",
    ):
        answer = browser.open(client.begin(redirect_uri=redirect))
        assert answer.status_code == 401, redirect
        assert "Location" not in answer.headers
        assert "E061004" in answer.text


@pytest.mark.parametrize(
    ("extra", "error"),
    [
        ({"code_verifier": None}, "invalid_request"),
        ({"scope": "email"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_a_request_that_may_not_be_is_sent_back(
    browser: Browser, client: Client, extra: dict[str, str], error: str
) -> None:
    answer = browser.open(client.begin(**extra))
    assert answer.headers["Location"].startswith(client.stand_in.callback)
    assert query_of(answer)["error"] == error
    assert query_of(answer)["state"] == client.state


def test_a_request_without_state_is_refused(browser: Browser, client: Client) -> None:
    address = client.begin().replace(f"&state={client.state}", "")
    assert "state=" not in address
    assert query_of(browser.open(address))["error"] == "invalid_request"


def test_a_plain_code_challenge_is_refused(browser: Browser, client: Client) -> None:
    address = client.begin().replace("code_challenge_method=S256", "code_challenge_method=plain")
    assert "=plain" in address
    assert query_of(browser.open(address))["error"] == "invalid_request"


def test_an_unreadable_token_request_is_no_crash(client: Client) -> None:
    answer = requests.post(
        client.metadata["token_endpoint"], data={"grant_type": '"\\é'}, timeout=10
    )
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_signed_in_browser_is_not_asked_again(browser: Browser, client: Client) -> None:
    browser.sign_in(client, "admin@acme.test")
    tokens = client.finish(browser.open(client.begin()))
    assert client.claims(tokens)["email"] == "admin@acme.test"
    assert "Send me a link" in browser.open(client.begin(prompt="login")).text


def test_a_second_application_signs_in_without_asking(
    stand_in: StandIn, browser: Browser, client: Client
) -> None:
    redirect = f"{stand_in.origin}/hub/portal"
    application = {
        "id": "portal",
        "name": "Portal",
        "oidc": {"claims": ["openid", "email"], "approvedRedirectUrls": [redirect]},
    }
    stand_in.project.change(
        "applications.json", lambda file: file["applications"].append(application)
    )
    settings = stand_in.project.mgmt.sso_application.load("portal")["oidcSettings"]
    portal = Client(
        stand_in, application="portal", client_id=settings["clientId"], redirect=redirect
    )
    assert portal.metadata["issuer"] == settings["issuer"]
    tokens = client.finish(browser.sign_in(client, "admin@acme.test", prompt="login"))
    others = portal.finish(browser.open(portal.begin()))
    claims = portal.claims(others)
    assert claims["sub"] == client.claims(tokens)["sub"]
    assert "tenants" not in claims  # it supports fewer claims
    # a code, a token and an address of one are no good at the other
    wrong = browser.open(portal.begin(redirect_uri=stand_in.callback))
    assert (wrong.status_code, "Location" in wrong.headers) == (401, False)
    answer = browser.open(portal.begin())
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.session.fetch_token(
            client.metadata["token_endpoint"],
            authorization_response=answer.headers["Location"],
            state=portal.state,
            code_verifier=portal.verifier,
            redirect_uri=redirect,
        )
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh(others)
    # the session of the browser is one: it ends for both
    browser.open(sign_out_address(client, id_token_hint=tokens["id_token"]))
    for each, held in ((client, tokens), (portal, others)):
        with pytest.raises(OAuthError, match="invalid_grant"):
            each.refresh(held)
    portal.session.close()


def test_signing_out_makes_signing_in_ask(browser: Browser, client: Client) -> None:
    tokens = client.finish(browser.sign_in(client, "admin@acme.test"))
    copied = browser.cookies.copy()
    target = f"{client.stand_in.origin}/hub/signed-out"
    asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": target}
    answer = browser.open(sign_out_address(client, state="s1", **asked))
    assert answer.headers["Location"] == f"{target}?state=s1"
    assert "Send me a link" in browser.open(client.begin()).text
    stolen = Browser(client.stand_in)
    stolen.cookies.update(copied)
    assert "Send me a link" in stolen.open(client.begin()).text
    stolen.close()


def test_signing_out_leads_to_known_addresses_only(browser: Browser, client: Client) -> None:
    tokens = client.finish(browser.sign_in(client, "admin@acme.test"))
    asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "http://127.0.0.1:1/"}
    answer = browser.open(sign_out_address(client, **asked))
    assert answer.status_code == 200
    assert "You are signed out" in answer.text
    assert "127.0.0.1:1/" not in answer.text


def test_signing_out_asks_when_nobody_shows_whose(browser: Browser, client: Client) -> None:
    browser.sign_in(client, "admin@acme.test")
    question = browser.open(sign_out_address(client, client_id=PROJECT))
    assert "Location" in browser.open(client.begin()).headers
    forged = browser.open(sign_out_address(client), form_token="x")
    assert forged.status_code == 400
    assert "You are signed out" in browser.press(question, "Sign out").text
    assert "Send me a link" in browser.open(client.begin()).text


def test_a_forged_hint_ends_nothing(browser: Browser, client: Client) -> None:
    tokens = client.finish(browser.sign_in(client, "admin@acme.test"))
    head, body, signature = tokens["id_token"].split(".")
    forged = f"{head}.{body}.{signature[::-1]}"
    assert browser.open(sign_out_address(client, id_token_hint=forged)).status_code == 400
    assert "Location" in browser.open(client.begin()).headers


def test_openid_client_of_npm_needs_nothing_but_discovery(
    stand_in: StandIn, browser: Browser
) -> None:
    after = f"{stand_in.origin}/hub/signed-out"
    told = {"issuer": f"{stand_in.url}/{PROJECT}", "clientId": PROJECT, "secret": SECRET}
    told |= {"redirect": stand_in.callback, "after": after}
    command = node_command("client.mjs", told)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as party:
        assert party.stdin
        assert party.stdout
        begin = json.loads(party.stdout.readline())["begin"]
        page = browser.press(browser.open(begin), "Send me a link", email="analyst@acme.test")
        assert page.status_code == 200
        back = browser.open(browser.mailed_links("analyst@acme.test")[0]).headers["Location"]
        party.stdin.write(f"{back}\n")
        party.stdin.flush()
        got = json.loads(party.stdout.readline())
    assert party.returncode == 0
    assert got["claims"]["email"] == got["userinfo"]["email"] == "analyst@acme.test"
    assert got["refreshed"]["tenants"] == {"acme": {"roles": ["Analyst"], "permissions": []}}
    assert browser.open(got["leave"]).headers["Location"] == after
    assert "Send me a link" in browser.open(begin).text


def sign_out_address(client: Client, **query: str) -> str:
    address = client.metadata["end_session_endpoint"]
    return str(requests.Request("GET", address, params=query).prepare().url)
