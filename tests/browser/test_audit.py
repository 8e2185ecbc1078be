"""The audit trail in a browser: read, searched and downloaded by an admin."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.hub import Hub
from tests.person import Person

pytestmark = pytest.mark.slow

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"
AUDIT = f"/user/{ADMIN}/admin/dashboards/admin/audit"


def rows(page: Page) -> list[str]:
    return page.locator("tr:has(td)").all_inner_texts()


def test_an_admin_reads_searches_and_downloads_the_trail(visitor: Visitor, hub: Hub) -> None:
    Person(hub).sign_in(MEMBER)
    page = visitor.sign_in(ADMIN, AUDIT)
    expect(page.get_by_text("The trail is whole")).to_be_visible()
    expect(page.get_by_role("cell", name=MEMBER).first).to_be_visible()
    page.get_by_label("What happened").select_option("Signed in")
    expect(page.get_by_role("cell", name="Group given")).to_have_count(0)
    page.get_by_label("Search").press_sequentially("member@")
    expect(page.get_by_role("cell", name=ADMIN)).to_have_count(0)
    assert [MEMBER in row and "Signed in" in row for row in rows(page)] == [True]
    with page.expect_download() as download:
        page.get_by_text("Download CSV").click()
    table = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [(row["action"], row["user"]) for row in table] == [("signed-in", MEMBER)]
    page.get_by_label("Search").fill("no such thing")
    expect(page.get_by_text("Nothing in the trail fits")).to_be_visible()


def test_a_changed_trail_says_so(new_visitor: NewVisitor, hub: Hub) -> None:
    path = hub.state / "audit" / "audit.jsonl"
    before = path.read_text()
    Person(hub).sign_in(MEMBER)
    path.write_text(path.read_text().replace('"email"', '"fed"', 1))
    try:
        page = new_visitor(hub).sign_in(ADMIN, AUDIT)
        expect(page.get_by_text("The trail was tampered with. Record ")).to_be_visible()
    finally:
        path.write_text(before)
