"""Signing in through a provider behind the stand-in: social ones, and each company's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from descope.exceptions import AuthException
from joserfc.jwk import RSAKey

from tests import told
from tests.local_descope.conftest import StartStandIn
from tests.local_descope.stand_in import Browser, Client, StandIn, query_of
from tests.odd_provider import PROJECT as ODD_CLIENT
from tests.odd_provider import OddProvider, odd_provider
from tests.providers import Provider, pypi_provider, set_up_sso

pytestmark = [pytest.mark.slow, pytest.mark.long]

ACCOUNTS = {
    "ann": {"email": "ann@globex.test", "email_verified": True, "name": "Ann", "groups": ["data"]},
    "member": {"email": "member@acme.test", "email_verified": True, "name": "Of Google"},
    "unsure": {"email": "analyst@acme.test", "email_verified": False, "name": "Unsure"},
    "foreign": {"email": "admin@acme.test", "email_verified": True, "name": "Foreign"},
    "nobody": {"name": "No Address"},
}
SSO = "Continue with single sign-on"
GOOGLE = "Continue with Google"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with pypi_provider(ACCOUNTS) as provider:
        yield provider


@pytest.fixture
def stand_in(start_stand_in: StartStandIn, provider: Provider) -> StandIn:
    """A stand-in whose tenant globex and whose Google both are that provider."""
    stand_in = start_stand_in()
    set_up_sso(
        stand_in.project, "globex", provider.as_sso("Globex"), "globex.test", Analyst=["data"]
    )
    stand_in.project.settings("auth/oauth.json", providerSettings={"google": provider.as_social()})
    return stand_in


def at_provider(browser: Browser, client: Client, button: str, email: str = "") -> Any:
    """From the client to the provider's own page."""
    return browser.press(browser.open(client.begin(prompt="login")), button, email=email)


def signed_in(browser: Browser, client: Client, button: str, subject: str, email: str = "") -> Any:
    page = at_provider(browser, client, button, email)
    return browser.open(page.url, sub=subject)


def claims_of(client: Client, answer: requests.Response) -> dict[str, Any]:
    return client.claims(client.finish(answer))


def test_a_company_signs_in_its_people(browser: Browser, client: Client, stand_in: StandIn) -> None:
    claims = claims_of(client, signed_in(browser, client, SSO, "ann", "someone@globex.test"))
    assert (claims["email"], claims["email_verified"]) == ("ann@globex.test", True)
    assert (claims["name"], claims["amr"]) == ("Ann", ["fed"])
    assert claims["tenants"] == {"globex": {"roles": ["Analyst"], "permissions": []}}
    again = claims_of(client, signed_in(browser, client, SSO, "ann", "ann@globex.test"))
    assert again["sub"] == claims["sub"]


def test_the_tenant_may_be_asked_for(browser: Browser, client: Client, stand_in: StandIn) -> None:
    page = browser.open(client.begin(prompt="login", tenant="globex"))
    page = browser.press(page, SSO, email="ann@elsewhere.test")
    claims = claims_of(client, browser.open(page.url, sub="ann"))
    assert claims["tenants"].keys() == {"globex"}


def test_a_group_that_is_gone_takes_its_role(
    browser: Browser, client: Client, stand_in: StandIn, provider: Provider
) -> None:
    claims_of(client, signed_in(browser, client, SSO, "ann", "ann@globex.test"))
    set_up_sso(stand_in.project, "globex", provider.as_sso("Globex"), "globex.test")
    claims = claims_of(client, signed_in(browser, client, SSO, "ann", "ann@globex.test"))
    assert claims["tenants"] == {"globex": {"roles": [], "permissions": []}}


def test_a_role_given_by_hand_stays(browser: Browser, client: Client, stand_in: StandIn) -> None:
    claims_of(client, signed_in(browser, client, SSO, "ann", "ann@globex.test"))
    stand_in.project.mgmt.user.add_tenant_roles("ann@globex.test", "globex", ["Tenant Admin"])
    claims = claims_of(client, signed_in(browser, client, SSO, "ann", "ann@globex.test"))
    assert set(claims["tenants"]["globex"]["roles"]) == {"Tenant Admin", "Analyst"}


