"""A logout token ends a session only if every single thing about it is right."""

from __future__ import annotations

import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from hub_extensions.signing_in.back_channel import (
    EVENT,
    Logout,
    UsedTokens,
    ends,
    id_token_claims,
    verified_logout,
)
from hub_extensions.signing_in.provider import InvalidToken
from tests import told

ISSUER, AUDIENCE = "https://api.descope.com/P1", "P1"
KEY = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})


def token(key: RSAKey = KEY, **changes: Any) -> str:
    moment = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "U1",
        "iat": moment,
        "exp": moment + 120,
        "jti": "j1",
        "events": {EVENT: {}},
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)


def check(logout_token: str) -> Logout:
    return verified_logout(logout_token, KeySet([KEY]), issuer=ISSUER, audience=AUDIENCE)


def test_a_right_token_says_who_is_signed_out() -> None:
    assert check(token()).subject == "U1"
    assert check(token(aud=["other", AUDIENCE])).subject == "U1"
    only_session = check(token(sub=None, sid="S1"))
    assert (only_session.subject, only_session.session) == ("", "S1")


LONG_AGO = int(time.time()) - 1000
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"key": OTHER_KEY}, "not accepted"),
    ({"iss": "https://api.descope.com/P2"}, "issuer"),
    ({"iss": None}, "issuer"),
    ({"aud": "P2"}, "audience"),
    ({"aud": None}, "audience"),
    ({"iat": LONG_AGO, "exp": LONG_AGO + 10_000}, "time of issue"),
    ({"iat": 10_000_000_000}, "time of issue"),
    ({"iat": None}, "time of issue"),
    ({"exp": 1}, "expiry"),
    ({"exp": None}, "expiry"),
    ({"events": None}, "event"),
    ({"events": {}}, "event"),
    ({"events": {EVENT: True}}, "event"),
    ({"events": [EVENT]}, "event"),
    ({"nonce": "n1"}, "nonce"),
    ({"jti": None}, "id"),
    ({"jti": 7}, "jti"),
    ({"sub": None}, "subject"),
    ({"sub": ["U1"]}, "sub"),
    ({"sub": "U" * 300}, "sub"),
]


@pytest.mark.parametrize(("changes", "wrong"), WRONG, ids=[told(each)[:60] for each in WRONG])
def test_one_wrong_thing_is_enough(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidToken, match=wrong):
        check(token(**changes))


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "é", "." * 50, token()[:-4]])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        check(text)


def test_a_token_counts_once_for_as_long_as_it_is_fresh() -> None:
    used = UsedTokens()
    used.spend(check(token()))
    with pytest.raises(InvalidToken, match="used before"):
        used.spend(check(token()))
    used.spend(Logout(id="old", issued_at=1, subject="U1", session=""))
    used.spend(check(token(jti="j2")))
    assert set(used._until) == {"j1", "j2"}  # what is no longer fresh needs no memory


@pytest.mark.parametrize(
    ("held", "session", "over"),
    [
        ({"iat": 99}, "", True),
        ({"iat": 100}, "", True),
        ({"iat": 101}, "", False),  # signed in again since
        ({"iat": 99, "sid": "S1"}, "S1", True),
        ({"iat": 99, "sid": "S2"}, "S1", True),  # another browser's: out means out everywhere
        ({"iat": 100, "sid": "S1"}, "S1", True),
        ({"iat": 100, "sid": "S2"}, "S1", False),  # signed in again within the second
        ({}, "S1", True),
    ],
    ids=told,
)
def test_a_logout_ends_what_began_before_it(held: dict[str, Any], session: str, over: bool) -> None:
    logout = Logout(id="j", issued_at=100, subject="U1", session=session)
    assert ends(logout, held) is over


@pytest.mark.parametrize(("sid", "over"), [("S1", True), ("S2", False), (None, False)])
def test_without_a_subject_the_session_decides(sid: str | None, over: bool) -> None:
    logout = Logout(id="j", issued_at=100, subject="", session="S1")
    assert ends(logout, {"iat": 99, "sid": sid}) is over


def test_the_kept_id_token_is_read() -> None:
    assert id_token_claims({"id_token": token()})["sub"] == "U1"
    assert id_token_claims({"id_token": None}) == {}
    assert id_token_claims({}) == {}
