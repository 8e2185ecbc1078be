"""The audit trail of a real hub: the right facts, no secret, and people who can be forgotten."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from jupyterhub import orm
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from hub_extensions.access.forget import forget
from tests.conftest import StartHub
from tests.hub import FEW_SERVERS, Hub, wait_until
from tests.odd_provider import OddProvider
from tests.person import Person

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"
SENSOR = "dashboards/user/sensor_explorer"


@pytest.fixture(scope="module")
def reviewer(hub: Hub) -> Person:
    """A member of the group admin, signed in."""
    return Person.signed_in(hub, ADMIN)


def ask(person: Person, path: str, method: str = "GET", **options: Any) -> requests.Response:
    headers = person.xsrf | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    return person.request(method, f"/hub/api{path}", headers=headers, **options)


def records(person: Person, **query: str) -> list[dict[str, Any]]:
    return ask(person, "/audit", params=query).json()["records"]


def facts(person: Person, **query: str) -> list[tuple[Any, ...]]:
    """Records, newest first, without number and time."""
    return [
        (one["action"], one["user"], one["by"], one["details"]) for one in records(person, **query)
    ]


def test_a_visit_is_written_down_from_sign_in_to_sign_out(hub: Hub, reviewer: Person) -> None:
    person = Person(hub)
    person.sign_in(MEMBER)
    person.open_dashboards()
    assert person.get(f"/user/{MEMBER}/{SENSOR}").ok
    opened = {"group": "user", "dashboard": "sensor_explorer"}
    wait_until(
        lambda: ("dashboard-opened", MEMBER, "", opened) in facts(reviewer, user=MEMBER),
        "the opened dashboard in the trail",
    )
    person.get("/hub/logout")
    assert facts(reviewer, user=MEMBER) == [
        ("signed-out", MEMBER, "", {}),
        ("dashboard-opened", MEMBER, "", opened),
        ("signed-in", MEMBER, "", {"how": "email", "tenant": "acme"}),
        ("group-given", MEMBER, "provider", {"group": "user"}),
    ]


def test_who_gave_a_group_and_who_took_it(hub: Hub, reviewer: Person) -> None:
    Person(hub).sign_in(ANALYST)
    ask(reviewer, "/groups/finance", "POST")
    ask(reviewer, "/groups/finance/users", "POST", json={"users": [ANALYST]})
    ask(reviewer, "/groups/finance/users", "DELETE", json={"users": [ANALYST]})
    assert facts(reviewer, search="finance") == [
        ("group-taken", ANALYST, ADMIN, {"group": "finance"}),
        ("group-given", ANALYST, ADMIN, {"group": "finance"}),
    ]


def test_a_dashboard_that_is_not_shared_was_not_opened(hub: Hub, reviewer: Person) -> None:
    person = Person(hub)
    person.sign_in(MEMBER)
    person.open_dashboards()
    assert person.get(f"/user/{MEMBER}/dashboards/admin/the_hub").status_code == 404
    assert person.get(f"/user/{MEMBER}/{SENSOR}").ok
    wait_until(lambda: facts(reviewer, user=MEMBER, search="sensor"), "the opened dashboard")
    assert not facts(reviewer, user=MEMBER, search="the_hub")


def test_no_cookie_token_code_or_state_is_in_the_trail_or_in_its_answers(
    hub: Hub, reviewer: Person
) -> None:
    person = Person(hub)
    person.ask_for_link(MEMBER, "/hub/home")
    landed = person.get(person.mailed_link(MEMBER))
    person.open_dashboards()
    forged = {"code": "a-code-of-my-own", "state": "a-state-of-my-own"}
    person.get("/hub/oauth_callback", params=forged)
    secrets = {cookie.value for cookie in person.cookies if cookie.value}
    person.get("/hub/logout")
    for answer in [*landed.history, landed]:
        secrets |= {value for _, value in parse_qsl(urlsplit(answer.url).query)}
        secrets |= set(answer.cookies.values())
    secrets |= set(forged.values())
    secrets |= {path.read_text().strip() for path in (hub.state / "secrets").iterdir()}
    secrets = {secret for secret in secrets if len(secret) >= 12 and not secret.startswith("/")}
    assert len(secrets) > 8
    held = b"".join(path.read_bytes() for path in (hub.state / "audit").iterdir())
    told = ask(reviewer, "/audit", params={"limit": "1000"}).text
    assert not [secret for secret in secrets if secret.encode() in held or secret in told]


def test_pages_follow_each_other_without_gap_or_overlap(hub: Hub, reviewer: Person) -> None:
    whole = [one["seq"] for one in records(reviewer, limit="1000")]
    seen: list[int] = []
    before: int | None = None
    while before is not None or not seen:
        page = ask(
            reviewer, "/audit", params={"limit": "3", **({"before": before} if before else {})}
        )
        seen += [one["seq"] for one in page.json()["records"]]
        before = page.json()["next"]
    came_since = len(seen) - len(whole)
    assert seen[came_since:] == whole == sorted(whole, reverse=True)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_the_trail_can_be_downloaded(kind: str, hub: Hub, reviewer: Person) -> None:
    answer = ask(reviewer, "/audit", params={"format": kind, "user": ADMIN})
    assert answer.headers["Content-Disposition"] == f'attachment; filename="audit.{kind}"'
    assert ADMIN in answer.text
    assert len(answer.text.splitlines()) >= len(records(reviewer, user=ADMIN))


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "-1"}, {"before": "x"}, {"from": "yesterday"}, {"format": "xml"},
     {"before": "9" * 400}, {"to": "2026-13-01"}],
    ids=str,
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(
    query: dict[str, str], hub: Hub, reviewer: Person
) -> None:
    assert ask(reviewer, "/audit", params=query).status_code == 400


@pytest.mark.slow
def test_the_chain_holds_until_somebody_changes_a_line(start_hub: StartHub) -> None:
    hub = start_hub(**FEW_SERVERS)
    boss = Person(hub)
    boss.sign_in(ADMIN)
    assert ask(boss, "/audit/chain").json()["problem"] == ""
    path = hub.state / "audit" / "audit.jsonl"
    path.write_text(path.read_text().replace('"user"}', '"admin"}', 1))
    assert "was changed" in ask(boss, "/audit/chain").json()["problem"]


@pytest.fixture(scope="module")
def restarted(start_hub: StartHub) -> Hub:
    """A hub for those tests that stop it."""
    return start_hub(**FEW_SERVERS)


@pytest.mark.slow
def test_a_hub_that_was_killed_goes_on_with_its_trail(restarted: Hub) -> None:
    hub = restarted
    Person.signed_in(hub, ADMIN)
    hub.send(signal.SIGKILL)
    path = hub.state / "audit" / "audit.jsonl"
    before = path.read_text()
    path.write_text(before[:-20])  # as if the last write had been under way
    hub.start()
    boss = Person.signed_in(hub, ADMIN)
    assert "half a record" in hub.log_text()
    chain = ask(boss, "/audit/chain").json()
    assert chain["problem"] == ""
    assert chain["records"] >= len(before.splitlines())


@pytest.fixture(scope="module")
def project_hub(running_provider: OddProvider, start_hub: StartHub) -> Hub:
    """A hub with a real project's settings, that follows it quickly."""
    return start_hub(**running_provider.settings, ATRIUM_REVOKE_SECONDS="5")