def test_a_link_and_a_company_lead_to_one_person(
    browser: Browser, client: Client, stand_in: StandIn
) -> None:
    first = claims_of(client, signed_in(browser, client, SSO, "ann", "ann@globex.test"))
    second = claims_of(client, browser.sign_in(client, "ann@globex.test", prompt="login"))
    assert (second["sub"], second["amr"]) == (first["sub"], ["email"])


@pytest.mark.parametrize("subject", ["foreign", "nobody", "member"])
def test_a_company_cannot_sign_in_somebody_of_another(
    browser: Browser, client: Client, stand_in: StandIn, subject: str
) -> None:
    before = stand_in.project.mgmt.user.load("admin@acme.test")
    page = signed_in(browser, client, SSO, subject, "ann@globex.test")
    assert "cannot sign in people with an address of another company" in page.text
    assert stand_in.project.mgmt.user.load("admin@acme.test") == before
    assert "Send me a link" in browser.open(client.begin()).text


def test_another_companys_address_proves_nothing_where_it_is_not_blocked(
    browser: Browser, client: Client, stand_in: StandIn
) -> None:
    stand_in.project.settings("auth/sso.json", blockIfEmailDomainMismatch=False)
    claims = claims_of(client, signed_in(browser, client, SSO, "foreign", "ann@globex.test"))
    assert claims["email_verified"] is False
    assert claims["tenants"].keys() == {"globex"}
    admin = stand_in.project.mgmt.user.load("admin@acme.test")["user"]
    assert claims["sub"] != admin["userId"]


def test_a_company_that_enforces_its_own_way_leaves_no_other(
    browser: Browser, client: Client, stand_in: StandIn
) -> None:
    stand_in.project.mgmt.tenant.update("globex", "Globex", [], enforce_sso=True)
    for email in ("member@globex.test", "unknown@globex.test"):
        page = browser.press(browser.open(client.begin()), "Send me a link", email=email)
        assert "People at globex.test sign in with single sign-on" in page.text
        assert browser.mailed_links(email) == []
    page = signed_in(browser, client, GOOGLE, "ann")
    assert "People at globex.test sign in with single sign-on" in page.text


def test_google_joins_the_account_of_a_verified_address(
    browser: Browser, client: Client, stand_in: StandIn
) -> None:
    claims = claims_of(client, signed_in(browser, client, GOOGLE, "member"))
    member = stand_in.project.mgmt.user.load("member@acme.test")["user"]
    assert (claims["sub"], claims["amr"]) == (member["userId"], ["oauth"])
    assert claims["name"] == "Acme Member"
    assert claims["tenants"] == {"acme": {"roles": [], "permissions": []}}
    assert "social:google:member" in member["loginIds"]


@pytest.mark.parametrize("subject", ["unsure", "nobody"])
def test_an_address_that_is_not_verified_joins_nothing(
    browser: Browser, client: Client, stand_in: StandIn, subject: str
) -> None:
    claims = claims_of(client, signed_in(browser, client, GOOGLE, subject))
    assert claims.get("email_verified") is not True
    assert claims["tenants"] == {}
    analyst = stand_in.project.mgmt.user.load("analyst@acme.test")["user"]
    assert claims["sub"] != analyst["userId"]
    # the owner of the address, who proves it by a link, gets their own account
    owner = claims_of(client, browser.sign_in(client, "analyst@acme.test", prompt="login"))
    assert owner["sub"] == analyst["userId"]


