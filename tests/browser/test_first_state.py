"""What a page draws before its connection is there, and what becomes of it then."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.visitor import NewVisitor
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until

MEMBER = "member@acme.test"
COUNTS = """
import panel as pn
pn.extension()
button = pn.widgets.Button(name="Count")
pn.Column(button, pn.bind(lambda clicks: f"counted {clicks}", button.param.clicks)).servable()
"""
CHANGES = """
from pathlib import Path
import panel as pn
pn.extension()
said = pn.pane.Str("as in the page")
button = pn.widgets.Button(name="Count")
def change():
    said.object = "changed since"
    Path.home().joinpath("changed").touch()
pn.state.add_periodic_callback(change, period=50, count=1)
pn.Column(said, button, pn.bind(lambda clicks: f"counted {clicks}", button.param.clicks)).servable()
"""


@pytest.fixture
def held_back(new_visitor: NewVisitor, hub: Hub) -> tuple[Page, list[WebSocketRoute]]:
    """A page of somebody signed in, whose WebSockets wait in the list to be let through."""
    for name, source in (("counts", COUNTS), ("changes", CHANGES)):
        write_notebook(hub.notebooks / "user" / f"{name}.ipynb", code(source))
    page = new_visitor(hub, allow=["WebSocket", "bokeh"]).sign_in(MEMBER)
    held: list[WebSocketRoute] = []
    page.route_web_socket("**/ws", lambda route: held.append(route))
    return page, held


def test_what_is_done_before_the_connection_is_said_then(
    held_back: tuple[Page, list[WebSocketRoute]], hub: Hub
) -> None:
    page, held = held_back
    page.goto(f"{hub.url}/user/{MEMBER}/dashboards/user/counts")
    expect(page.get_by_text("counted 0")).to_be_visible()
    expect(page.locator("#waiting")).to_be_hidden()
    page.get_by_role("button", name="Count").click()
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_text("counted 0")).to_be_visible()
    held[0].connect_to_server()
    expect(page.get_by_text("counted 2")).to_be_visible()
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_text("counted 3")).to_be_visible()
    assert len(held) == 1


def test_what_has_changed_before_the_connection_is_shown_then(
    held_back: tuple[Page, list[WebSocketRoute]], hub: Hub
) -> None:
    page, held = held_back
    page.goto(f"{hub.url}/user/{MEMBER}/dashboards/user/changes")
    expect(page.get_by_text("as in the page")).to_be_visible()
    wait_until((hub.home_of(MEMBER) / "changed").exists, "the change")
    expect(page.get_by_text("as in the page")).to_be_visible()
    held[0].connect_to_server()
    expect(page.get_by_text("changed since")).to_be_visible()
    expect(page.get_by_text("as in the page")).to_be_hidden()
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_text("counted 1")).to_be_visible()
    page.wait_for_function("Bokeh.documents.every((doc) => doc.is_idle)")


def test_a_connection_that_is_refused_is_told(
    held_back: tuple[Page, list[WebSocketRoute]], hub: Hub
) -> None:
    page, held = held_back
    page.goto(f"{hub.url}/user/{MEMBER}/dashboards/user/counts")
    expect(page.get_by_text("counted 0")).to_be_visible()
    held[0].close()
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")
