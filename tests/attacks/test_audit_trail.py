"""Attacks on the audit trail: read it without the right, write into it, wear somebody's name."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from hub_extensions import audit
from hub_extensions.audit import chain, events, people, reading
from tests.attacks import attack, guard_out
from tests.hub import Hub, wait_until
from tests.memory import token_of
from tests.person import Person

ADMIN, MEMBER, MANAGER = "admin@acme.test", "member@acme.test", "analyst@acme.test"
OPENED = "/hub/api/audit/opened"
HONEST = {"group": "user", "dashboard": "penguins"}


@pytest.fixture(scope="module")
def member(hub: Hub) -> Person:
    return Person.signed_in(hub, MEMBER)


@pytest.fixture(scope="module")
def manager(hub: Hub) -> Person:
    """Manages a customer's groups, and nothing else here."""
    person = Person(hub)
    person.sign_in(MANAGER)
    for group in ("globex", "globex.admin"):
        hub.api(f"/groups/{group}", "POST", json={"users": [MANAGER]})
    return person


@pytest.fixture
def people_of(hub: Hub, member: Person, manager: Person) -> dict[str, Person]:
    return {"nobody": Person(hub), "member": member, "manager of customers": manager}


def as_script(person: Person) -> dict[str, str]:
    return person.xsrf | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


@attack("broken access control", "scope of the audit trail")
@pytest.mark.parametrize("who", ["nobody", "member", "manager of customers"])
@pytest.mark.parametrize("path", ["/audit", "/audit/chain", "/audit?format=csv&limit=1"])
def test_only_admins_read_the_trail(who: str, path: str, people_of: dict[str, Person]) -> None:
    person = people_of[who]
    headers = as_script(person) if person.cookies else {}
    answer = person.get(f"/hub/api{path}", headers=headers, allow_redirects=False)
    assert answer.status_code == 403
    assert MEMBER not in answer.text


@attack("privilege escalation", "a token can do no more than its maker")
@pytest.mark.parametrize("scopes", [["custom:atrium:read"], ["access:services"], None], ids=str)
def test_a_members_token_reads_nothing(scopes: list[str] | None, member: Person) -> None:
    asked: dict[str, Any] = {"note": "x"} | ({"scopes": scopes} if scopes else {})
    made = member.post(f"/hub/api/users/{MEMBER}/tokens", headers=as_script(member), json=asked)
    token = made.json().get("token", "none")
    header = {"Authorization": f"token {token}"}
    assert (
        requests.get(f"{member.hub.url}/hub/api/audit", headers=header, timeout=20).status_code
        == 403
    )


def server_token(member: Person) -> dict[str, str]:
    """The header with which the person's own server asks."""
    member.open_dashboards()
    return {"Authorization": f"token {token_of(member.hub, MEMBER)}"}


def made_token(member: Person, *scopes: str) -> str:
    """A token that somebody has made for themselves."""
    made = member.post(
        f"/hub/api/users/{MEMBER}/tokens", headers=as_script(member), json={"scopes": [*scopes]}
    )
    return made.json()["token"]


def token_in_cookie(member: Person) -> str:
    """The token by which the person's browser enters their server; the cookie is only signed."""
    member.open_dashboards()
    (cookie,) = [one for one in member.cookies if one.name == f"jupyterhub-user-{quote(MEMBER)}"]
    value = (cookie.value or "").strip('"').split("|")[-2].partition(":")[2]
    return b64decode(value).decode()


#: What a server is told of its owner, or tells of them; the first with a password in it.
SERVERS_OWN = [
    ("POST", "/folder-secrets", HONEST),
    ("POST", "/shared-data", HONEST),
    ("GET", "/claims", None),
    ("GET", "/admin-dashboards", None),
    ("POST", "/audit/opened", HONEST),
    ("POST", "/usage/failed", HONEST | {"reference": "1a2b3c4d", "cause": ""}),
    ("POST", "/usage/favourite", HONEST | {"favourite": False}),
    ("POST", "/thumbnails", {}),
]


@attack("privilege escalation", "a server is known by its very token")
@pytest.mark.parametrize(("method", "path", "body"), SERVERS_OWN, ids=lambda one: str(one)[:20])
def test_nobody_passes_for_their_own_server(
    method: str, path: str, body: Any, hub: Hub, member: Person
) -> None:
    """By a token with the same scopes, which anybody can make, or that of their own cookie."""
    for token in (made_token(member, f"access:servers!server={MEMBER}/"), token_in_cookie(member)):
        headers = {"Authorization": f"token {token}"}
        assert hub.api("/user", headers=headers).json()["name"] == MEMBER
        assert hub.api(path, method, headers=headers, json=body).status_code == 403
    own = server_token(member)
    allowed = {404} if path in {"/admin-dashboards", "/shared-data"} else {200, 204}
    assert hub.api(path, method, headers=own, json=body).status_code in allowed