def test_who_was_refused_and_why(project_hub: Hub, provider: OddProvider) -> None:
    provider.claims["tenants"] = {"acme": {"roles": ["Tenant Admin"]}}
    known = dict(provider.claims)
    Person(project_hub).get("/hub/home")
    provider.claims["sub"] = "U-another"
    assert Person(project_hub).get("/hub/home").status_code == 403
    provider.claims.update(sub="U-third", email_verified=False)
    assert Person(project_hub).get("/hub/home").status_code == 403
    provider.claims = known
    ada = Person(project_hub)  # anew: the hub may have asked meanwhile, and heard the same of her
    ada.get("/hub/home")
    unverified = {"reason": "Your e-mail address has not been verified yet."}
    refused = [fact[1:] for fact in facts(ada, action="sign-in-refused")]
    assert ("", "", unverified) in refused
    identity = facts(ada, action="identity-refused")[-1]
    assert identity[1] == "ada@acme.test"
    assert "used it here before" in identity[3]["reason"]


def test_a_session_that_the_provider_ends(project_hub: Hub, provider: OddProvider) -> None:
    ada = Person(project_hub)
    ada.get("/hub/home")
    provider.status = 400
    wait_until(lambda: not ada.is_signed_in(), "the session's end")
    provider.reset()
    provider.claims.update(sub="U2", email="boss@acme.test")
    provider.claims["tenants"] = {"acme": {"roles": ["Tenant Admin"]}}
    boss = Person(project_hub)
    boss.get("/hub/home")
    ended = {"reason": "dismissed"}
    assert ("session-ended", "ada@acme.test", "provider", ended) in facts(boss)


