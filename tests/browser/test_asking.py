"""Asking in a browser: a member follows a link and asks, an admin grants, the member opens it."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import NewVisitor
from tests.conftest import StartHub
from tests.hub import Hub, wait_until

pytestmark = pytest.mark.slow

ADMIN, MEMBER, STRANGER = "admin@acme.test", "member@acme.test", "member@globex.test"


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    """A hub with a folder that nobody has been let into, and nothing for globex."""
    hub = start_hub(ATRIUM_CUSTOMER_TENANTS="initech")
    shutil.copytree(hub.notebooks / "user", hub.notebooks / "finance", dirs_exist_ok=True)
    return hub


def test_a_link_is_followed_asked_for_granted_and_opened(new_visitor: NewVisitor, hub: Hub) -> None:
    member = new_visitor(hub, allow=["status of 404"])
    link = "/hub/user-redirect/dashboards/finance/penguins"
    page = member.sign_in_by_mail(MEMBER, link)
    page.get_by_role("link", name="Ask for access").click()
    expect(page.get_by_label("What do you need it for?")).to_be_focused()
    page.keyboard.type("For the meeting on Tuesday")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Asked")).to_be_visible()
    expect(page.get_by_role("button", name="Withdraw")).to_be_visible()

    admin = new_visitor(hub).sign_in(ADMIN)
    admin.get_by_role("link", name="Requests 1 open").click()
    request = admin.get_by_role("article", name=MEMBER)
    expect(request.get_by_text("For the meeting on Tuesday")).to_be_visible()
    expect(request.get_by_label("Last day")).to_be_hidden()
    request.get_by_label("How long").select_option("Until a date")
    expect(request.get_by_label("Last day")).to_be_visible()
    request.get_by_label("How long").select_option("For a month")
    request.get_by_role("button", name="Grant").click()
    expect(
        admin.get_by_text(f"Granted: {MEMBER} may open the dashboards of finance")
    ).to_be_visible()
    expect(admin.get_by_text("No open requests")).to_be_visible()

    def opens() -> bool:
        page.goto(f"{hub.url}{link}")
        return page.get_by_role("link", name="Ask for access").is_hidden()

    wait_until(opens, "the dashboard that was asked for")
    expect(page.locator(".bk-Figure").first).to_be_visible()


def test_somebody_with_nothing_asks_and_takes_it_back(new_visitor: NewVisitor, hub: Hub) -> None:
    visitor = new_visitor(hub, allow=["status of 403"])
    page = visitor.sign_in(STRANGER, "/hub/user-redirect/dashboards/finance/penguins")
    page.get_by_role("link", name="Ask for access").click()
    page.get_by_label("What do you need it for?").fill("I look after the penguins")
    page.get_by_role("button", name="Ask").click()
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("No open requests")).to_be_visible()


def test_the_longest_names_and_words_fit_a_telephone(new_visitor: NewVisitor, hub: Hub) -> None:
    member = new_visitor(hub, width=360)
    asked = member.sign_in(MEMBER, f"/hub/ask?dashboard=finance.{'long-name.' * 8}/{'x' * 150}")
    asked.get_by_label("What do you need it for?").fill("y" * 400)
    form = asked.evaluate("document.documentElement.scrollWidth")
    asked.get_by_role("button", name="Ask").click()
    admin = new_visitor(hub, width=360)
    page = admin.sign_in(ADMIN, "/hub/requests")
    expect(page.get_by_role("button", name="Decline")).to_be_visible()
    shown = [asked, page, admin.open_tab(f"{hub.url}/hub/home")]
    shown[-1].goto(f"{hub.url}/user/{ADMIN}/?all")
    assert form <= 360
    for tab in shown:
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, tab.url
    asked.get_by_role("button", name="Withdraw").click()
