"""What admins tell everybody, as they write it and as everybody sees it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor
from tests.hub import Hub
from tests.person import Person

pytestmark = pytest.mark.slow

ADMIN, MEMBER, CUSTOMER = "admin@acme.test", "member@acme.test", "member@globex.test"
WORDS = "Sales are late <b>today</b> & 'tomorrow'."
ANNOUNCEMENT = "/hub/announcement"


def told(page: Page) -> str | None:
    note = page.locator("aside.note > span")
    return note.inner_text() if note.count() else None


def test_an_admin_tells_everybody_and_takes_it_back(new_visitor: NewVisitor, hub: Hub) -> None:
    member = new_visitor(hub)
    frame = member.sign_in(MEMBER, f"/user/{MEMBER}/dashboards/user/penguins")
    expect(frame.locator("#waiting")).to_be_hidden()
    admin = new_visitor(hub)
    page = admin.sign_in(ADMIN, "/hub/admin")
    page.get_by_role("link", name="Announcement").click()
    page.get_by_label("What everybody should read").fill(WORDS)
    page.get_by_label("Kind").select_option("Warning")
    page.get_by_role("button", name="Show it to everybody").click()
    expect(page.get_by_text("Everybody sees it now")).to_be_visible()
    assert told(page) == WORDS
    # The dashboard that was open all the time has it, and the pages that are opened now.
    note = frame.locator("aside.note.warn", has_text=WORDS)
    expect(note).to_be_visible()
    for path in (f"/user/{MEMBER}/?all", "/hub/home", f"/user/{MEMBER}/dashboards/user/penguins"):
        member.go(path)
        expect(note).to_be_visible()
    # Who dismisses it is not shown it again, on any page.
    frame.get_by_role("button", name="Dismiss").click()
    expect(note).to_be_hidden()
    member.go(f"/user/{MEMBER}/?all")
    expect(frame.get_by_role("heading", name="Dashboards")).to_be_visible()
    assert told(frame) is None
    page.get_by_label("What everybody should read").fill("Now they are there.")
    page.get_by_role("button", name="Show it to everybody").click()
    expect(frame.locator("aside.note", has_text="Now they are there.")).to_be_visible()
    page.get_by_role("button", name="Take it away").click()
    expect(page.get_by_text("It is taken away.")).to_be_visible()
    expect(frame.locator("aside.note")).to_have_count(0)
    records = page.request.get(f"{hub.url}/hub/api/audit").json()["records"]
    told_of = [one for one in records if one["action"].startswith("announce")]
    assert [(one["action"], one["by"], one["details"].get("kind")) for one in told_of] == [
        ("announcement-ended", ADMIN, None),
        ("announced", ADMIN, "info"),
        ("announced", ADMIN, "warn"),
    ]
    assert WORDS not in str(records)


def test_only_admins_tell(hub: Hub) -> None:
    for name in (MEMBER, CUSTOMER):
        person = Person(hub)
        person.sign_in(name)
        assert person.get(ANNOUNCEMENT).status_code == 403
        form = {"text": "Hello", "kind": "info"}
        answer = person.post(ANNOUNCEMENT, data=form, headers=person.xsrf)
        assert answer.status_code == 403
    stranger = Person(hub)
    assert (
        "/hub/oauth_login"
        in stranger.get(ANNOUNCEMENT, allow_redirects=False).headers.get("Location", "")
        or "login" in stranger.get(ANNOUNCEMENT).url
    )
    admin = Person(hub)
    admin.sign_in(ADMIN)
    answer = admin.post(ANNOUNCEMENT, data={"text": "Forged", "kind": "info"})
    assert answer.status_code == 403  # no token against forgery
    assert "Forged" not in admin.get(ANNOUNCEMENT).text


def test_nobody_but_the_hub_tells_a_server(hub: Hub) -> None:
    member = Person(hub)
    member.sign_in(MEMBER)
    member.open_dashboards()
    address = f"/user/{MEMBER}/announcement"
    for key in ("", "Bearer ", "Bearer wrong"):
        answer = member.put(address, json={"announcement": None}, headers={"Authorization": key})
        assert answer.status_code == 403
    socket = member.connect(address)
    assert socket.recv(timeout=20) == "null"
    other = Person(hub)
    other.sign_in(CUSTOMER)
    with pytest.raises(Exception, match="403"):
        other.connect(address)