def tell(hub: Hub, body: Any, headers: dict[str, str]) -> requests.Response:
    return requests.post(f"{hub.url}{OPENED}", json=body, headers=headers, timeout=20)


LIES: list[Any] = [
    {"group": "admin", "dashboard": "the_hub"},
    {"group": "user", "dashboard": "x" * 256},
    {"group": "user", "dashboard": "a\nb"},
    {"group": "user", "dashboard": ""},
    {"group": "user", "dashboard": ["x"]},
    {"group": ["user"], "dashboard": "x"},
    {"group": "user"},
    ["user"],
    None,
    "x" * 100_000,
]


@attack("audit tampering", "what a server may report")
@pytest.mark.parametrize("body", LIES, ids=lambda body: str(body)[:40])
def test_a_lie_about_an_opened_dashboard_is_not_written(
    body: Any, hub: Hub, member: Person
) -> None:
    before = opened(hub)
    answer = requests.post(
        f"{hub.url}{OPENED}", json=body, headers=server_token(member), timeout=20
    )
    assert answer.status_code in {400, 403}
    assert opened(hub) == before


@attack("audit tampering", "only a person's own server reports")
@pytest.mark.parametrize("who", ["nobody", "cookie", "other token"])
def test_only_a_persons_own_server_tells_what_they_opened(
    who: str, hub: Hub, member: Person, people_of: dict[str, Person]
) -> None:
    before = opened(hub)
    if who == "cookie":
        answer = member.post(OPENED, json=HONEST, headers=as_script(member))
    elif who == "nobody":
        answer = people_of["nobody"].post(OPENED, json=HONEST)
    else:
        made = made_token(member, "read:users:name!user")
        answer = tell(hub, HONEST, {"Authorization": f"token {made}"})
    assert answer.status_code == 403
    assert opened(hub) == before


@attack("audit tampering", "the token says who it was")
def test_the_name_in_the_trail_is_that_of_the_token(hub: Hub, member: Person) -> None:
    before = opened(hub)
    body = {**HONEST, "user": ADMIN, "by": ADMIN}
    answer = requests.post(
        f"{hub.url}{OPENED}", json=body, headers=server_token(member), timeout=20
    )
    assert answer.status_code == 204
    (record,) = wait_until(lambda: opened(hub)[len(before) :], "the record")
    names = people.People(hub.state / "audit" / "people.sqlite")
    assert names.known(MEMBER) in record
    assert names.known(ADMIN) not in record or not names.known(ADMIN)


@attack("flooding", "limit on a server's reports")
def test_a_flood_of_opened_dashboards_pushes_nothing_out(hub: Hub, member: Person) -> None:
    before = opened(hub)
    headers = server_token(member)
    statuses = [tell(hub, HONEST, headers).status_code for _ in range(60)]
    assert statuses[-1] == 429
    assert len(opened(hub)) <= len(before) + 30


def opened(hub: Hub) -> list[str]:
    """The records of opened dashboards; of other things the hub may write at any moment."""
    lines = (hub.state / "audit" / "audit.jsonl").read_text().splitlines()
    return [line for line in lines if "dashboard-opened" in line]


# -- what each guard is good for: without it, the attack succeeds -----------------------------


@attack("audit tampering", "each record is sealed")
@guard_out("each record is sealed")
def test_without_the_seal_a_changed_record_goes_unnoticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = audit.configure(tmp_path, "ab" * 32)
    try:
        audit.record("signed-in", user=MEMBER)
        path = tmp_path / "audit.jsonl"
        path.write_text(path.read_text().replace("signed-in", "signed-out"))
        assert trail.problem()
        monkeypatch.setattr(chain, "_is_sealed", lambda _line, _key: True)
        assert not trail.problem()
    finally:
        audit.close()


@attack("flooding", "limit on records about strangers")
@guard_out("limit on records about strangers")
def test_without_the_limit_strangers_fill_the_trail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = audit.configure(tmp_path, "ab" * 32)
    try:
        for _ in range(50):
            audit.record("sign-in-refused", user="", reason="no")
        assert trail.head.seq == 10
        monkeypatch.setattr(events, "_FROM_STRANGERS", events.parse("1000000/minute"))
        for _ in range(50):
            audit.record("sign-in-refused", user="", reason="no")
        assert trail.head.seq == 60
    finally:
        audit.close()


@attack("formula injection", "no cell of a download is a formula")
@guard_out("no cell of a download is a formula")
def test_without_the_quote_a_spreadsheet_runs_what_a_name_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = reading.Entry(seq=1, time="", action="", user="=1+1", by="", details={})
    assert '"=1+1"' not in reading.as_csv([entry])
    monkeypatch.setattr(reading, "_harmless", lambda cell: cell)
    assert '"=1+1"' in reading.as_csv([entry])
