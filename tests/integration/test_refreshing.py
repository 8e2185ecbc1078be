"""Refreshing does not break: not by many requests, an outage, a restart, a crash or a rotation."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
from jupyterhub.crypto import CryptKeeper

from tests.attacks.without import without
from tests.conftest import StartHub
from tests.hub import Hub, wait_until
from tests.integration.test_groups import groups
from tests.odd_provider import PROJECT, OddProvider
from tests.person import SIGNED_OUT, TAKEN, Person, closed_with, is_open

ADA, ANALYST = "ada@acme.test", "analyst@acme.test"


def change(hub: Hub, statement: str, *values: Any) -> None:
    """Change the hub's database."""
    with closing(sqlite3.connect(hub.state / "jupyterhub.sqlite", timeout=20)) as db, db:
        db.execute(statement, values)


def ago(**time_units: float) -> str:
    return str(datetime.now(UTC).replace(tzinfo=None) - timedelta(**time_units))


def restart(hub: Hub, **confirmed_ago: float) -> None:
    """Restart a hub whose people the provider has not confirmed for so long."""
    hub.send(signal.SIGTERM)
    change(hub, "UPDATE atrium_identities SET confirmed_at = ?", ago(**confirmed_ago))
    hub.start()


def keeper(hub: Hub) -> CryptKeeper:
    """Opens and seals what the hub keeps of a sign-in."""
    return CryptKeeper(keys=[bytes.fromhex((hub.state / "secrets" / "crypt_key").read_text())])


def audited(hub: Hub) -> list[str]:
    """What has been written down so far."""
    lines = (hub.state / "audit" / "audit.jsonl").read_text().splitlines()
    return [json.loads(line)["action"] for line in lines]


# -- at a provider that does as it is told ---------------------------------------------------


@pytest.fixture
def provider(running_provider: OddProvider) -> OddProvider:
    running_provider.reset()
    running_provider.claims["tenants"] = {"acme": {"roles": ["Tenant Admin"]}}
    return running_provider


@pytest.fixture(scope="module")
def odd_hub(running_provider: OddProvider, start_hub: StartHub) -> Hub:
    return start_hub(**running_provider.settings, ATRIUM_REVOKE_SECONDS="5")


@pytest.fixture
def ada(odd_hub: Hub, provider: OddProvider) -> Person:
    person = Person(odd_hub)
    person.get("/hub/home")
    return person


def token_by_hand(person: Person) -> Callable[[], bool]:
    """Whether a token that somebody has made for a program of theirs still counts."""
    made = person.post(f"/hub/api/users/{ADA}/tokens", headers=person.xsrf, json={"note": "mine"})
    header = {"Authorization": f"token {made.json()['token']}"}
    return lambda: requests.get(f"{person.hub.url}/hub/api/user", headers=header, timeout=20).ok


@pytest.mark.parametrize("skew", [{"iat": 50}, {"nbf": 50}, {"exp": -50}])
def test_clocks_may_differ_by_a_minute(
    odd_hub: Hub, provider: OddProvider, skew: dict[str, int]
) -> None:
    for more, comes_in in ((0, True), (40, False)):
        provider.id_token = {
            name: int(time.time()) + seconds + (more if seconds > 0 else -more)
            for name, seconds in skew.items()
        }
        person = Person(odd_hub)
        person.get("/hub/home")
        assert person.is_signed_in() == comes_in


@pytest.mark.slow
def test_however_many_requests_wait_one_refresh_at_a_time_is_made(
    odd_hub: Hub, provider: OddProvider, ada: Person
) -> None:
    provider.hang = 1
    restart(odd_hub, minutes=30)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: ada.is_signed_in(), range(50)))
        assert all(answers)
        wait_until(lambda: provider.refreshes, "a refresh")
        assert all(pool.map(lambda _: ada.is_signed_in(), range(50)))
    assert provider.most_at_once == 1
    assert len(provider.refreshes) <= 4  # the next ones in their turn, as slow as this machine is


