"""Somebody follows a link to a dashboard that is not open to them, asks, and is let in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub_extensions import grants
from tests.conftest import StartHub
from tests.hub import Hub, wait_until
from tests.person import Person
from tests.requests_page import add_dashboard, add_person, answer, ask, give, groups, ids, take

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"
STRANGER = "member@globex.test"
BOSS = "boss@acme.test"


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    hub = start_hub(ATRIUM_HUB_ADMINS=BOSS, ATRIUM_CUSTOMER_TENANTS="initech")
    for group in ("finance", "finance.board", "sales", "analysts", "secret"):
        add_dashboard(hub, group, "money")
    return hub


@pytest.fixture(scope="module")
def admin(hub: Hub) -> Person:
    """A member of `admin`, who manages every group; no full admin."""
    return Person.signed_in(hub, ADMIN)


@pytest.fixture(scope="module")
def member(hub: Hub) -> Person:
    return Person.signed_in(hub, MEMBER)


@pytest.fixture(scope="module")
def analyst(hub: Hub) -> Person:
    return Person.signed_in(hub, ANALYST)


def test_what_was_asked_for_is_granted_and_opens(hub: Hub, admin: Person, member: Person) -> None:
    page = ask(member, "finance/money", "For the board of Tuesday")
    assert page.url.endswith("/hub/ask?sent=1")
    assert "You will find it among your dashboards when it is granted" in page.text
    (request,) = ids(admin, MEMBER)
    shown = admin.get("/hub/requests").text
    assert "finance/money" in shown
    assert "For the board of Tuesday" in shown
    page = answer(admin, request, note="Welcome to the numbers")
    assert f"Granted: {MEMBER} may open the dashboards of finance" in page.text
    assert "finance" in groups(hub, MEMBER)
    assert "Welcome to the numbers" in member.get("/hub/ask").text
    member.open_dashboards()
    wait_until(
        lambda: member.get(f"/user/{MEMBER}/dashboards/finance/money").ok,
        "the dashboard",
        seconds=30,
    )
    take(hub, "finance", MEMBER)


def test_a_request_can_be_granted_until_a_day(hub: Hub, admin: Person, member: Person) -> None:
    day = grants.now().date() + timedelta(days=3)
    ask(member, "sales/money")
    (request,) = ids(admin, MEMBER)
    page = answer(admin, request, term="day", day=day.isoformat())
    assert f"until the end of {day:%-d %B %Y}" in page.text
    assert "sales" in groups(hub, MEMBER)
    take(hub, "sales", MEMBER)


def test_a_request_can_be_declined_with_a_word(hub: Hub, admin: Person, member: Person) -> None:
    ask(member, "sales/money")
    (request,) = ids(admin, MEMBER)
    assert "Declined" in answer(admin, request, "decline", note="Ask again in May").text
    assert "sales" not in groups(hub, MEMBER)
    own = member.get("/hub/ask").text
    assert "Ask again in May" in own
    assert "No open requests" in own


def test_a_request_can_be_withdrawn(admin: Person, member: Person) -> None:
    page = ask(member, "sales/money")
    (request,) = ids(admin, MEMBER)
    assert "No open requests" in member.submit(page).text
    assert not ids(admin, MEMBER)
    late = answer(admin, request)
    assert late.status_code == 409
    assert f"{MEMBER} has withdrawn" in late.text


def test_asking_twice_is_asking_once(admin: Person, member: Person) -> None:
    ask(member, "sales/money")
    ask(member, "sales/other", "Another reason")
    (request,) = ids(admin, MEMBER)
    assert "You have asked for the dashboards of" in member.get("/hub/ask?dashboard=sales/x").text
    answer(admin, request, "decline")


def test_the_two_of_a_groups_managers_do_not_get_in_each_others_way(
    hub: Hub, admin: Person, member: Person, analyst: Person
) -> None:
    give(hub, "finance.admin", ANALYST)
    ask(member, "finance/money")
    (request,) = ids(admin, MEMBER)
    assert ids(analyst) == [request]
    assert answer(admin, request).ok
    second = answer(analyst, request, "decline")
    assert second.status_code == 409
    assert f"{ADMIN} has granted this request already" in second.text
    assert "finance" in groups(hub, MEMBER)
    take(hub, "finance", MEMBER)
    take(hub, "finance.admin", ANALYST)
    assert answer(analyst, request).status_code == 403


def test_a_groups_manager_answers_for_what_is_below_it(
    hub: Hub, member: Person, analyst: Person
) -> None:
    give(hub, "finance.admin", ANALYST)
    ask(member, "finance.board/money")
    ask(member, "sales/money")
    (request,) = ids(analyst)
    assert answer(analyst, request).ok
    assert "finance.board" in groups(hub, MEMBER)
    take(hub, "finance.board", MEMBER)
    take(hub, "finance.admin", ANALYST)


def test_a_group_of_the_provider_is_changed_there_or_by_a_full_admin(
    hub: Hub, admin: Person, member: Person
) -> None:
    ask(member, "analysts/money")
    request = ids(admin, MEMBER)[-1]
    assert "follows the sign-in provider" in admin.get("/hub/requests").text
    refused = answer(admin, request)
    assert refused.status_code == 403
    assert "Change the role there" in refused.text
    assert "analysts" not in groups(hub, MEMBER)
    answer(admin, request, "decline")


def test_a_full_admin_answers_too(hub: Hub, member: Person) -> None:
    add_person(hub, BOSS)
    boss = Person(hub)
    boss.sign_in(BOSS)
    ask(member, "finance/money")
    request = ids(boss, MEMBER)[-1]
    assert answer(boss, request).ok
    assert "finance" in groups(hub, MEMBER)
    take(hub, "finance", MEMBER)


def test_the_number_of_open_requests_is_shown_to_managers(
    hub: Hub, admin: Person, analyst: Person
) -> None:
    for number in ids(admin):
        answer(admin, number, "decline")
    assert "No open requests" in admin.get("/hub/requests").text
    ask(analyst, "finance/money")
    ask(analyst, "sales/money")
    assert '<b class="count">2</b>' in admin.get("/hub/admin").text
    gallery = admin.open_dashboards().text
    assert '<b class="count">2</b>' in gallery
    assert "Requests" not in analyst.open_dashboards().text


@pytest.mark.parametrize("dashboard", ["secret/money", "no-such/thing"])
def test_the_page_for_what_is_not_open_leads_to_asking(dashboard: str, member: Person) -> None:
    member.open_dashboards()
    page = member.get(f"/user/{MEMBER}/dashboards/{dashboard}")
    assert page.status_code == 404
    assert f"/hub/ask?dashboard={dashboard.replace('/', '%2F')}" in page.text


@pytest.mark.parametrize(
    "link",
    [
        "/hub/user-redirect/dashboards/finance/money",
        f"/user/{STRANGER}/dashboards/finance/money?a=1",
        "/user/somebody@acme.test/dashboards/finance/money?a=1",
    ],
)
def test_somebody_with_nothing_can_ask_from_the_link_they_followed(link: str, hub: Hub) -> None:
    stranger = Person(hub)
    page = stranger.sign_in(STRANGER, link)
    assert page.status_code == 403
    assert "/hub/ask?dashboard=finance/money" in page.text
    assert "finance/money" in stranger.get("/hub/ask?dashboard=finance/money").text


def test_an_address_copied_from_anothers_browser_leads_to_ones_own(hub: Hub, admin: Person) -> None:
    admin.open_dashboards()
    copied = f"/user/{ADMIN}/dashboards/user/penguins"
    assert admin.get(copied).ok
    other = Person(hub)
    assert (
        "/hub/ask?dashboard=finance/money"
        in other.sign_in(STRANGER, copied.replace("user/penguins", "finance/money")).text
    )
    colleague = Person(hub)
    colleague.sign_in(MEMBER)
    colleague.open_dashboards()
    page = colleague.get(copied)
    assert page.ok
    assert page.url.endswith(f"/user/{MEMBER}/dashboards/user/penguins")
    elsewhere = colleague.get(f"/user/{ADMIN}/")
    assert elsewhere.status_code == 403


def test_the_wish_survives_the_sign_in(hub: Hub) -> None:
    page = Person(hub).sign_in(MEMBER, "/hub/ask?dashboard=sales/money%20%26%20more")
    assert "sales/money &amp; more" in page.text


def test_what_is_open_already_is_not_asked_for(admin: Person, member: Person) -> None:
    assert "open to you already" in member.get("/hub/ask?dashboard=user/penguins").text
    assert "open to you already" in admin.get("/hub/ask?dashboard=finance/money").text


def test_a_request_goes_with_its_person(hub: Hub, admin: Person) -> None:
    add_person(hub, "passing@acme.test")
    passing = Person(hub)
    passing.sign_in("passing@acme.test")
    ask(passing, "finance/money")
    (request,) = ids(admin, "passing@acme.test")
    hub.api("/users/passing@acme.test", "DELETE")
    assert not ids(admin, "passing@acme.test")
    late = answer(admin, request)
    assert late.status_code == 404
    assert "gone with its person" in late.text