def test_a_provider_that_is_not_trusted_joins_nothing(
    browser: Browser, client: Client, stand_in: StandIn, provider: Provider
) -> None:
    distrusted = {"google": provider.as_social(trustProvidedEmails=False)}
    stand_in.project.settings("auth/oauth.json", providerSettings=distrusted)
    claims = claims_of(client, signed_in(browser, client, GOOGLE, "member"))
    assert (claims["email_verified"], claims["tenants"]) == (False, {})


def test_a_provider_that_is_switched_off_says_so(
    browser: Browser, client: Client, stand_in: StandIn
) -> None:
    stand_in.project.settings("auth/oauth.json", enabled=False)
    assert "not switched on" in at_provider(browser, client, GOOGLE).text
    stand_in.project.settings("auth/sso.json", enabled=False)
    page = at_provider(browser, client, SSO, "ann@globex.test")
    assert "No single sign-on is set up for globex.test" in page.text


def test_somebody_who_cancels_there_is_back_at_the_sign_in_page(
    browser: Browser, client: Client, stand_in: StandIn
) -> None:
    page = at_provider(browser, client, GOOGLE)
    state = query_of_page(page)["state"]
    back = browser.open(f"{stand_in.url}/v1/oauth/callback?error=access_denied&state={state}")
    assert "You were not signed in at Google" in back.text
    assert "code" in query_of(signed_in(browser, client, GOOGLE, "member"))


def test_an_answer_is_taken_once_and_in_its_own_browser_only(
    browser: Browser, client: Client, stand_in: StandIn
) -> None:
    page = at_provider(browser, client, GOOGLE)
    sent = browser.post(page.url, data={"sub": "member"}, allow_redirects=False)
    back = sent.headers["Location"]
    with Browser(stand_in) as other:
        assert other.open(back).status_code == 410
    assert "code" in query_of(browser.open(back))
    assert browser.open(back).status_code == 410
    for state in ("", "x", query_of_page(page)["state"]):
        answer = browser.open(f"{stand_in.url}/v1/oauth/callback?code=x&state={state}")
        assert answer.status_code == 410


def test_nobody_plays_a_provider_that_is_real(
    browser: Browser, client: Client, stand_in: StandIn
) -> None:
    welcome = browser.open(client.begin(prompt="login"))
    run = welcome.url.rpartition("/")[2]
    browser.press(welcome, GOOGLE)
    played = f"{stand_in.url}/login/provider/{run}"
    assert browser.open(played).status_code == 410
    token = browser.forms(welcome).fields["form_token"]
    answer = browser.open(played, email="admin@acme.test", form_token=token)
    assert answer.status_code == 410


def query_of_page(page: requests.Response) -> dict[str, str]:
    """The query of the address that a page has."""
    answer = requests.Response()
    answer.headers["Location"] = page.url
    return query_of(answer)


# -- a provider that the stand-in plays itself ---------------------------------------------------


def play(browser: Browser, page: requests.Response, **fields: str) -> requests.Response:
    """Send a form of the page that plays a provider."""
    token = browser.forms(page).fields["form_token"]
    return browser.open(page.url, **({"form_token": token} | fields))


