"""Signing out everywhere: by an admin for somebody, and by the provider as the stand-in does it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
import requests

from tests.conftest import StartHub
from tests.hub import Hub, wait_until
from tests.memory import token_of
from tests.person import Person

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"


@pytest.fixture(scope="module")
def hub(shared_hub: Hub) -> Hub:
    """A hub as it is shipped, also that of other files."""
    shared_hub.forget_mails()
    return shared_hub


def signed_in(hub: Hub, email: str) -> Person:
    person = Person(hub)
    person.sign_in(email)
    assert person.is_signed_in()
    return person


@pytest.fixture
def admin(hub: Hub) -> Person:
    """A member of the group admin, no full admin."""
    return signed_in(hub, ADMIN)


def sign_out(person: Person, name: str) -> requests.Response:
    headers = person.xsrf | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    return person.post(f"/hub/api/users/{name}/sign-out", headers=headers)


def living_sessions(hub: Hub, email: str) -> int:
    """How many refresh tokens the provider still honours, of those that it gave the hub."""
    user = hub.project.mgmt.user.load(email)["user"]["userId"]
    query = (
        "select count(*) from sessions where user_id = ? and client_id != '' and ended_at is null"
    )
    with closing(sqlite3.connect(hub.state / "descope" / "project.sqlite")) as store:
        return store.execute(query, (user,)).fetchone()[0]


def test_an_admin_signs_somebody_out_by_the_api(hub: Hub, admin: Person) -> None:
    member, second = signed_in(hub, MEMBER), signed_in(hub, MEMBER)
    member.open_dashboards()
    assert sign_out(admin, MEMBER).status_code == 204
    assert not member.is_signed_in()
    assert not second.is_signed_in()
    assert hub.api(f"/users/{MEMBER}").json()["servers"] == {}
    assert admin.is_signed_in()
    assert living_sessions(hub, MEMBER) == 0


def test_a_device_that_was_lost_is_not_signed_in_again_by_its_next_click(
    hub: Hub, admin: Person
) -> None:
    """The provider's own session is in that browser too, and would need no mail and no password."""
    lost = signed_in(hub, MEMBER)
    assert sign_out(admin, MEMBER).status_code == 204
    assert asks_who_it_is(lost)
    lost, own = signed_in(hub, MEMBER), signed_in(hub, MEMBER)
    own.get("/hub/logout")
    assert asks_who_it_is(lost)


def asks_who_it_is(person: Person) -> bool:
    page = person.get("/hub/home")
    return "/services/descope/" in page.url and 'name="email"' in page.text


def test_an_admin_signs_somebody_out_on_the_page(hub: Hub, admin: Person) -> None:
    member = signed_in(hub, MEMBER)
    page = admin.get("/hub/sessions", params={"q": "MEMBER@acme"})
    assert MEMBER in page.text
    assert ANALYST not in page.text
    done = submit_for(admin, page, MEMBER)
    assert f"{MEMBER} is signed out everywhere" in done.text
    assert not member.is_signed_in()
    assert "Nobody with" in admin.get("/hub/sessions", params={"q": MEMBER}).text


def submit_for(person: Person, page: requests.Response, name: str) -> requests.Response:
    """Press the button of one person's row."""
    xsrf = page.text.partition('name="_xsrf" value="')[2].partition('"')[0]
    return person.post("/hub/sessions", data={"name": name, "_xsrf": xsrf})


def test_who_is_no_admin_signs_nobody_out_and_sees_nobody(hub: Hub, admin: Person) -> None:
    member = signed_in(hub, MEMBER)
    assert sign_out(member, ADMIN).status_code == 403
    assert sign_out(member, "nobody@acme.test").status_code == 403
    page = member.get("/hub/sessions")
    assert page.status_code == 403
    assert ADMIN not in page.text
    assert admin.is_signed_in()


def test_no_site_signs_somebody_out_through_an_admins_browser(hub: Hub, admin: Person) -> None:
    member = signed_in(hub, MEMBER)
    assert admin.post("/hub/sessions", data={"name": MEMBER}).status_code == 403
    assert admin.post(f"/hub/api/users/{MEMBER}/sign-out").status_code == 403
    assert member.is_signed_in()


def test_nobody_of_this_name_is_said(hub: Hub, admin: Person) -> None:
    assert sign_out(admin, "nobody@acme.test").status_code == 404


@pytest.mark.slow
def test_the_admins_server_cannot_sign_anybody_out(hub: Hub, admin: Person) -> None:
    admin.open_dashboards()
    token = token_of(hub, ADMIN)
    member = signed_in(hub, MEMBER)
    answer = requests.post(
        f"{hub.url}/hub/api/users/{MEMBER}/sign-out",
        headers={"Authorization": f"token {token}"},
        timeout=20,
    )
    assert answer.status_code == 403
    assert member.is_signed_in()


@pytest.mark.slow
def test_full_admins_are_signed_out_by_full_admins_only(start_hub: StartHub) -> None:
    hub = start_hub(ATRIUM_HUB_ADMINS=MEMBER)
    boss, manager = signed_in(hub, MEMBER), signed_in(hub, ADMIN)
    assert sign_out(manager, MEMBER).status_code == 403
    assert boss.is_signed_in()
    assert sign_out(boss, ADMIN).status_code == 204
    assert not manager.is_signed_in()
    hub.stop()


AtProvider = Callable[[Hub, Person], object]


def ends_its_session(hub: Hub, person: Person) -> None:
    asked = person.get("/services/descope/oauth2/v1/logout")
    person.submit(asked)


PROVIDER_SIGNS_OUT: dict[str, AtProvider] = {
    "signed out there": ends_its_session,
    "signed out by its admin": lambda hub, _: hub.project.mgmt.user.logout_user(ANALYST),
    "disabled": lambda hub, _: hub.project.mgmt.user.deactivate(ANALYST),
}


@pytest.mark.parametrize("event", PROVIDER_SIGNS_OUT)
def test_what_ends_at_the_provider_ends_here(event: str, hub: Hub) -> None:
    hub.project.mgmt.user.activate(ANALYST)
    person = signed_in(hub, ANALYST)
    person.open_dashboards()
    PROVIDER_SIGNS_OUT[event](hub, person)
    wait_until(lambda: not person.is_signed_in(), "the end of the session", seconds=5)
    wait_until(lambda: not hub.api(f"/users/{ANALYST}").json()["servers"], "its server's end")
    hub.project.mgmt.user.activate(ANALYST)


def test_somebody_who_signs_out_and_in_at_once_stays_in(hub: Hub) -> None:
    person = Person(hub)
    for _ in range(3):  # the provider tells of the first while the second is under way
        person.sign_in(MEMBER)
        assert person.is_signed_in()
        person.get("/hub/logout")
    person.sign_in(MEMBER)
    assert hub.project.mgmt.user.load(MEMBER)
    for _ in range(20):
        assert person.is_signed_in()