@pytest.mark.slow
def test_in_an_outage_people_work_on_nobody_gets_more_and_admins_are_told(
    odd_hub: Hub, provider: OddProvider, ada: Person
) -> None:
    ada.open_dashboards()
    before = audited(odd_hub)
    provider.hang = 60
    provider.claims["tenants"] = {"acme": {"roles": ["Tenant Admin", "Analyst"]}}
    wait_until(lambda: provider.under_way, "a refresh that hangs")
    times = []
    for _ in range(60):
        began = time.perf_counter()
        assert ada.is_signed_in()
        times.append(time.perf_counter() - began)
    assert statistics.quantiles(times, n=20)[-1] < 0.3
    wait_until(lambda: "has not answered for" in ada.get(f"/user/{ADA}/?all").text, "the notice")
    assert ada.is_signed_in()
    new = Person(odd_hub).get("/hub/home")
    assert new.status_code == 503
    assert "the sign-in service is away" in new.text
    assert groups(odd_hub, ADA) == {"user", "admin"}
    provider.hang = 0
    everything = {"user", "admin", "analysts"}
    wait_until(lambda: groups(odd_hub, ADA) == everything, "its end", seconds=40)
    wait_until(lambda: "has not answered for" not in ada.get(f"/user/{ADA}/?all").text, "no notice")
    told = audited(odd_hub)[len(before) :]
    assert [action for action in told if action.startswith("provider")] == [
        "provider-away",
        "provider-back",
    ]


@pytest.mark.slow
def test_a_restart_in_an_outage_does_not_begin_the_grace_anew(
    odd_hub: Hub, provider: OddProvider, ada: Person
) -> None:
    provider.status = 503
    restart(odd_hub, minutes=59, seconds=30)
    assert ada.is_signed_in()
    wait_until(lambda: not ada.is_signed_in(), "the end of the grace", seconds=45)


@pytest.mark.parametrize("refusal", [{"error": "invalid_grant"}, {"errorCode": "E064006"}])
def test_a_refusal_of_the_provider_signs_out_everywhere(
    odd_hub: Hub, provider: OddProvider, ada: Person, refusal: dict[str, str]
) -> None:
    ada.open_dashboards()
    counts = token_by_hand(ada)
    assert counts()
    provider.status, provider.refusal = 400, refusal
    wait_until(lambda: not ada.is_signed_in(), "the end of the session")
    user = f"/users/{ADA}"
    wait_until(lambda: not odd_hub.api(user).json()["servers"], "the end of the server")
    wait_until(lambda: not odd_hub.api(f"{user}/tokens").json()["api_tokens"], "that of all tokens")
    assert not counts()
    assert groups(odd_hub, ADA) == set()


def test_a_token_made_by_hand_ends_with_the_sign_out(odd_hub: Hub, ada: Person) -> None:
    counts = token_by_hand(ada)
    assert counts()
    ada.get("/hub/logout")
    assert not counts()


@pytest.mark.slow
def test_after_a_restart_a_thousand_people_are_refreshed_one_after_the_other(
    odd_hub: Hub, provider: OddProvider, ada: Person
) -> None:
    odd_hub.send(signal.SIGTERM)
    seal = keeper(odd_hub)
    with closing(sqlite3.connect(odd_hub.state / "jupyterhub.sqlite")) as db, db:
        for number in range(1000, 2000):
            claims = {**provider.claims, "sub": f"U{number}"}
            state = {"refresh_token": f"refresh-of-U{number}", "oauth_user": claims}
            name, moment = f"p{number}@acme.test", ago(minutes=30)
            db.execute(
                "INSERT INTO users (id, name, admin, cookie_id, encrypted_auth_state)"
                " VALUES (?, ?, 0, ?, ?)",
                (number, name, f"cookie-{number}", seal._encrypt(state)),
            )
            db.execute(
                "INSERT INTO atrium_identities VALUES (?, ?, ?, ?)",
                (number, PROJECT, f"U{number}", moment),
            )
            db.execute(
                "INSERT INTO atrium_sessions"
                " (user_id, tenant, seen, signed_in_at, refreshed_at, asked_at)"
                " VALUES (?, 'acme', '', ?, ?, ?)",
                (number, moment, moment, moment),
            )
    provider.hang = 0.2
    odd_hub.start()
    wait_until(lambda: len(provider.refreshes) >= 4, "four refreshes", seconds=30)
    times = []
    for _ in range(30):
        began = time.perf_counter()
        assert ada.is_signed_in()
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.3
    moments, tokens = zip(*provider.refreshes, strict=True)
    assert len(set(tokens)) == len(tokens)
    pauses = [after - before for before, after in pairwise(moments)]
    assert min(pauses) > 1.5  # two calls each: no more than sixty in a minute
    assert provider.most_at_once == 1
    change(odd_hub, "DELETE FROM users WHERE id >= 1000")


# -- at the stand-in ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    """A hub that follows quickly, whose customers must sign in again sooner than its own people."""
    hub = start_hub(
        ATRIUM_REVOKE_SECONDS="5",
        ATRIUM_CUSTOMER_TENANTS="globex",
        ATRIUM_TRUST_AUTHORS="yes",
        ATRIUM_SESSION_HOURS="12, globex=1",
    )
    return hub


