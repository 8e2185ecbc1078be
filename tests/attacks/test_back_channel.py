"""Class: back-channel logout. Nobody but the provider can sign somebody out, and it only once."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from joserfc.jwk import RSAKey

from tests.attacks import attack
from tests.attacks.addresses import From
from tests.hub import Hub
from tests.odd_provider import OddProvider
from tests.person import Person


def send(hub: Hub, token: str) -> requests.Response:
    form = {"logout_token": token}
    return requests.post(f"{hub.url}/hub/backchannel-logout", data=form, timeout=20)


@pytest.fixture
def ada(project_hub: Hub, provider: OddProvider) -> Person:
    person = Person(project_hub)
    person.get("/hub/home")
    assert person.is_signed_in()
    return person


def test_the_provider_signs_somebody_out_everywhere(
    project_hub: Hub, provider: OddProvider, ada: Person
) -> None:
    second = Person(project_hub)
    second.get("/hub/home")
    ada.open_dashboards()
    answer = send(project_hub, provider.logout_token())
    assert (answer.status_code, answer.content) == (200, b"")
    assert "no-store" in answer.headers["Cache-Control"]
    assert not ada.is_signed_in()
    assert not second.is_signed_in()
    assert project_hub.api("/users/ada@acme.test").json()["servers"] == {}


def test_a_session_alone_is_enough(project_hub: Hub, provider: OddProvider, ada: Person) -> None:
    provider.id_token = {"sid": "S7"}
    person = Person(project_hub)
    person.get("/hub/home")
    assert send(project_hub, provider.logout_token(sub=None, sid="S8")).ok
    assert person.is_signed_in()
    assert send(project_hub, provider.logout_token(sub=None, sid="S7")).ok
    assert not person.is_signed_in()


OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1"})
ATTEMPTS: dict[str, dict[str, Any]] = {
    "unsigned": {"alg": "none"},
    "signed by another": {"key": OTHER_KEY},
    "signed with a shared secret": {"alg": "HS256"},
    "another issuer's": {"iss": "https://evil.test"},
    "another application's": {"aud": "somebody-else"},
    "an ID token": {"events": None, "nonce": "n"},
    "of another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "with a nonce": {"nonce": "n"},
    "old": {"iat": int(time.time()) - 3600},
    "without an id": {"jti": None},
}


@attack("forged logout", "check of a logout token")
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_wrong_logout_token_signs_nobody_out(
    attempt: str, project_hub: Hub, provider: OddProvider, ada: Person
) -> None:
    claims = dict(ATTEMPTS[attempt])
    for name in ("alg", "key"):
        setattr(provider, name, claims.pop(name, getattr(provider, name)))
    answer = send(project_hub, provider.logout_token(**claims))
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert "no-store" in answer.headers["Cache-Control"]
    assert ada.is_signed_in()


@attack("replay", "a logout token works once")
def test_a_logout_token_works_once(project_hub: Hub, provider: OddProvider, ada: Person) -> None:
    token = provider.logout_token(iat=int(time.time()) + 5)
    assert send(project_hub, token).ok
    ada.get("/hub/home")
    assert send(project_hub, token).status_code == 400
    assert ada.is_signed_in()


@attack("replay", "a logout is of sign-ins before it")
def test_a_late_logout_does_not_end_the_next_sign_in(
    project_hub: Hub, provider: OddProvider, ada: Person
) -> None:
    assert send(project_hub, provider.logout_token(iat=int(time.time()) - 60)).ok
    assert ada.is_signed_in()


def test_a_stranger_is_no_error_and_nothing_happens(
    project_hub: Hub, provider: OddProvider, ada: Person
) -> None:
    assert send(project_hub, provider.logout_token(sub="U-nobody")).status_code == 200
    assert ada.is_signed_in()


@attack("malformed input", "size and form of a logout token")
@pytest.mark.parametrize(
    "body",
    [b"", b"logout_token=", b"logout_token=" + b"a" * 1_000_000, b"\xff\x00", b"{}"],
    ids=["nothing", "empty", "a megabyte", "no text", "no form"],
)
def test_a_body_that_is_no_token_is_refused_before_it_is_looked_at(
    body: bytes, project_hub: Hub, ada: Person
) -> None:
    header = {"Content-Type": "application/x-www-form-urlencoded"}
    address = f"{project_hub.url}/hub/backchannel-logout"
    answer = requests.post(address, data=body, headers=header, timeout=20)
    assert answer.status_code == 400
    assert ada.is_signed_in()


@attack("flooding", "limit on wrong sign-ins")
def test_a_flood_of_wrong_tokens_is_not_looked_at(
    project_hub: Hub, provider: OddProvider, ada: Person
) -> None:
    attacker = From("127.0.0.66", project_hub.url)
    provider.asked.clear()
    answers = [
        attacker.post("/hub/backchannel-logout", data={"logout_token": "a.b.c"}).status_code
        for _ in range(80)
    ]
    assert answers[0] == 400
    assert answers[-1] == 429
    assert provider.asked.count("/jwks") <= 1  # nor does it make the hub ask for keys each time
    assert send(project_hub, provider.logout_token()).ok  # the provider is heard all the same
    assert not ada.is_signed_in()
