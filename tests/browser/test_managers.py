"""The hub's admin page offers each manager what they may do, and nothing else."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.attacks.companies import ADMIN, GLOBEX, INITECH, MEMBER, Company, Town
from tests.browser.visitor import NewVisitor, add_member
from tests.conftest import StartHub

pytestmark = pytest.mark.slow

NOT_FOR_MANAGERS = [
    *("Start All", "Stop All", "Shutdown Hub", "Add Users", "Edit User"),
    *("New Group", "Delete Group", "Add Item"),
]


@pytest.fixture(scope="module")
def town(start_hub: StartHub) -> Town:
    town = Town(start_hub(ATRIUM_CUSTOMER_TENANTS="globex, initech"))
    town.person(MEMBER)
    town.ask(ADMIN, "POST", "/groups/finance")
    town.ask(ADMIN, "POST", "/groups/finance.admin", users=[MEMBER])
    return town


def offers_no_more(page: Page) -> None:
    for name in NOT_FOR_MANAGERS:
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def add(page: Page, group: str, name: str) -> None:
    """Put somebody into a group, in the admin page."""
    page.get_by_role("button", name="Manage Groups").click()
    expect(page.get_by_text(re.compile("Displaying"))).to_be_visible()
    offers_no_more(page)
    page.get_by_role("link", name=group, exact=True).click()
    offers_no_more(page)
    add_member(page, name)


@pytest.mark.parametrize(
    ("email", "group", "colleague", "stranger"),
    [
        (GLOBEX.boss, GLOBEX.group, GLOBEX.boss, INITECH.member),
        (MEMBER, "finance", ADMIN, GLOBEX.member),
    ],
)
def test_a_manager_sees_their_people_and_fills_their_group(
    email: str, group: str, colleague: str, stranger: str, new_visitor: NewVisitor, town: Town
) -> None:
    visitor = new_visitor(town.hub)
    page = visitor.sign_in(email)
    page.get_by_role("link", name="People and groups").click()
    expect(page.get_by_role("cell", name=colleague)).to_be_visible()
    expect(page.get_by_text(stranger)).to_have_count(0)
    offers_no_more(page)
    add(page, group, colleague)
    assert group in town.groups_of(colleague)


def test_an_admin_is_not_offered_the_groups_that_follow_the_provider(
    new_visitor: NewVisitor, town: Town
) -> None:
    page = new_visitor(town.hub).sign_in(ADMIN, "/hub/admin")
    page.get_by_role("button", name="Manage Groups").click()
    expect(page.get_by_text("finance", exact=True)).not_to_have_attribute("inert", "")
    for group in ("admin", "user", "globex", "globex.admin", "customers"):
        expect(page.get_by_text(group, exact=True)).to_have_attribute("inert", "")


@pytest.mark.parametrize("company", [GLOBEX, INITECH], ids=lambda company: company.tenant)
def test_one_dashboard_shows_each_customer_their_rows(
    company: Company, new_visitor: NewVisitor, town: Town
) -> None:
    where = "/hub/user-redirect/dashboards/customers/your_orders"
    page = new_visitor(town.hub).sign_in(company.boss, where)
    prefix = company.tenant[:3].upper()
    expect(page.get_by_text(re.compile(rf"^{prefix}-\d+$")).first).to_be_visible()
    others = {"GLO", "INI", "ACM"} - {prefix}
    expect(page.get_by_text(re.compile(rf"^({'|'.join(others)})-\d+$"))).to_have_count(0)
