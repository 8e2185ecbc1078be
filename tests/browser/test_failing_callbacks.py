"""A callback that fails in a live dashboard is told to the person, with a reference for admins."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until
from tests.person import Person

pytestmark = pytest.mark.slow

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"
FAILED = ["A callback failed, reference"]
FAILS = """
import panel as pn
pn.extension()

def fail(_):
    raise ValueError("the password of the database")

def want_too_much(_):
    raise MemoryError

async def fail_later(_):
    raise ValueError("later")

names = {"Fail": fail, "Want too much": want_too_much, "Fail later": fail_later}
count = pn.widgets.Button(name="Count")
pn.Column(
    *(pn.widgets.Button(name=name, on_click=act) for name, act in names.items()),
    count, pn.bind(lambda clicks: f"counted {clicks}", count.param.clicks),
).servable()
"""
OWN_HANDLER = """
import panel as pn
said = pn.pane.Str("nothing yet")
def handle(error):
    said.object = "handled by the notebook"
pn.extension(exception_handler=handle)
def fail(_):
    raise ValueError
pn.Column(said, pn.widgets.Button(name="Fail", on_click=fail)).servable()
"""
OWN_PAGE = """
import panel as pn
pn.extension()
def fail(_):
    raise ValueError
template = pn.template.MaterialTemplate(title="Own")
template.main.append(pn.widgets.Button(name="Fail", on_click=fail))
template.servable()
"""


@pytest.fixture
def open_dashboard(new_visitor: NewVisitor, hub: Hub) -> Page:
    """A dashboard with buttons that fail."""
    write_notebook(hub.notebooks / "user" / "fails.ipynb", code(FAILS))
    return open_as_member(new_visitor(hub, allow=FAILED), "fails")


def open_as_member(visitor: Visitor, name: str) -> Page:
    return visitor.sign_in(MEMBER, f"/user/{MEMBER}/dashboards/user/{name}")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def failure(hub: Hub, reference: str) -> tuple[str, str]:
    """What *Health* finds by a reference: the dashboard, and the cause."""
    admin = Person.signed_in(hub, ADMIN)
    asked = {"params": {"reference": reference}, "headers": admin.xsrf}

    def found() -> list[dict[str, str]]:
        return admin.get("/hub/api/health-report", **asked).json()["failures"]

    wait_until(lambda: bool(found()), "the failure")
    (one,) = found()
    return one["dashboard"], one["cause"]


def test_a_failed_callback_is_told_and_the_dashboard_goes_on(
    open_dashboard: Page, hub: Hub
) -> None:
    page = open_dashboard
    told = page.get_by_role("alert")
    press(page, "Fail")
    expect(told).to_contain_text("Something went wrong in this dashboard.")
    assert "password" not in page.content()
    found = re.search(r"reference: ([0-9a-f]{8})", told.inner_text())
    assert found
    wait_until(lambda: f"reference {found[1]}" in hub.log_text(), "the log")
    assert "the password of the database" in hub.log_text()
    assert failure(hub, found[1]) == ("fails", "")
    press(page, "Fail")
    press(page, "Count")
    expect(page.get_by_text("counted 1")).to_be_visible()
    press(page, "Close")
    expect(told).to_have_count(0)


def test_too_little_memory_is_told_by_what_can_be_done(open_dashboard: Page) -> None:
    press(open_dashboard, "Want too much")
    expect(open_dashboard.get_by_role("alert")).to_contain_text("Choose less data")


def test_a_dashboard_that_was_killed_says_so_and_is_opened_again(
    open_dashboard: Page, hub: Hub
) -> None:
    page = open_dashboard
    expect(page.get_by_text("counted 0")).to_be_visible()
    for session in hub.sessions_of(MEMBER):
        session.kill()
    expect(page.get_by_role("alert")).to_contain_text("This dashboard has stopped")
    last = re.findall(r"user/fails failed, reference (\w+): .*killed by SIGKILL", hub.log_text())[
        -1
    ]
    assert failure(hub, last) == ("fails", "killed")
    press(page, "Open it again")
    press(page, "Count")
    expect(page.get_by_text("counted 1")).to_be_visible()


def test_the_last_failure_stands_alone(open_dashboard: Page) -> None:
    told = open_dashboard.get_by_role("alert")
    press(open_dashboard, "Want too much")
    expect(told).to_contain_text("memory")
    press(open_dashboard, "Fail later")
    expect(told).to_contain_text("Something went wrong")
    expect(told).to_have_count(1)


def test_a_notebooks_own_handler_comes_first(new_visitor: NewVisitor, hub: Hub) -> None:
    write_notebook(hub.notebooks / "user" / "handles.ipynb", code(OWN_HANDLER))
    page = open_as_member(new_visitor(hub), "handles")
    press(page, "Fail")
    expect(page.get_by_text("handled by the notebook")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_it_is_told_on_a_page_of_the_notebooks_own(new_visitor: NewVisitor, hub: Hub) -> None:
    write_notebook(hub.notebooks / "user" / "own.ipynb", code(OWN_PAGE))
    page = open_as_member(new_visitor(hub, allow=FAILED), "own")
    press(page, "Fail")
    expect(page.get_by_role("alert")).to_contain_text("Something went wrong")
