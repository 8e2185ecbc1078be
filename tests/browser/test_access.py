"""The dashboard Access, as an admin uses it."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.hub import Hub
from tests.person import Person

pytestmark = pytest.mark.slow

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"


@pytest.fixture(scope="module", autouse=True)
def _finance(hub: Hub) -> None:
    """A folder with a dashboard, whose group nobody is in yet; and a member."""
    (hub.notebooks / "finance").mkdir()
    shutil.copy(
        hub.notebooks / "user" / "penguins.ipynb", hub.notebooks / "finance" / "costs.ipynb"
    )
    Person(hub).sign_in(MEMBER)
    hub.api("/groups/finance", "POST")
    admin = Person(hub)
    admin.sign_in(ADMIN)
    admin.open_server("admin")


def open_access(visitor: Visitor) -> Page:
    page = visitor.sign_in(ADMIN)
    page.get_by_role("link", name="Access").first.click()
    expect(page.get_by_role("heading", name="Why can’t … see …?")).to_be_visible()
    page.get_by_label("Person", exact=True).select_option(MEMBER)
    expect(page.get_by_role("heading", name=f"{MEMBER} sees 2 dashboards.")).to_be_visible()
    return page


def test_it_answers_why_and_follows_the_hub(visitor: Visitor, hub: Hub) -> None:
    page = open_access(visitor)
    page.get_by_label("Dashboard", exact=True).select_option("Penguins (finance/costs)")
    expect(
        page.get_by_role("heading", name=f"{MEMBER} does not see finance/costs.")
    ).to_be_visible()
    expect(page.get_by_text("Put them into the group finance")).to_be_visible()
    hub.api("/groups/finance/users", "POST", json={"users": [MEMBER]})
    expect(page.get_by_role("heading", name=f"{MEMBER} sees finance/costs.")).to_be_visible()
    expect(page.get_by_text("Group finance: granted by test on")).to_be_visible()
    hub.api("/groups/finance/users", "DELETE", json={"users": [MEMBER]})
    expect(page.get_by_role("heading", name=f"{MEMBER} does not see")).to_be_visible()


def test_a_change_is_tried_and_nothing_is_changed(visitor: Visitor, hub: Hub) -> None:
    page = open_access(visitor)
    expect(page.get_by_role("heading", name="Then (2)")).to_be_visible()
    page.get_by_role("checkbox", name="finance").check()
    expect(page.get_by_role("heading", name="Then (3)")).to_be_visible()
    expect(page.get_by_text("finance, is new")).to_be_visible()
    page.get_by_role("checkbox", name="user").uncheck()
    expect(page.get_by_text("user, goes")).to_have_count(2)
    expect(page.get_by_role("heading", name="Now (2)")).to_be_visible()
    assert hub.api(f"/users/{MEMBER}").json()["groups"] == ["user"]


def test_the_search_finds_people_groups_and_dashboards(visitor: Visitor) -> None:
    page = open_access(visitor)
    people = page.get_by_role("table").filter(has_text="where they come from")
    expect(people.get_by_role("cell", name=ADMIN)).to_be_visible()
    page.get_by_label("Search").press_sequentially("member@")
    expect(people.get_by_role("cell", name=ADMIN)).to_have_count(0)
    expect(people.get_by_role("cell", name=MEMBER)).to_be_visible()


def test_it_fits_a_telephone(new_visitor: NewVisitor, hub: Hub) -> None:
    page = open_access(new_visitor(hub, width=360))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    box = page.get_by_role("checkbox", name="user").bounding_box()
    assert box
    assert box["x"] + box["width"] < 360
