"""WebSockets from elsewhere and forged session tokens: neither opens what a page alone opens."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id
from websockets.exceptions import InvalidStatus, InvalidURI

from tests.attacks import attack
from tests.attacks.test_sign_in_forgery import copy_of
from tests.hub import Hub
from tests.person import Person

#: Nobody but the last is signed out by any attack on a hub that is shared.
ADMIN, VIEWER, LEAVER = "admin@acme.test", "member@acme.test", "analyst@acme.test"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A dashboard that somebody has loaded, and whose WebSocket is not open yet."""

    person: Person
    url: str
    token: str

    @property
    def server(self) -> str:
        """The address of the server."""
        return self.url.partition("dashboards/")[0]


def load(person: Person, dashboard: str = "user/penguins") -> Opened:
    """Load a dashboard's page."""
    server = person.open_dashboards().url.partition("?")[0]
    page = person.get(f"{server}dashboards/{dashboard}")
    token = page.text.partition('"token":"')[2].partition('"')[0]
    assert token, page.text
    return Opened(person=person, url=page.url, token=token)


@pytest.fixture(scope="module")
def viewer(front: Hub) -> Iterator[Person]:
    person = Person(front)
    person.sign_in(VIEWER)
    yield person
    person.close()


@pytest.fixture(scope="module")
def opened(viewer: Person) -> Opened:
    return load(viewer)


@pytest.fixture(scope="module")
def others(front: Hub) -> Iterator[Opened]:
    """The same dashboard, loaded by somebody else."""
    person = Person(front)
    person.sign_in(ADMIN)
    yield load(person)
    person.close()


def refused(person: Person, url: str, *protocols: str, **options: Any) -> None:
    """A WebSocket that is not opened, and which the log does not repeat."""
    seen = len(person.hub.log_text())
    with pytest.raises((InvalidStatus, InvalidURI)) as error:  # a redirect is to no WebSocket
        person.connect(url, *protocols, **options)
    assert not isinstance(error.value, InvalidStatus) or error.value.response.status_code < 500
    said = person.hub.log_text()[seen:]
    assert not any(secret in said for secret in protocols[1:] if len(secret) > 20)


#: Where a page might lie that is not ours, `{host}` being ours.
ORIGINS = {
    "another site": "http://evil.test",
    "a file": "null",
    "a name that begins alike": "http://{host}.evil.test",
    "another port": "http://{host}:1",
    "another person's place": "http://u-evil.localhost:{port}",
}


@attack("cross-site WebSocket hijacking", "the origin of a WebSocket is the server's own")
@pytest.mark.parametrize("path", ["dashboard", "gallery"])
@pytest.mark.parametrize("origin", ORIGINS)
def test_a_page_of_elsewhere_opens_no_socket(origin: str, path: str, opened: Opened) -> None:
    host, _, port = opened.url.split("/")[2].partition(":")
    page = ORIGINS[origin].format(host=host, port=port)
    if path == "dashboard":
        refused(opened.person, f"{opened.url}/ws", "bokeh", opened.token, origin=page)
    else:
        refused(opened.person, f"{opened.server}changes", origin=page)


@attack("cross-site WebSocket hijacking", "a WebSocket is for the owner, as the page is")
@pytest.mark.parametrize("path", ["dashboard", "gallery"])
@pytest.mark.parametrize("who", ["nobody", "somebody else", "signed out"])
def test_nobody_else_opens_a_socket(
    who: str, path: str, front: Hub, opened: Opened, others: Opened
) -> None:
    place = f"{opened.url}/ws" if path == "dashboard" else f"{opened.server}changes"
    protocols = ("bokeh", opened.token) if path == "dashboard" else ()
    if who == "nobody":
        refused(opened.person, place, *protocols, cookies=False)
    elif who == "somebody else":
        refused(others.person, place, *protocols)
    else:
        leaves = Person(front)
        leaves.sign_in(LEAVER)
        left = load(leaves)
        thief = copy_of(leaves)
        leaves.get("/hub/logout")
        refused(thief, f"{left.url}/ws", "bokeh", left.token)


# -- forged session tokens -----------------------------------------------------------------------


def parts_of(token: str) -> dict[str, Any]:
    """What a session token says."""
    body = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def changed(token: str, **changes: Any) -> str:
    """A token that says something else under the old signature."""
    body = json.dumps({**parts_of(token), **changes}).encode()
    return base64.urlsafe_b64encode(body).decode().rstrip("=") + "." + token.partition(".")[2]


def signed(token: str, **options: Any) -> str:
    """A token for the same session, made anew."""
    return generate_jwt_token(parts_of(token)["session_id"], **options)


def new(**options: Any) -> str:
    return generate_jwt_token(generate_session_id(**options), **options)


MINE: dict[str, Callable[[str], str]] = {
    "unsigned": lambda token: signed(token, signed=False),
    "without its signature": lambda token: token.partition(".")[0],
    "signed by another key": lambda token: signed(token, signed=True, secret_key=b"k" * 32),
    "of a session made up": lambda _: new(signed=True, secret_key=b"k" * 32),
    "of a session made up, unsigned": lambda _: new(signed=False, secret_key=None),
    "good for longer": lambda token: changed(token, session_expiry=int(time.time()) + 10**6),
    "of another session": lambda token: changed(token, session_id="x" * 44),
    "empty": lambda _: "e30",
}


@attack("forged session token", "a session is opened by the token that its page was given")
@pytest.mark.parametrize("forged", MINE)
def test_a_forged_session_token_opens_nothing(forged: str, opened: Opened) -> None:
    refused(opened.person, f"{opened.url}/ws", "bokeh", MINE[forged](opened.token))


@attack("forged session token", "a session is one server's, and one dashboard's")
@pytest.mark.parametrize("whose", ["another person's", "of another dashboard"])
def test_a_session_token_opens_its_own_dashboard_only(
    whose: str, viewer: Person, opened: Opened, others: Opened
) -> None:
    if whose == "another person's":
        refused(viewer, f"{opened.url}/ws", "bokeh", others.token)
    else:
        another = load(viewer, "user/sensor_explorer")
        refused(viewer, f"{another.url}/ws", "bokeh", opened.token)


def test_the_right_token_from_the_right_page_opens_it(viewer: Person) -> None:
    """Without this, the refusals would mean nothing."""
    fresh = load(viewer)
    socket = viewer.connect(f"{fresh.url}/ws", "bokeh", fresh.token)
    assert socket.recv(timeout=20)
    socket.close()
    gallery = viewer.connect(f"{fresh.server}changes")
    assert gallery.recv(timeout=20) == "changed"
    gallery.close()


@attack("cross-site request forgery", "XSRF token of the API")
@pytest.mark.parametrize("token", ["", "x", "2|00000000|" + "0" * 64])
@pytest.mark.parametrize("path", ["/hub/api/users/{}/tokens", "/hub/api/users/{}/server"])
def test_another_site_changes_nothing_by_the_api(path: str, token: str, viewer: Person) -> None:
    before = viewer.hub.api(f"/users/{VIEWER}/tokens").json()
    answer = viewer.post(
        path.format(VIEWER),
        headers={
            "X-XSRFToken": token,
            "Sec-Fetch-Site": "cross-site",
            "Content-Type": "text/plain",
        },
        data='{"note": "x"}',
    )
    assert answer.status_code == 403
    known = {one["id"] for one in before["api_tokens"]}
    after = viewer.hub.api(f"/users/{VIEWER}/tokens").json()["api_tokens"]
    assert not [one for one in after if one["id"] not in known and one["note"] == "x"]
