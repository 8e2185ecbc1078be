"""Every way in, walked from a deep link to the dashboard that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.conftest import StartHub
from tests.hub import Hub
from tests.providers import Provider, npm_provider, pypi_provider, set_up_sso

pytestmark = pytest.mark.slow

DEEP_LINK = "/hub/user-redirect/dashboards/user/sensor_explorer?window=30"
DASHBOARD = re.compile(r"/dashboards/user/sensor_explorer\?window=30$")
#: Where the pages of the two providers have fonts and a sheet that nobody here needs.
DECORATION = ("https://fonts.googleapis.com", "https://cdn.jsdelivr.net")
SSO, GOOGLE = "Continue with single sign-on", "Continue with Google"
#: The people of Acme and of Globex, each at their company's own provider.
ACME = {
    "ann": {"email": "ann@acme.test", "email_verified": True, "name": "Ann", "groups": ["data"]},
    "admin": {"email": "admin@acme.test", "email_verified": True, "groups": ["other"]},
    "mallory": {"email": "admin@globex.test", "email_verified": True, "groups": ["data"]},
}
GLOBEX = {"bob": {"email": "bob@globex.test", "email_verified": True, "name": "Bob"}}


@pytest.fixture(scope="module")
def acme(hub: Hub) -> Iterator[Provider]:
    """Acme's own provider, set up for its tenant: the npm package."""
    callback = f"{hub.url}/services/descope/v1/oauth/callback"
    with npm_provider(ACME, callback, signing="ES256") as provider:
        set_up_sso(hub.project, "acme", provider.as_sso("Acme"), "acme.test", Analyst=["data"])
        yield provider


@pytest.fixture(scope="module")
def globex(hub: Hub) -> Iterator[Provider]:
    """Globex's own provider: the PyPI package."""
    with pypi_provider(GLOBEX) as provider:
        set_up_sso(hub.project, "globex", provider.as_sso("Globex"), "globex.test")
        yield provider


def begin(visitor: Visitor, button: str, email: str = "", path: str = DEEP_LINK) -> Page:
    """From an address of the hub to the provider whose button is pressed."""
    page = visitor.go(path)
    if email:
        page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name=button).click()
    return page


def employee(new_visitor: NewVisitor, hub: Hub, provider: Provider, *allow: str) -> Visitor:
    """Somebody whose way leads over their company's provider; its decoration is not fetched."""
    visitor = new_visitor(
        hub, also=[provider.url, *DECORATION], allow=["favicon", *DECORATION, *allow]
    )
    for address in DECORATION:
        visitor.context.route(f"{address}/**", lambda route: route.abort())
    return visitor


def at_acme(page: Page, login: str) -> None:
    """Sign in at the npm provider: a login, any password, then consent."""
    page.get_by_placeholder("Enter any login").fill(login)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def groups(hub: Hub, name: str) -> set[str]:
    return set(hub.api(f"/users/{name}").json()["groups"])


def test_by_a_link(visitor: Visitor) -> None:
    expect(visitor.sign_in_by_mail("member@acme.test", DEEP_LINK)).to_have_url(DASHBOARD)


def test_by_google(visitor: Visitor, hub: Hub) -> None:
    page = begin(visitor, GOOGLE)
    expect(page.get_by_role("heading", name="Google, played locally")).to_be_visible()
    page.get_by_role("button", name="member@acme.test").click()
    expect(page).to_have_url(DASHBOARD)
    assert groups(hub, "member@acme.test") == {"user"}


def test_by_acmes_own_provider(new_visitor: NewVisitor, hub: Hub, acme: Provider) -> None:
    visitor = employee(new_visitor, hub, acme)
    page = begin(visitor, SSO, "ann@acme.test")
    at_acme(page, "ann")
    expect(page).to_have_url(DASHBOARD)
    assert groups(hub, "ann@acme.test") == {"user", "analysts"}


def test_by_globexs_own_provider(
    new_visitor: NewVisitor, hub: Hub, acme: Provider, globex: Provider
) -> None:
    visitor = employee(new_visitor, hub, globex, "status of 404")
    page = begin(visitor, SSO, "bob@globex.test")
    expect(page).to_have_url(re.compile(f"^{re.escape(globex.url)}/"))
    page.get_by_placeholder("sub").fill("bob")
    page.get_by_role("button", name="Authorize").click()
    # a customer's people see nothing of the owner's, wherever a link leads
    expect(page.get_by_text(re.compile("not shared with you", re.IGNORECASE))).to_be_visible()
    assert groups(hub, "bob@globex.test") == {"globex", "customers"}


