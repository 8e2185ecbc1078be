"""Who may tell the hub of openings and favourites, what it keeps, and who may read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.conftest import StartHub
from tests.hub import Hub, wait_until
from tests.memory import token_of
from tests.person import Person

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"
OPENED = {"group": "user", "dashboard": "penguins"}
BROWSER = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    """A hub as it is shipped."""
    return start_hub()


@pytest.fixture(scope="module")
def people(hub: Hub) -> dict[str, Person]:
    """Three people, signed in."""
    return {name: Person.signed_in(hub, name) for name in (ADMIN, MEMBER, ANALYST)}


@pytest.fixture(scope="module")
def tokens(hub: Hub, people: dict[str, Person]) -> dict[str, str]:
    """What the server of each of them asks with."""
    for person in people.values():
        person.open_dashboards()
    return {name: token_of(hub, name) for name in people}


class Server:
    """Tells the hub something, as somebody's own server does."""

    def __init__(self, hub: Hub, token: str) -> None:
        self._hub, self._headers = hub, {"Authorization": f"token {token}"}

    def tell(self, path: str, body: Any) -> int:
        url = f"{self._hub.url}/hub/api/{path}"
        text = json.dumps(body)  # as Python writes it, with numbers that JSON does not have
        return requests.post(url, text, headers=self._headers, timeout=20).status_code

    def known(self) -> dict[str, Any]:
        url = f"{self._hub.url}/hub/api/claims"
        return requests.get(url, headers=self._headers, timeout=20).json()


@pytest.fixture
def member(hub: Hub, tokens: dict[str, str]) -> Server:
    return Server(hub, tokens[MEMBER])


@pytest.fixture
def analyst(hub: Hub, tokens: dict[str, str]) -> Server:
    return Server(hub, tokens[ANALYST])


def usage(person: Person, **query: Any) -> requests.Response:
    return person.get("/hub/api/usage", params=query, headers=person.xsrf | BROWSER)


def test_what_is_opened_is_counted_and_measured_once(
    people: dict[str, Person], member: Server, analyst: Server
) -> None:
    assert member.tell("audit/opened", {**OPENED, "opening": "one"}) == 204
    assert member.tell("audit/opened", {**OPENED, "opening": "two"}) == 204
    assert analyst.tell("usage/measured", {"opening": "one", "seconds": 9}) == 404
    assert member.tell("usage/measured", {"opening": "one", "seconds": 1.25}) == 204
    assert member.tell("usage/measured", {"opening": "one", "seconds": 0.1}) == 404
    assert member.tell("usage/measured", {"opening": "two", "failed": True}) == 204
    assert member.known()["recent"] == [["user", "penguins"]]
    assert analyst.known()["recent"] == []
    answer = usage(people[ADMIN], by=["dashboard", "user"], user=MEMBER).json()
    assert answer["rows"] == [
        OPENED
        | {"user": MEMBER, "openings": 2, "people": 1, "failed": 1, "measured": 1}
        | {"seconds": {"p50": 1.25, "p75": 1.25, "p95": 1.25}}
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"opening": "k", "seconds": 0},
        {"opening": "k", "seconds": -1},
        {"opening": "k", "seconds": 601},
        {"opening": "k", "seconds": 10**400},
        {"opening": "k", "seconds": float("nan")},
        {"opening": "k", "seconds": float("inf")},
        {"opening": "k", "seconds": "1"},
        {"opening": "k", "seconds": True},
        {"opening": "k"},
        {"opening": "k", "failed": "yes"},
        {"opening": "", "seconds": 1},
        {"opening": 7, "seconds": 1},
        {"opening": "k" * 65, "seconds": 1},
        {"opening": "../k", "seconds": 1},
        {"seconds": 1},
        [],
    ],
    ids=str,
)
def test_a_measure_that_makes_no_sense_is_refused(body: Any, member: Server) -> None:
    assert member.tell("audit/opened", {**OPENED, "opening": "k"}) in {204, 429}
    assert member.tell("usage/measured", body) == 400


FAILED = {**OPENED, "reference": "1a2b3c4d", "cause": "killed"}


def failures(person: Person, reference: str) -> Any:
    found = {"params": {"reference": reference}, "headers": person.xsrf | BROWSER}
    return person.get("/hub/api/health-report", **found).json()["failures"]


def test_a_failure_is_found_by_its_reference(people: dict[str, Person], member: Server) -> None:
    assert member.tell("usage/failed", FAILED) == 204
    assert member.tell("usage/failed", {**FAILED, "reference": "00000000", "cause": ""}) == 204
    (found,) = failures(people[ADMIN], "1a2b3c4d")
    assert found.pop("at")
    assert found == {**FAILED, "user": MEMBER}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"group": "admin"}, 403),
        ({"group": "nowhere"}, 403),
        ({"group": ["user"]}, 400),
        ({"dashboard": "../admin/x"}, 400),
        ({"reference": "<b>1a2b</b>"}, 400),
        ({"reference": "1a2b3c4d5"}, 400),
        ({"reference": ""}, 400),
        ({"reference": 7}, 400),
        ({"cause": "what ann@acme.test has typed"}, 400),
        ({"cause": ["killed"]}, 400),
        ({"cause": None}, 400),
    ],
    ids=str,
)
def test_no_other_failure_is_taken(body: Any, status: int, member: Server) -> None:
    assert member.tell("usage/failed", FAILED | body) == status