def test_a_local_provider_offers_test_identities(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in()
    client = Client(stand_in)
    with Browser(stand_in) as browser, closing(client.session):
        page = browser.press(browser.open(client.begin()), GOOGLE)
        assert "Google, played locally" in page.text
        forged = play(browser, page, email="admin@acme.test", form_token="x")
        assert (forged.status_code, "out of date" in forged.text) == (400, True)
        claims = claims_of(client, play(browser, page, email="admin@acme.test"))
        assert claims["tenants"]["acme"]["roles"] == ["Tenant Admin"]
        page = browser.press(browser.open(client.begin(prompt="login")), GOOGLE)
        wrong = play(browser, page, email='"><b>x</b>')
        assert "does not look like" in wrong.text
        assert "<b>" not in wrong.text
        answer = play(browser, page, email="new@example.test", unverified="on")
        assert claims_of(client, answer)["email_verified"] is False
        welcome = browser.open(client.begin(prompt="login"))
        page = browser.press(welcome, SSO, email="member@globex.test")
        assert "Globex, played locally" in page.text
        assert "admin@acme.test" not in page.text
        answer = play(browser, page, email="member@globex.test")
        assert claims_of(client, answer)["amr"] == ["fed"]


# -- wrong answers -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd() -> Iterator[OddProvider]:
    with odd_provider() as odd:
        yield odd


@pytest.fixture(scope="module")
def odd_stand_in(start_stand_in: StartStandIn, odd: OddProvider) -> StandIn:
    stand_in = start_stand_in()
    found = odd.discovery()
    settings = Provider(url=odd.url, metadata=found).as_sso("Globex")
    settings.client_id = ODD_CLIENT
    set_up_sso(stand_in.project, "globex", settings, "globex.test", Analyst=["data"])
    return stand_in


OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1"})
WRONG: list[dict[str, Any]] = [
    {"alg": "none"},
    {"alg": "HS256"},
    {"key": OTHER_KEY},
    {"kid": "k2"},
    {"id_token": {"iss": "https://evil.test"}},
    {"id_token": {"iss": None}},
    {"id_token": {"aud": "somebody-else"}},
    {"id_token": {"aud": None}},
    {"id_token": {"aud": []}},
    {"id_token": {"aud": "other", "azp": ODD_CLIENT}},
    {"id_token": {"aud": ["other", "x"], "azp": ODD_CLIENT}},
    {"id_token": {"exp": 1}},
    {"id_token": {"exp": None}},
    {"id_token": {"nonce": "another"}},
    {"id_token": {"nonce": None}},
    {"id_token": {"sub": None}},
    {"id_token": {"sub": "U2"}},
    {"userinfo": {"sub": "U2"}},
    {"without": {"id_token"}},
    {"without": {"access_token"}},
    {"status": 400},
    {"status": 401},
    {"status": 500},
    {"no_json": True},
    {"claims": {"email": "ann@globex.test", "email_verified": False, "sub": "U1"}},
    {"claims": {"email": "admin@acme.test", "email_verified": True, "sub": "U1"}},
    {"claims": {"email": "ann@globex.test.evil.test", "email_verified": True, "sub": "U1"}},
    {"claims": {"email": ["ann@globex.test"], "email_verified": True, "sub": "U1"}},
    {"claims": {"sub": "U1"}},
    {"claims": {"email": "ann@globex.test", "email_verified": True, "sub": "U" * 300}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=told)
def test_a_wrong_answer_signs_nobody_in(
    odd_stand_in: StandIn, odd: OddProvider, wrong: dict[str, Any]
) -> None:
    odd.reset()
    odd.claims = {"sub": "U1", "email": "ann@globex.test", "email_verified": True}
    for name, value in wrong.items():
        setattr(odd, name, value)
    client = Client(odd_stand_in)
    with Browser(odd_stand_in) as browser:
        page = at_provider(browser, client, SSO, "ann@globex.test")
        assert page.status_code == 200
        assert 'role="alert"' in page.text
        assert "Send me a link" in page.text
        assert "evil.test" not in page.text
        assert "Send me a link" in browser.open(client.begin()).text
    client.session.close()
    with pytest.raises(AuthException) as raised:
        odd_stand_in.project.mgmt.user.load("ann@globex.test")
    assert raised.value.status_code == 404


def test_a_right_answer_signs_in(odd_stand_in: StandIn, odd: OddProvider) -> None:
    """Last: it shows that the wrong answers above were wrong in one thing only."""
    odd.reset()
    odd.claims = {"sub": "U1", "email": "ann@globex.test", "email_verified": True}
    client = Client(odd_stand_in)
    with Browser(odd_stand_in) as browser:
        claims = claims_of(client, at_provider(browser, client, SSO, "ann@globex.test"))
        assert claims["email"] == "ann@globex.test"
        odd_stand_in.project.mgmt.user.delete("ann@globex.test")
    client.session.close()
