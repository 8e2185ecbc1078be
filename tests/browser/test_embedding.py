"""Dashboards in pages of other origins: those that the operator names, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.conftest import StartHub
from tests.hub import Hub, free_port, wait_until
from tests.person import Person

pytestmark = pytest.mark.slow

MEMBER = "member@acme.test"
EVERYBODYS = "/hub/user-redirect/dashboards/user/penguins"
#: Of one site with the hub, another site for the browser, and one that is not allowed.
PORTS = {"intranet": free_port(), "elsewhere": free_port()}
INTRANET = f"http://127.0.0.1:{PORTS['intranet']}"
OTHER_SITE = f"http://localhost:{PORTS['intranet']}"
NOT_ALLOWED = f"http://127.0.0.1:{PORTS['elsewhere']}"
REFUSED = ["frame-ancestors", "status of 404"]


class Intranet(BaseHTTPRequestHandler):
    """A page with one frame, which shows the address after the question mark."""

    def do_GET(self) -> None:
        address = self.path.partition("?")[2]
        page = f'<!doctype html><title>Intranet</title><iframe src="{address}"'
        page += ' width="1000" height="700"></iframe>'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module", autouse=True)
def _pages() -> Iterator[None]:
    servers = [ThreadingHTTPServer(("127.0.0.1", port), Intranet) for port in PORTS.values()]
    threads = [Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    yield
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    return start_hub(ATRIUM_EMBED_ORIGINS=f"{INTRANET}, {OTHER_SITE}")


def embed(visitor: Visitor, origin: str, path: str) -> Page:
    visitor.page.goto(f"{origin}/?{visitor.url}{path}")
    return visitor.page


def assert_refused(visitor: Visitor, path: str) -> None:
    """The browser says that the frame's page may not be shown here."""
    # The title is asked for so that the browser's messages are heard meanwhile.
    wait_until(
        lambda: visitor.page.title() and any("frame-ancestors" in said for said in visitor.errors),
        f"the refusal of {path}",
    )


def test_a_page_of_the_same_site_shows_a_dashboard(new_visitor: NewVisitor, hub: Hub) -> None:
    visitor = new_visitor(hub, also=[INTRANET])
    visitor.sign_in(MEMBER, "/hub/home")
    # Its server does not run yet: the page that waits is shown, and goes on by itself.
    frame = embed(visitor, INTRANET, EVERYBODYS).frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Penguins", exact=True)).to_be_visible()
    expect(frame.locator("#waiting")).to_be_hidden()
    expect(frame.locator("canvas").first).to_be_visible()
    expect(frame.get_by_role("link", name="Sign out")).to_have_count(0)  # not for others to hide
    frame.get_by_label("Adelie").uncheck()
    expect(frame.locator(".figure", has_text="Penguins").locator("b")).not_to_have_text("342")
    with visitor.context.expect_page() as opened:  # nothing else of ours comes into the frame
        frame.get_by_role("link", name="All dashboards").click()
    expect(opened.value.get_by_role("heading", name="Dashboards")).to_be_visible()


def test_who_is_not_signed_in_there_goes_on_in_a_tab(new_visitor: NewVisitor, hub: Hub) -> None:
    visitor = new_visitor(hub, also=[INTRANET, OTHER_SITE])
    page = embed(visitor, INTRANET, EVERYBODYS)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="You are not signed in here")).to_be_visible()
    with visitor.context.expect_page() as opened:
        frame.get_by_role("link", name="Open the dashboard").click()
    expect(opened.value.get_by_label("E-mail")).to_be_visible()
    visitor.sign_in(MEMBER, f"/user/{MEMBER}/dashboards/user/penguins")
    # To a frame of another site browsers send no cookie: signed in, it is the same.
    for path in (EVERYBODYS, f"/user/{MEMBER}/dashboards/user/penguins"):
        frame = embed(visitor, OTHER_SITE, path).frame_locator("iframe")
        expect(frame.get_by_role("heading", name="You are not signed in here")).to_be_visible()


def test_no_other_page_shows_a_dashboard_and_no_page_anything_else(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    dashboard = f"/user/{MEMBER}/dashboards/user/penguins"
    visitor = new_visitor(hub, also=[INTRANET, NOT_ALLOWED], allow=REFUSED)
    visitor.sign_in(MEMBER, dashboard)
    places = [(NOT_ALLOWED, path) for path in (dashboard, EVERYBODYS)]
    places += [(INTRANET, path) for path in (f"/user/{MEMBER}/?all", "/hub/home", "/hub/none")]
    for origin, path in places:
        visitor.errors.clear()
        embed(visitor, origin, path)
        assert_refused(visitor, path)
    for path in (f"/user/{MEMBER}/?all", "/hub/home", "/hub/admin", "/hub/announcement"):
        policy = Person.signed_in(hub, MEMBER).get(path).headers["Content-Security-Policy"]
        assert policy.endswith("frame-ancestors 'self'")


def test_nothing_is_embedded_where_nobody_has_allowed_it(start_hub: StartHub) -> None:
    member = Person.signed_in(start_hub(), MEMBER)
    member.open_dashboards()
    page = member.get(f"/user/{MEMBER}/dashboards/user/penguins")
    assert page.headers["Content-Security-Policy"].endswith("frame-ancestors 'self'")
    frame = {"Sec-Fetch-Dest": "iframe"}
    stranger = Person(member.hub).get(EVERYBODYS, headers=frame, allow_redirects=False)
    assert stranger.status_code == 302
