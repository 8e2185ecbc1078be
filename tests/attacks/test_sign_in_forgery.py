"""Class: forged sign-ins. No cookie, token or address of somebody else opens anything."""

from __future__ import annotations

import pytest

from tests.attacks import attack
from tests.hub import Hub
from tests.odd_provider import OddProvider
from tests.person import Person

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"


def copy_of(person: Person) -> Person:
    """A thief with every cookie of somebody."""
    thief = Person(person.hub)
    thief.cookies.update(person.cookies)
    return thief


@pytest.fixture(scope="module")
def member(front: Hub) -> Person:
    person = Person(front)
    person.sign_in(MEMBER)
    person.open_dashboards()
    return person


@pytest.fixture(scope="module")
def thief(front: Hub) -> tuple[Person, str]:
    """Who has every cookie of somebody that has signed out since; and where their server was."""
    person = Person(front)
    person.sign_in(ANALYST)
    server = person.open_dashboards().url
    thief = copy_of(person)
    person.get("/hub/logout")
    return thief, server


@attack("stolen cookie", "signing out ends every cookie")
@pytest.mark.parametrize("path", ["/hub/home", "/hub/admin", "/hub/token", "/hub/api/user", ""])
def test_cookies_of_somebody_who_signed_out_open_nothing(
    path: str, thief: tuple[Person, str]
) -> None:
    person, server = thief
    answer = person.get(path or server, allow_redirects=False)
    assert answer.status_code in {302, 403, 503}, answer.text
    assert f"signed in as {ANALYST}" not in person.get(path or server).text
    assert not person.is_signed_in()


@attack("stolen cookie", "a server is its owner's")
def test_a_cookie_of_one_persons_server_opens_no_other(front: Hub, member: Person) -> None:
    admin = Person(front)
    admin.sign_in(ADMIN)
    server = admin.open_dashboards().url
    (mine,) = [c for c in member.cookies if "jupyterhub-user-" in c.name]
    names = [c.name for c in admin.cookies if "jupyterhub-user-" in c.name]
    stolen = "; ".join(f"{name}={mine.value}" for name in (mine.name, *names))
    answer = Person(front).get(server, headers={"Cookie": stolen}, allow_redirects=False)
    assert answer.status_code in {302, 403}
    assert member.get(server).status_code == 403


@attack("token in a URL", "tokens in addresses are no sign-in")
@pytest.mark.parametrize("path", ["/hub/home", "/hub/api/user", "/hub/sessions", "{server}"])
@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_in_an_address_signs_nobody_in(
    name: str, path: str, front: Hub, member: Person
) -> None:
    made = member.post(f"/hub/api/users/{MEMBER}/tokens", headers=member.xsrf, json={"note": "x"})
    token = made.json()["token"]
    server = member.open_dashboards().url.partition("?")[0] if "server" in path else ""
    somebody = Person(front)
    answer = somebody.get(server or path, params={name: token}, allow_redirects=False)
    assert answer.status_code in {302, 403}
    kept = {c.name for c in somebody.cookies if not c.name.endswith("oauth-state")}
    assert kept <= {"_xsrf", "jupyterhub-session-id"}
    assert token not in front.log_text()


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


@attack("open redirect", "a sign-in leads to own paths")
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


@attack("open redirect", "the hub leads to own paths")
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