def test_one_company_cannot_sign_in_anothers_people(
    new_visitor: NewVisitor, hub: Hub, acme: Provider
) -> None:
    visitor = employee(new_visitor, hub, acme)
    page = begin(visitor, SSO, "ann@acme.test")
    at_acme(page, "mallory")
    expect(page.get_by_role("alert")).to_contain_text("an address of another company")
    expect(page.get_by_label("E-mail")).to_be_visible()
    assert hub.api("/users/admin@globex.test").status_code == 404


def test_who_cancels_at_the_provider_can_take_another_way(
    new_visitor: NewVisitor, hub: Hub, acme: Provider
) -> None:
    visitor = employee(new_visitor, hub, acme)
    page = begin(visitor, SSO, "ann@acme.test")
    page.get_by_role("link", name=re.compile("Cancel")).click()
    expect(page.get_by_role("alert")).to_have_text("You were not signed in at Acme.")
    page.get_by_role("button", name=GOOGLE).click()
    page.get_by_role("button", name="member@acme.test").click()
    expect(page).to_have_url(DASHBOARD)


def test_somebody_new_by_a_link_is_asked_for_a_name(visitor: Visitor) -> None:
    page = visitor.sign_in_by_mail("newcomer@acme.test", "/")
    expect(page.get_by_text("signed in as newcomer@acme.test")).to_be_visible()


def test_an_unverified_address_of_google_signs_nobody_in(new_visitor: NewVisitor, hub: Hub) -> None:
    visitor = new_visitor(hub, allow=["status of 403"])
    page = begin(visitor, GOOGLE)
    page.get_by_label("E-mail of somebody else").fill("admin@acme.test")
    page.get_by_label("The address is not verified").check()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Your e-mail address has not been verified yet")).to_be_visible()


def test_new_signing_keys_keep_people_signed_in_and_let_others_in(
    visitor: Visitor, new_visitor: NewVisitor, hub: Hub
) -> None:
    page = visitor.sign_in("member@acme.test", DEEP_LINK)
    expect(page).to_have_url(DASHBOARD)
    hub.rotate_provider_keys()
    page.reload()
    expect(page).to_have_url(DASHBOARD)
    later = new_visitor(hub)
    expect(later.sign_in_by_mail("analyst@acme.test", DEEP_LINK)).to_have_url(DASHBOARD)


def test_a_role_that_needs_another_way_of_signing_in(
    start_hub: StartHub, new_visitor: NewVisitor
) -> None:
    hub = start_hub(ATRIUM_REQUIRED_AMR="mfa, fed", ATRIUM_HUB_ADMINS="admin@acme.test")
    hub.project.mgmt.tenant.update("globex", "Globex", [])
    callback = f"{hub.url}/services/descope/v1/oauth/callback"
    with npm_provider(ACME, callback) as provider:
        set_up_sso(hub.project, "acme", provider.as_sso("Acme"), "acme.test")
        by_link = new_visitor(hub, allow=["status of 403"])
        page = by_link.sign_in_by_mail("admin@acme.test")
        expect(page.get_by_text("Your role Tenant Admin does not count this time")).to_be_visible()
        expect(page.get_by_role("link", name="People and groups")).to_have_count(0)
        assert groups(hub, "admin@acme.test") == {"user"}
        assert hub.api("/users/admin@acme.test").json()["admin"] is False
        by_sso = employee(new_visitor, hub, provider)
        page = begin(by_sso, SSO, "admin@acme.test", "/")
        at_acme(page, "admin")
        expect(page.get_by_role("link", name="People and groups")).to_be_visible()
        expect(page.get_by_text("does not count this time")).to_have_count(0)
        assert groups(hub, "admin@acme.test") == {"user", "admin"}
        assert hub.api("/users/admin@acme.test").json()["admin"] is True
        # rights are a person's, in all browsers: one that came in the other way gets none of them
        by_link.go("/hub/admin")
        expect(by_link.page.get_by_role("heading", name="This is not open")).to_be_visible()
        assert groups(hub, "admin@acme.test") == {"user"}
