"""A sign-in ends at one's own server, signed in there too, with no more rights than by OAuth."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hub import Hub, wait_until
from tests.person import Person

MEMBER, ADMIN = "member@acme.test", "admin@acme.test"
CLIENT = "jupyterhub-user-member%40acme.test"
ADDRESS = f"/user/{MEMBER}/"
DASHBOARD = f"{ADDRESS}dashboards/user/penguins"
LINK = "/hub/user-redirect/dashboards/user/penguins"


@pytest.fixture(scope="module")
def hub(shared_hub: Hub) -> Hub:
    """A hub as it is shipped, also that of other files."""
    shared_hub.forget_mails()
    return shared_hub


def signed_in(hub: Hub) -> Person:
    """Somebody who has signed in to see a dashboard, which their browser then shows."""
    person = Person(hub)
    landed = person.sign_in(MEMBER, LINK)
    waiting = landed.url if "/spawn-pending/" in landed.url else DASHBOARD
    wait_until(lambda: person.get(waiting).url.endswith(DASHBOARD), "the server")
    return person


@pytest.fixture
def person(hub: Hub) -> Person:
    return signed_in(hub)


def cookies_of(person: Person) -> list[Any]:
    """Those of the person's own server."""
    return [cookie for cookie in person.cookies if cookie.name == CLIENT]


def tokens(hub: Hub) -> list[dict[str, Any]]:
    """What the hub has given to those who came to the member's server in a browser."""
    known = hub.api(f"/users/{MEMBER}/tokens").json()["api_tokens"]
    theirs = [token for token in known if token["oauth_client"] == f"Server at {ADDRESS}"]
    return sorted(theirs, key=lambda token: token["created"])


@pytest.mark.parametrize(
    ("runs", "questions"),
    [
        (True, ["/hub/api/oauth2/authorize"]),
        # A server that is started for them is told by which token to know them.
        (False, ["/hub/api/oauth2/authorize", f"GET /hub/api/user ({MEMBER}", f"PUT {ADDRESS}"]),
    ],
)
def test_the_hub_is_not_asked_who_came(hub: Hub, runs: bool, questions: list[str]) -> None:
    if runs:
        signed_in(hub)
    else:
        hub.api(f"/users/{MEMBER}/server", "DELETE")
        wait_until(lambda: hub.server_of(MEMBER) is None, "its end")
    before = len(hub.log_text())
    person = signed_in(hub)
    said = hub.log_text()[before:]
    assert f"GET {ADDRESS}dashboards/" in said
    assert not [question for question in questions if question in said]
    [cookie] = cookies_of(person)
    assert cookie.path == ADDRESS
    assert cookie.has_nonstandard_attr("HttpOnly")


def test_it_gives_what_the_round_by_oauth_gives(hub: Hub, person: Person) -> None:
    handed = tokens(hub)[-1]
    [cookie] = cookies_of(person)
    person.cookies.clear(cookie.domain, cookie.path, cookie.name)
    assert person.get(DASHBOARD).ok
    by_oauth = tokens(hub)[-1]
    assert by_oauth["id"] != handed["id"]
    for what in ("scopes", "session_id", "user", "oauth_client"):
        assert handed[what] == by_oauth[what]
    assert handed["expires_at"][:13] == by_oauth["expires_at"][:13]
    assert cookies_of(person)[0].path == cookie.path


def test_a_sign_out_ends_it(hub: Hub, person: Person) -> None:
    thief = Person(hub)
    thief.cookies.update(person.cookies)
    person.get("/hub/logout")
    signed_in(hub)  # their server runs again, with the same secret for its cookies
    assert "E-mail" in thief.get(DASHBOARD).text


def test_nobody_else_is_handed_it(hub: Hub, person: Person) -> None:
    admin = Person(hub)
    admin.sign_in(ADMIN, "/hub/home")
    before = len(tokens(hub))
    admin.get(f"/hub/spawn-pending/{MEMBER}", allow_redirects=False)
    assert not cookies_of(admin)
    assert len(tokens(hub)) == before
