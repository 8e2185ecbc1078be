"""Usage, Speed and Health, as an admin sees them; and who does not."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub
from tests.person import Person

pytestmark = pytest.mark.slow

ADMIN, MEMBER, CUSTOMER = "admin@acme.test", "member@acme.test", "member@globex.test"
MARKUP = "<img src=x onerror=alert(1)>"
DASHBOARDS = {
    "usage": "Who opens what",
    "speed": "Dashboards, the slow ones first",
    "health": "Servers, the largest first",
}
BROWSER = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module", autouse=True)
def _openings(hub: Hub) -> None:
    """Three weeks in which the member opened one dashboard fast and another one slowly."""
    slow = hub.notebooks / "user" / "sensor_explorer.ipynb"
    content = json.loads(slow.read_text())
    content["metadata"]["atrium"] = {"budget_seconds": 1.5}
    slow.write_text(json.dumps(content))
    for name in (MEMBER, ADMIN):
        Person.signed_in(hub, name)
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        ("penguins", now - timedelta(days=day, hours=hour), 0.8 + 0.1 * hour, 0)
        for day in range(20)
        for hour in range(1 + day % 4)
    ]
    rows += [
        ("sensor_explorer", now - timedelta(days=day), 2 + day / 10, 0) for day in range(0, 9, 2)
    ]
    rows += [("sensor_explorer", now, None, 1), (MARKUP, now, None, 1)]
    failures = [
        ("sensor_explorer", now, "1a2b3c4d", "killed"),
        (MARKUP, now, "00000000", ""),
    ]
    with closing(sqlite3.connect(hub.state / "jupyterhub.sqlite", timeout=20)) as db, db:
        (number,) = db.execute("SELECT id FROM users WHERE name = ?", (MEMBER,)).fetchone()
        db.executemany(
            "INSERT INTO atrium_openings"
            " (user_id, key, group_name, dashboard, opened_at, seconds, failed)"
            f" VALUES ({number}, '', 'user', ?, ?, ?, ?)",
            [(name, at.isoformat(" "), *rest) for name, at, *rest in rows],
        )
        db.executemany(
            "INSERT INTO atrium_failures (user_id, group_name, dashboard, at, reference, cause)"
            f" VALUES ({number}, 'user', ?, ?, ?, ?)",
            [(name, at.isoformat(" "), *rest) for name, at, *rest in failures],
        )


def open_dashboard(new_visitor: NewVisitor, hub: Hub, name: str) -> Page:
    visitor = new_visitor(hub)
    page = visitor.sign_in(ADMIN, f"/user/{ADMIN}/admin/dashboards/admin/{name}")
    expect(page.get_by_role("heading", name=DASHBOARDS[name])).to_be_visible()
    return page


def fail(hub: Hub) -> str:
    """The member opens a dashboard that cannot be drawn; returns the reference that they see."""
    write_notebook(hub.notebooks / "user" / "broken.ipynb", markdown("# Broken"), code("1 / 0"))
    member = Person.signed_in(hub, MEMBER)
    member.open_dashboards()
    page = member.get(f"/user/{MEMBER}/dashboards/user/broken").text
    found = re.search("Reference: <code>([0-9a-f]{8})</code>", page)
    assert found, page
    return found[1]


def rows(page: Page, heading: str) -> list[str]:
    table = page.locator(".card", has=page.get_by_role("heading", name=heading))
    return [" ".join(row.split()) for row in table.locator("tr:has(td)").all_inner_texts()]


def test_usage_tells_who_opens_what_and_what_nobody_opens(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    page = open_dashboard(new_visitor, hub, "usage")
    counted = page.locator(".figure", has_text="Openings").locator("b").inner_text()
    assert int(counted) >= 57  # those of this admin too
    assert rows(page, "Dashboards")[0] == "Penguins user 50 1 0"
    assert "Who am I admin" in rows(page, "Opened by nobody")
    assert f"{MEMBER} Penguins user 50" in rows(page, "Who opens what")
    assert f"{MEMBER} {MARKUP} (removed) user 1" in rows(page, "Who opens what")
    page.get_by_label("Search").press_sequentially("sensor")
    people = page.locator(".card", has=page.get_by_role("heading", name="Who opens what"))
    expect(people.locator("tr:has(td)")).to_have_count(1)
    page.get_by_label("Period").select_option("The last 7 days")
    expect(page.locator(".figure", has_text="Openings")).not_to_contain_text(counted)
    assert MEMBER not in page.url


def test_speed_has_the_slow_ones_on_top_by_their_own_budgets(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    page = open_dashboard(new_visitor, hub, "speed")
    found = rows(page, "Dashboards, the slow ones first")
    assert [row for row in found if " user " in row] == [  # without those of this admin
        "Sensor explorer user too slow 2.4 s 2.8 s 1.5 s 5",
        "Penguins user in time 0.9 s 1.1 s 2.0 s 50",
    ]
    expect(page.get_by_role("heading", name="By day, with a budget of 1.5 s")).to_be_visible()
    page.get_by_label("Dashboard", exact=True).select_option("Penguins (user/penguins)")
    expect(page.get_by_role("heading", name="By day, with a budget of 2.0 s")).to_be_visible()


def test_health_tells_what_runs_and_finds_a_failure_by_its_reference(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    reference = fail(hub)
    page = open_dashboard(new_visitor, hub, "health")
    assert any(row.startswith(f"{ADMIN} Admin dashboards") for row in rows(page, "Servers"))
    assert "Sign-in service answers" in rows(page, "Machine")
    failures = page.locator(".card", has_text="What went wrong")
    expect(failures.get_by_text(MARKUP)).to_be_visible()
    expect(failures.get_by_role("row", name="1a2b3c4d")).to_contain_text("killed by SIGKILL")
    page.get_by_label("Reference").press_sequentially(reference.upper())
    expect(failures.get_by_text(MARKUP)).to_be_hidden()
    expect(failures.get_by_role("cell", name="broken user")).to_be_visible()
    expect(failures.get_by_role("cell", name=MEMBER)).to_have_count(1)


def test_nobody_else_reads_any_of_it(hub: Hub) -> None:
    paths = ("/hub/api/health-report", "/hub/api/health-report?reference=1a2b3c4d")
    admin = Person.signed_in(hub, ADMIN)
    assert "1a2b3c4d" in admin.get(paths[0], headers=admin.xsrf | BROWSER).text
    scope = f"access:servers!server={ADMIN}/"
    made = admin.post(
        f"/hub/api/users/{ADMIN}/tokens",
        json={"scopes": [scope]},
        headers=admin.xsrf | BROWSER,
    ).json()["token"]  # as the token of an admin's default server, which runs everybody's notebooks
    for path in paths:
        for headers in ({}, {"Authorization": f"token {made}"}):
            answer = requests.get(hub.url + path, headers=headers, timeout=20)
            assert answer.status_code == 403
            assert "1a2b3c4d" not in answer.text
        for name in (MEMBER, CUSTOMER):
            person = Person.signed_in(hub, name)
            person.open_dashboards()
            assert person.get(path, headers=person.xsrf | BROWSER).status_code == 403
            for dashboard in DASHBOARDS:
                place = f"/user/{name}/dashboards/admin/{dashboard}"
                assert person.get(place).status_code in {403, 404}