def refresh_token(hub: Hub, name: str) -> str:
    """The refresh token that the hub keeps for somebody."""
    with closing(sqlite3.connect(hub.state / "jupyterhub.sqlite", timeout=20)) as db:
        query = "SELECT encrypted_auth_state FROM users WHERE name = ?"
        (sealed,) = db.execute(query, (name,)).fetchone()
    return keeper(hub)._decrypt(sealed)["refresh_token"]


@pytest.mark.slow
def test_refresh_tokens_that_rotate_are_each_used_once(hub: Hub) -> None:
    hub.project.settings("project.json", rotateJwt=True)
    try:
        person = Person(hub)
        person.sign_in(ANALYST)
        seen = [refresh_token(hub, ANALYST)]
        while len(seen) < 4:
            newest = lambda: (token := refresh_token(hub, ANALYST)) != seen[-1] and token  # noqa: E731
            seen.append(str(wait_until(newest, "a refresh")))
            assert person.is_signed_in()
        assert len(set(seen)) == 4
        form = {
            "grant_type": "refresh_token",
            "refresh_token": seen[0],
            "client_id": hub.project.client._auth.project_id,
            "client_secret": (hub.state / "secrets" / "descope_client_secret").read_text().strip(),
        }
        url = f"{hub.url}/services/descope/oauth2/v1/token"
        assert requests.post(url, data=form, timeout=20).status_code == 400
        wait_until(lambda: not person.is_signed_in(), "the end of the stolen session")
    finally:
        hub.project.settings("project.json", rotateJwt=False)


@pytest.mark.slow
def test_a_session_has_an_age_and_each_tenant_its_own(hub: Hub) -> None:
    people = {}
    for email in ("member@acme.test", "member@globex.test"):
        people[email] = Person(hub)
        people[email].sign_in(email)
        people[email].open_dashboards()
    own = people["member@acme.test"].watch("user", "penguins")
    customers = people["member@globex.test"].watch("customers", "your_orders")
    change(hub, "UPDATE atrium_sessions SET signed_in_at = ?", ago(hours=2))
    assert closed_with(customers) == SIGNED_OUT
    customer = people["member@globex.test"]
    wait_until(lambda: 'name="email"' in customer.get("/hub/home").text, "the question who it is")
    assert people["member@acme.test"].is_signed_in()
    assert is_open(own)


# -- a crash --------------------------------------------------------------------------------------

DIE = """
import os, signal
from pathlib import Path
from hub_extensions.access.servers import Servers
from hub_extensions.signing_in import sign_out
def dying(name, work):
    async def die(*args, **options):
        if Path("FOLDER", name).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return await work(*args, **options)
    return die
Servers._tell = dying("tell", Servers._tell)
sign_out.say_farewell = dying("say_farewell", sign_out.say_farewell)
"""


@pytest.fixture(scope="module")
def mortal(start_hub: StartHub, tmp_path_factory: pytest.TempPathFactory) -> tuple[Hub, Path]:
    """A hub that ends where a file in a folder names the place: after a commit, before its push."""
    folder = tmp_path_factory.mktemp("mortal")
    hub = start_hub(**without(folder, DIE.replace("FOLDER", str(folder))))
    finance = hub.notebooks / "finance"
    finance.mkdir()
    shutil.copy(hub.notebooks / "user" / "penguins.ipynb", finance)
    return hub, folder


def port_of(hub: Hub, name: str) -> int:
    """Where somebody's server listens."""
    front = hub.front_of(name)
    (port,) = {one.laddr.port for one in front.net_connections() if one.status == "LISTEN"}
    return port


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "code"), [("tell", TAKEN), ("say_farewell", SIGNED_OUT)], ids=["group", "session"]
)
def test_a_crash_between_a_commit_and_its_push_leaves_nothing_open(
    mortal: tuple[Hub, Path], place: str, code: int
) -> None:
    hub, folder = mortal
    person = Person(hub)
    person.sign_in(ANALYST)
    hub.api("/groups/finance", "POST")
    hub.api("/groups/finance/users", "POST", json={"users": [ANALYST]})
    person.open_dashboards()
    socket = person.watch("finance", "penguins", port=port_of(hub, ANALYST))
    (folder / place).touch()
    try:
        if place == "tell":
            hub.api("/groups/finance/users", "DELETE", json={"users": [ANALYST]})
        else:
            hub.project.mgmt.user.logout_user(ANALYST)
        assert hub.process is not None
        assert hub.process.wait(40) == -signal.SIGKILL
    finally:
        (folder / place).unlink()
    assert is_open(socket)
    hub.start()
    assert closed_with(socket) == code