# -- forgetting ----------------------------------------------------------------------------


@contextmanager
def database(hub: Hub) -> Iterator[Session]:
    """The hub's database, as the command `atrium` opens it."""
    url = make_url("sqlite://").set(database=str(hub.state / "jupyterhub.sqlite"))
    db = orm.new_session_factory(url.render_as_string())()
    try:
        yield db
    finally:
        db.close()
        db.get_bind().dispose()


def traces(hub: Hub, name: str) -> list[str]:
    """The hub's own files that hold a name; the stand-in and logs are somebody else's."""
    files = [hub.state / "jupyterhub.sqlite", *(hub.state / "audit").iterdir()]
    return [path.name for path in files if name.encode() in path.read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("runs", [True, False], ids=["the hub runs", "the hub is stopped"])
def test_somebody_is_forgotten(runs: bool, restarted: Hub) -> None:
    hub = restarted
    boss, person = Person.signed_in(hub, ADMIN), Person.signed_in(hub, MEMBER)
    person.open_dashboards()
    home = wait_until(lambda: list((hub.state / "people").iterdir()), "a home")
    server = hub.server_of(MEMBER)
    assert server is not None
    ask(boss, "/groups/finance", "POST")
    ask(boss, "/groups/finance/users", "POST", json={"users": [MEMBER]})
    if not runs:
        hub.stop()
    command = hub.atrium("users", "forget", MEMBER)
    assert (command.returncode, command.stderr) == (0, "")
    said = command.stdout.splitlines()
    assert any(sentence.startswith("Removed: their account") for sentence in said), said
    assert any("2 rows of atrium_grants" in sentence for sentence in said)
    assert any(sentence.startswith("Kept: records of p-") for sentence in said)
    assert not any(path.exists() for path in home)
    if not runs:
        hub.start()
    else:
        assert not person.is_signed_in()
        assert server not in hub.processes()
    assert hub.api(f"/users/{MEMBER}").status_code == 404
    boss = Person.signed_in(hub, ADMIN)
    assert records(boss, user=MEMBER) == []
    forgotten = records(boss, action="user-forgotten")[0]
    assert forgotten["user"].startswith("p-")
    assert ("signed-in", forgotten["user"]) in [fact[:2] for fact in facts(boss)]
    assert ask(boss, "/audit/chain").json()["problem"] == ""
    assert traces(hub, MEMBER) == []
    Person.signed_in(hub, MEMBER)
    assert "finance" not in hub.api(f"/users/{MEMBER}").json()["groups"]
    assert records(boss, user=MEMBER)[-1]["action"] == "group-given"


@pytest.mark.slow
def test_somebody_whose_dashboards_run_is_not_forgotten_behind_the_hubs_back(
    restarted: Hub,
) -> None:
    hub = restarted
    person = Person.signed_in(hub, MEMBER)
    person.open_dashboards()
    hub.send(signal.SIGTERM)  # it leaves people's dashboards running
    with database(hub) as db:
        (sentence,) = forget(db, hub.state, MEMBER)
    assert sentence.startswith("Their dashboards were left running.")
    hub.start()
    assert person.get(f"/user/{MEMBER}/?all").ok


@pytest.mark.slow
def test_nobody_is_forgotten_twice_or_by_mistake(hub: Hub, reviewer: Person) -> None:
    with database(hub) as db:
        assert forget(db, hub.state, "nobody@acme.test") == [
            "Nobody is known here as nobody@acme.test."
        ]
