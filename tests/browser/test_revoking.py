"""What somebody sees when a dashboard is taken from them, or given to them, while they look."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import Route, expect

from tests.browser.visitor import NewVisitor
from tests.conftest import StartHub
from tests.hub import Hub, wait_until

pytestmark = pytest.mark.slow

ANALYST = "analyst@acme.test"


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    hub = start_hub(ATRIUM_REVOKE_SECONDS="6")
    folder = hub.notebooks / "finance"
    folder.mkdir()
    shutil.copy(hub.notebooks / "user" / "penguins.ipynb", folder / "figures.ipynb")
    template = (hub.notebooks / "user" / "penguins.ipynb").read_text()
    own = template.replace(".servable()", ".servable()\\npn.template.FastListTemplate()", 1)
    (folder / "own.ipynb").write_text(own)
    hub.api("/groups/finance", "POST")
    return hub


def membership(hub: Hub, method: str) -> None:
    assert hub.api("/groups/finance/users", method, json={"users": [ANALYST]}).ok


def test_a_dashboard_that_is_taken_away_goes_and_says_why(
    hub: Hub, new_visitor: NewVisitor
) -> None:
    visitor = new_visitor(hub)
    visitor.sign_in(ANALYST)
    gallery = visitor.page
    expect(gallery.get_by_role("heading", name="Dashboards", exact=True)).to_be_visible()
    membership(hub, "POST")
    expect(gallery.get_by_role("heading", name="Finance")).to_be_visible()  # by itself
    gallery.get_by_role("link", name="Penguins").last.click()
    expect(gallery.locator(".bk-Figure").first).to_be_attached()
    membership(hub, "DELETE")
    expect(gallery.get_by_role("heading", name="no longer shared with you")).to_be_visible()
    expect(gallery.get_by_text("An admin took you out of the group")).to_be_visible()
    gallery.get_by_role("link", name="To my dashboards").click()
    expect(gallery.get_by_role("heading", name="Everybody")).to_be_visible()
    expect(gallery.get_by_role("heading", name="Finance")).to_have_count(0)


def test_a_click_is_not_lost_when_the_gallery_changes(hub: Hub, new_visitor: NewVisitor) -> None:
    page = new_visitor(hub).sign_in(ANALYST)
    told: list[str | bytes] = []
    page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda frame: told.append(frame))
    )
    expect(page.get_by_role("heading", name="Everybody")).to_be_visible()
    page.reload()
    held: list[Route] = []
    page.route("**/dashboards/user/penguins", lambda route: held.append(route))
    with page.expect_request("**/dashboards/user/penguins"):
        page.get_by_role("link", name="Penguins").first.click(no_wait_after=True)
    told.clear()
    membership(hub, "POST")
    try:
        # Asking the browser lets events in; the page itself answers nothing while it is left.
        wait_until(lambda: (page.context.cookies(), told)[1], "the change")
        held[0].continue_()
        expect(page.locator(".bk-Figure").first).to_be_attached()
    finally:
        membership(hub, "DELETE")


def test_whoever_is_signed_out_elsewhere_is_told_so(hub: Hub, new_visitor: NewVisitor) -> None:
    first, second = new_visitor(hub), new_visitor(hub)
    first.sign_in(ANALYST, f"/user/{ANALYST}/dashboards/user/penguins")
    expect(first.page.locator(".bk-Figure").first).to_be_attached()
    second.sign_in(ANALYST)
    second.go("/hub/logout")
    expect(first.page.get_by_role("heading", name="You are signed out")).to_be_visible()
    expect(first.page.get_by_role("link", name="Sign in again")).to_be_visible()
