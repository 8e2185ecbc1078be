"""Signing in through the real pages, as each of the stand-in's accounts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import NewVisitor, Visitor, await_sample
from tests.hub import Hub, wait_until

#: Where people land: their gallery, or the one dashboard that they have.
LANDED = re.compile(r"/user/[^/]+/(dashboards/.+)?$")


@pytest.mark.parametrize(
    ("email", "folders"),
    [
        ("admin@acme.test", {"Everybody", "All customers", "Admin"}),
        ("analyst@acme.test", {"Everybody"}),
        ("member@acme.test", {"Everybody"}),
    ],
)
def test_each_account_lands_on_the_dashboards_of_its_folders(
    visitor: Visitor, email: str, folders: set[str]
) -> None:
    page = visitor.sign_in_by_mail(email)
    expect(page).to_have_url(re.compile(r"/user/[^/]+/$"))
    expect(page.get_by_role("link", name="Sensor explorer").first).to_be_visible()
    assert set(page.get_by_role("heading", level=2).all_inner_texts()) == folders
    expect(page.get_by_text(email)).to_be_visible()


def test_an_admin_opens_the_admin_dashboards_in_a_server_of_their_own(visitor: Visitor) -> None:
    page = visitor.sign_in("admin@acme.test")
    page.get_by_role("link", name="Who am I").first.click()
    expect(page).to_have_url(re.compile(r"/user/admin@acme.test/admin/dashboards/admin/who_am_i$"))
    expect(page.get_by_text("Tenant Admin").first).to_be_visible()


def test_somebody_with_no_folder_is_told_so_and_gets_no_server(visitor: Visitor, hub: Hub) -> None:
    email = "somebody@new.test"
    page = visitor.sign_in_by_mail(email)
    expect(page.get_by_text(re.compile("nothing.*shared with you", re.IGNORECASE))).to_be_visible()
    expect(page.get_by_role("link", name="Sign out")).to_be_visible()
    servers = [user["servers"] for user in hub.api("/users").json() if user["name"] == email]
    assert servers == [{}]


def test_the_first_tab_says_that_the_other_one_goes_on(visitor: Visitor) -> None:
    visitor.ask_for_link("member@acme.test")
    first = visitor.page
    visitor.open_tab(visitor.mailed_link("member@acme.test"))
    expect(visitor.page).to_have_url(LANDED)
    expect(first.get_by_text(re.compile("other tab", re.IGNORECASE))).to_be_visible()


def test_a_link_opened_in_another_browser_signs_in_there_after_a_question(
    visitor: Visitor, new_visitor: NewVisitor, hub: Hub
) -> None:
    visitor.ask_for_link("member@acme.test")
    telephone = new_visitor(hub, width=360)
    page = telephone.open_tab(visitor.mailed_link("member@acme.test"))
    expect(page.get_by_role("heading", name="Continue as member@acme.test")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(LANDED)


def test_a_link_is_valid_once(visitor: Visitor, new_visitor: NewVisitor, hub: Hub) -> None:
    visitor.ask_for_link("member@acme.test")
    link = visitor.mailed_link("member@acme.test")
    visitor.open_tab(link)
    expect(visitor.page).to_have_url(LANDED)
    late = new_visitor(hub, allow=["status of 4"])
    page = late.open_tab(link)
    expect(page.get_by_text(re.compile("link has been used"))).to_be_visible()
    assert "jupyterhub-session-id" not in late.cookies()


def test_a_deep_link_survives_the_way_in(visitor: Visitor) -> None:
    page = visitor.sign_in_by_mail(
        "member@acme.test", "/hub/user-redirect/dashboards/user/sensor_explorer?window=30"
    )
    expect(page).to_have_url(re.compile(r"/dashboards/user/sensor_explorer\?window=30$"))


def test_a_member_is_refused_the_admin_dashboards_by_their_address(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    visitor = new_visitor(hub, allow=["status of 40[34]"])
    visitor.sign_in("member@acme.test")
    for path in (
        "/user/member@acme.test/dashboards/admin/who_am_i",
        "/user/member@acme.test/admin/dashboards/admin/who_am_i",
        "/user/admin@acme.test/admin/dashboards/admin/who_am_i",
    ):
        answer = visitor.page.goto(f"{visitor.url}{path}")
        assert answer is not None
        assert answer.status in {403, 404}, path


def test_signing_out_ends_it_and_the_back_button_shows_nothing(visitor: Visitor, hub: Hub) -> None:
    page = visitor.sign_in("analyst@acme.test")
    expect(page).to_have_url(LANDED)
    there = page.url
    page.get_by_role("link", name="Sign out").click()
    expect(page).to_have_url(re.compile(r"/hub/signed-out$"))
    assert hub.api("/users/analyst@acme.test").json()["servers"] == {}
    page.go_back()
    expect(page.get_by_text("analyst@acme.test")).to_have_count(0)
    page.goto(there)
    expect(page.get_by_label("E-mail")).to_be_visible()


def test_while_somebody_waits_for_a_mail_a_sample_is_drawn_once(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    visitor = new_visitor(hub, sample=True)
    page = visitor.go()
    wait_until(lambda: page.evaluate("performance.now() > 1500"), "some time to write an address")
    assert not _samples(visitor), "who types is not to be held up"
    visitor.ask_for_link("member@acme.test")
    await_sample(visitor.page)
    assert len(_samples(visitor)) == 1
    expect(visitor.page.locator("iframe")).to_have_count(0)


def test_nobody_meets_the_sample(new_visitor: NewVisitor, hub: Hub) -> None:
    visitor = new_visitor(hub, sample=True)
    script = "text/javascript"  # that does not draw, so that the frame stays
    visitor.page.route("**/ahead_sample.js", lambda route: route.fulfill(content_type=script))
    visitor.ask_for_link("member@acme.test")
    page = visitor.page
    expect(page.locator("iframe[aria-hidden=true]")).to_have_css("opacity", "0")
    page.frames[-1].wait_for_load_state()  # all scripts but the one that draws are executed
    assert page.evaluate("document.elementFromPoint(9, 9).tagName") != "IFRAME"
    for _ in range(len(page.locator("a, button").all()) + 2):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") != "IFRAME"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _samples(visitor: Visitor) -> list[str]:
    return [address for address in visitor.requests if address.endswith("/ahead.html")]
