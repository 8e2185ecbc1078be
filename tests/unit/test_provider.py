"""An ID token signs somebody in only if every single thing about it is right."""

from __future__ import annotations

import json
import time
from io import BytesIO
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse

from hub_extensions.signing_in import provider
from hub_extensions.signing_in.pending import own_path

ISSUER, AUDIENCE = "https://api.descope.com/P1", "P1"
KEY = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})


def token(key: RSAKey = KEY, alg: str = "RS256", **changes: Any) -> str:
    moment = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "U1",
        "exp": moment + 600,
        "iat": moment,
        "nonce": "n1",
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": "k1"}, claims, key)


def check(id_token: str, nonce: str | None = "n1") -> dict[str, Any]:
    keys = KeySet([KEY])
    return provider.verified_claims(id_token, keys, issuer=ISSUER, audience=AUDIENCE, nonce=nonce)


def test_a_right_token_gives_its_claims() -> None:
    assert check(token())["sub"] == "U1"
    assert check(token(aud=[AUDIENCE, "other"], azp=AUDIENCE))["sub"] == "U1"
    assert check(token(nonce=None), nonce=None)["sub"] == "U1"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"iss": "https://api.descope.com/P2"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": "P2"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": [AUDIENCE, "P2"], "azp": "P2"}, "authorized party"),
        ({"exp": 1}, "expiry"),
        ({"exp": None}, "expiry"),
        ({"exp": "soon"}, "expiry"),
        ({"iat": None}, "time of issue"),
        ({"iat": time.time() + 3600}, "time of issue"),
        ({"nbf": time.time() + 3600}, "start"),
        ({"nonce": "n2"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": None}, "subject"),
        ({"sub": 7}, "subject"),
    ],
)
def test_one_wrong_claim_is_enough(changes: dict[str, Any], wrong: str) -> None:
    with pytest.raises(provider.InvalidToken, match=wrong):
        check(token(**changes))


def unsigned() -> str:
    header, body, _ = token().split(".")
    none = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ"  # {"alg":"none","kid":"k1"}
    assert header != none
    return f"{none}.{body}."


@pytest.mark.parametrize(
    "forged",
    [
        unsigned(),
        token(key=OTHER_KEY),
        token() + "x",
        "no.token.here",
        "",
        token().replace(".", ""),
    ],
)
def test_forged_tokens_are_refused_without_being_repeated(forged: str) -> None:
    with pytest.raises(provider.InvalidToken) as refused:
        check(forged)
    assert not forged or forged not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("/user/a@b.test/dashboards/user/x?window=3#plot", True),
        ("/hub/user-redirect/dashboards/user/x?a=1&b=%2F", True),
        ("", False),
        ("https://evil.test/", False),
        ("//evil.test/", False),
        ("/\\evil.test", False),
        ("javascript:alert(1)", False),
        ("evil.test", False),
        ("/a\nb", False),
        ("/" + "a" * 5000, False),
    ],
)
def test_next_takes_own_paths_only(address: str, kept: bool) -> None:
    assert own_path(address) == (address if kept else "")


def test_endpoints_follow_from_the_project_id() -> None:
    short, regional = "P" + "2" * 27, "Peuc1" + "2" * 27
    assert provider.descope_base_uri(short) == "https://api.descope.com"
    assert provider.descope_base_uri(regional) == "https://api.euc1.descope.com"
    endpoints = provider.documented_endpoints("https://api.descope.com", short)
    assert endpoints["issuer"] == f"https://api.descope.com/{short}"
    assert {url.split("/")[2] for url in endpoints.values()} == {"api.descope.com"}


@pytest.mark.parametrize(
    ("status", "body", "refuses"),
    [
        (400, {"error": "invalid_grant"}, True),
        (400, {"errorCode": "E064006", "errorDescription": "JWT family ID invalidated"}, True),
        (400, {"errorCode": "E061002"}, True),
        (400, {"errorCode": "E061003"}, True),
        (401, {}, True),
        (403, None, True),
        (400, {"error": "invalid_request"}, False),
        (400, {"errorCode": "E130429"}, False),
        (400, ["E064006"], False),
        (400, None, False),
        (400, {"errorCode": ["E064006"], "error": {}}, False),
        (404, {"errorCode": "E011002"}, False),
        (429, {"error": "invalid_grant"}, False),
        (500, {"errorCode": "E061005"}, False),
        (503, {"errorCode": "E061003"}, False),
        (429, {"errorCode": "E130429"}, False),
        (500, {}, False),
    ],
)
def test_a_refusal_is_told_from_a_provider_that_is_away(
    status: int, body: object, refuses: bool
) -> None:
    """Descope's token endpoint also refuses in a shape of its own, without OAuth's `error`."""
    content = json.dumps(body).encode() if body is not None else b"<html>"
    answer = HTTPResponse(HTTPRequest("http://x"), status, buffer=BytesIO(content))
    assert provider.is_refusal(HTTPClientError(status, response=answer)) is refuses
