"""Class: forged sign-ins. No cookie, token or address of somebody else opens anything."""

from __future__ import annotations

import pytest
import requests

from tests.hub import Hub
from tests.odd_provider import OddProvider
from tests.person import Person

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"


def copy_of(person: Person) -> Person:
    """A thief with every cookie of somebody."""
    thief = Person(person.hub)
    thief.cookies.update(person.cookies)
    return thief


@pytest.fixture
def member(hub: Hub) -> Person:
    person = Person(hub)
    person.sign_in(MEMBER)
    person.open_dashboards()
    return person


@pytest.mark.parametrize(
    "path", ["/hub/home", "/hub/admin", "/hub/token", "/hub/api/user", f"/user/{MEMBER}/?all"]
)
def test_cookies_of_somebody_who_signed_out_open_nothing(
    path: str, hub: Hub, member: Person
) -> None:
    thief = copy_of(member)
    member.get("/hub/logout")
    answer = thief.get(path, allow_redirects=False)
    assert answer.status_code in {302, 403, 503}, answer.text
    assert MEMBER not in answer.text
    if answer.status_code == 302:
        followed = thief.get(path)
        assert f"signed in as {MEMBER}" not in followed.text
        assert not thief.is_signed_in()


def test_a_cookie_of_one_persons_server_opens_no_other(hub: Hub, member: Person) -> None:
    admin = Person(hub)
    admin.sign_in(ADMIN)
    admin.open_dashboards()
    (mine,) = [c for c in member.cookies if c.name.startswith("jupyterhub-user-")]
    names = [c.name for c in admin.cookies if c.name.startswith("jupyterhub-user-")]
    thief = requests.Session()
    for name in (mine.name, *names):
        thief.cookies.set(str(name), str(mine.value), path=f"/user/{ADMIN}/")
    answer = thief.get(f"{hub.url}/user/{ADMIN}/?all", allow_redirects=False, timeout=20)
    assert answer.status_code in {302, 403}
    assert member.get(f"/user/{ADMIN}/?all").status_code == 403


@pytest.mark.parametrize("path", ["/hub/home", "/hub/api/user", "/hub/sessions", "{server}"])
@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_in_an_address_signs_nobody_in(
    name: str, path: str, hub: Hub, member: Person
) -> None:
    made = member.post(f"/hub/api/users/{MEMBER}/tokens", headers=member.xsrf, json={"note": "x"})
    token = made.json()["token"]
    url = hub.url + path.format(server=f"/user/{MEMBER}/")
    answer = requests.get(url, params={name: token}, allow_redirects=False, timeout=20)
    assert answer.status_code in {302, 403}
    kept = {c.name for c in answer.cookies if not c.name.endswith("oauth-state")}
    assert kept <= {"_xsrf", "jupyterhub-session-id"}
    assert token not in hub.log_text()


NEXT = [
    "https://evil.test/",
    "//evil.test/",
    "/\\evil.test/",
    "\\\\evil.test/",
    "https:evil.test",
    "/hub/../../evil.test//evil.test",
    "javascript:alert(1)",
    "/%09/evil.test",
    "/\t/evil.test",
    "http://127.0.0.1@evil.test/",
]


@pytest.mark.parametrize("where", NEXT, ids=str)
def test_a_sign_in_leads_to_no_other_site(
    where: str, project_hub: Hub, provider: OddProvider
) -> None:
    person = Person(project_hub)
    own = (f"{project_hub.url}/", f"{provider.url}/", "/")
    answer = person.get("/hub/oauth_login", params={"next": where}, allow_redirects=False)
    while answer.status_code == 302:
        location = answer.headers["Location"]
        assert location.startswith(own), location
        assert not location.startswith(("//", "/\\")), location
        if location.startswith("/user/") or "/hub/spawn" in location:
            break  # their own dashboards, as without `next`
        answer = person.get(location, allow_redirects=False)
    assert person.is_signed_in()


@pytest.mark.parametrize("where", NEXT, ids=str)
def test_somebody_signed_in_is_led_to_no_other_site(
    where: str, project_hub: Hub, provider: OddProvider
) -> None:
    person = Person(project_hub)
    person.get("/hub/home")
    answer = person.get("/hub/login", params={"next": where}, allow_redirects=False)
    location = answer.headers["Location"]
    assert location.startswith(("/", f"{project_hub.url}/")), location
    assert not location.startswith(("//", "/\\")), location