def test_who_tells_of_failures_without_end_is_stopped(member: Server, analyst: Server) -> None:
    wait_until(lambda: analyst.tell("usage/failed", FAILED) == 429, "the limit")
    assert member.tell("usage/failed", FAILED) == 204


def test_favourites_come_and_go(member: Server, analyst: Server) -> None:
    kept = {**OPENED, "favourite": True}
    assert member.tell("usage/favourite", kept) == 204
    assert member.tell("usage/favourite", kept) == 204
    assert member.known()["favourites"] == [["user", "penguins"]]
    assert analyst.known()["favourites"] == []
    assert analyst.tell("usage/favourite", {**OPENED, "favourite": False}) == 204
    assert member.known()["favourites"] == [["user", "penguins"]]
    assert member.tell("usage/favourite", {**OPENED, "favourite": False}) == 204
    assert member.known()["favourites"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"group": "admin", "dashboard": "the_hub", "favourite": True}, 403),
        ({"group": "nowhere", "dashboard": "x", "favourite": True}, 403),
        ({"group": "user", "dashboard": "../admin/x", "favourite": True}, 400),
        ({"group": "user", "dashboard": "", "favourite": True}, 400),
        ({"group": "user", "dashboard": "x" * 300, "favourite": True}, 400),
        ({"group": "user", "dashboard": "\U0001f600" * 100, "favourite": True}, 400),
        ({"group": "user", "dashboard": "\ud800", "favourite": True}, 400),
        ({"group": ["user"], "dashboard": "x", "favourite": True}, 400),
        ({"group": "user", "dashboard": "x", "favourite": "yes"}, 400),
        ({"group": "user", "dashboard": "x"}, 400),
        ([], 400),
    ],
    ids=str,
)
def test_no_other_favourite_is_taken(body: Any, status: int, member: Server) -> None:
    assert member.tell("usage/favourite", body) == status
    assert member.known()["favourites"] == []


@pytest.mark.parametrize("name", [ADMIN, MEMBER])
@pytest.mark.parametrize("path", ["measured", "failed", "favourite"])
def test_only_a_persons_own_server_tells(
    path: str, name: str, hub: Hub, people: dict[str, Person]
) -> None:
    body = {**FAILED, "favourite": True, "opening": "k", "seconds": 1}
    url, person = f"/hub/api/usage/{path}", people[name]
    assert person.post(url, json=body, headers=person.xsrf | BROWSER).status_code == 403
    assert requests.post(f"{hub.url}{url}", json=body, timeout=20).status_code == 403
    assert hub.api(f"/usage/{path}", "POST", json=body).status_code == 403


def test_who_changes_their_mind_without_end_is_stopped(analyst: Server) -> None:
    """And is alone in that."""
    body = {**OPENED, "favourite": False}
    wait_until(lambda: analyst.tell("usage/favourite", body) == 429, "the limit")


def test_only_admins_read_who_opens_what(
    hub: Hub, people: dict[str, Person], tokens: dict[str, str]
) -> None:
    assert usage(people[ADMIN]).ok
    assert usage(people[MEMBER]).status_code == 403
    for name in tokens:
        headers = {"Authorization": f"token {tokens[name]}"}
        answer = requests.get(f"{hub.url}/hub/api/usage", headers=headers, timeout=20)
        assert answer.status_code == 403
    assert requests.get(f"{hub.url}/hub/api/usage", timeout=20).status_code == 403


@pytest.mark.parametrize(
    "query",
    [{"by": "claims"}, {"days": "0"}, {"days": "91"}, {"days": "x"}, {"days": "9" * 400}],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_refused(
    query: dict[str, str], people: dict[str, Person]
) -> None:
    assert usage(people[ADMIN], **query).status_code == 400


def test_what_is_kept_of_somebody_goes_with_them(
    hub: Hub, people: dict[str, Person], member: Server
) -> None:
    """The last test: it forgets the member."""
    member.tell("audit/opened", OPENED)
    member.tell("usage/favourite", {**OPENED, "favourite": True})
    assert usage(people[ADMIN], by="user", user=MEMBER).json()["rows"]
    said = hub.atrium("users", "forget", MEMBER).stdout
    assert "rows of atrium_openings" in said
    assert "1 rows of atrium_favourites" in said
    assert "rows of atrium_failures" in said
    assert not any(one["user"] == MEMBER for one in failures(people[ADMIN], ""))
    assert usage(people[ADMIN], user=MEMBER).json()["rows"] == []
