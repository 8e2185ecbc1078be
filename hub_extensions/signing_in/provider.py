"""The OpenID Connect provider: where its endpoints are, and what its ID tokens must hold."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

from ..settings import Settings, SettingsError, is_loopback

#: Pinned: a token names its algorithm itself, so its word is not taken (RFC 8725 section 3.1).
ALGORITHMS: Final = ["RS256", "ES256"]
#: Clocks may differ by this many seconds.
LEEWAY: Final = 60
#: Some thousand roles are 100 KB. What is longer is not looked at: it would hold up all others.
LARGEST_ANSWER: Final = 256 * 1024
_NEEDED: Final = (
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
)
#: Descope's codes for a refresh token that is expired, revoked, invalid, logged out or used twice.
_REFUSALS: Final = frozenset({"E061002", "E061003", "E061005", "E064001", "E064006"})
_OPTIONAL: Final = ("end_session_endpoint", "revocation_endpoint")


def set_up(c: Any, given: Settings) -> None:
    """Tell the authenticator what is said of the provider; the rest follows from the project id.
    Called by the configuration."""
    for name in ("client_id", "base_uri", "issuer"):
        if value := getattr(given, name):
            setattr(c.DescopeAuthenticator, name, value)


class InvalidToken(ValueError):
    """A token that does not count. The message never repeats the token."""


class UnknownSignature(InvalidToken):
    """A token that none of the keys has signed; a key may be new."""


class ProviderUnreachable(web.HTTPError):
    """The provider did not answer, or answered that it cannot just now (5xx, 429)."""

    def __init__(self) -> None:
        super().__init__(503, "Signing in is not possible just now: the sign-in service is away.")


class ProviderRefused(web.HTTPError):
    """The provider said no: a spent code, a revoked token, a wrong client secret."""

    def __init__(self) -> None:
        super().__init__(403, "This sign-in is no longer valid. Please sign in again.")


class SaidTooMuch(web.HTTPError):
    """The provider's answer about somebody is too large. It is about them alone: nobody else has to
    wait for it, as they would if the provider were away."""

    def __init__(self) -> None:
        super().__init__(
            403,
            "The sign-in service says too much about you. Please ask the people who run this site "
            "to make your roles and attributes there fewer.",
        )


async def bounded(client: AsyncHTTPClient, request: HTTPRequest, **options: Any) -> HTTPResponse:
    """An answer of the provider, of which no more is kept than may be read.

    Raises:
        SaidTooMuch: it is longer; HTTPClientError and OSError as of the client.
    """
    body = bytearray()

    def keep(part: bytes) -> None:
        if len(body) <= LARGEST_ANSWER:
            body.extend(part)

    request.streaming_callback = keep
    request.decompress_response = False  # so that what is counted is what was sent
    answer = await client.fetch(request, **options | {"raise_error": False})
    answer.buffer = BytesIO(body)
    if options.get("raise_error", True):
        answer.rethrow()
    if len(body) > LARGEST_ANSWER:
        raise SaidTooMuch
    return answer


def is_refusal(error: HTTPClientError) -> bool:
    """Whether an answer means that this person may not; anything else odd means "away".

    RFC 6749 section 5.2: a spent or revoked grant is answered with `invalid_grant`; Descope's token
    endpoint also answers in a shape of its own (docs/descope.md). A captive page or a wrong route
    must not sign everybody out.
    """
    if error.code in {401, 403}:
        return True
    try:
        answer = json.loads(error.response.body) if error.response else None
    except (ValueError, RecursionError):
        return False
    if error.code != 400 or not isinstance(answer, dict):
        return False
    return answer.get("error") == "invalid_grant" or str(answer.get("errorCode")) in _REFUSALS


def descope_base_uri(project_id: str) -> str:
    """Descope's address for a project; ids of 32 characters and more name their region.

    As the `descope` SDK has it (`http_client_base`).
    """
    region = f"{project_id[1:5]}." if len(project_id) >= 32 else ""
    return f"https://api.{region}descope.com"


def documented_endpoints(base_uri: str, project_id: str) -> dict[str, str]:
    """Descope's endpoints by its documentation (docs.descope.com, OIDC endpoints)."""
    project, oauth2 = f"{base_uri}/{project_id}", f"{base_uri}/oauth2/v1"
    return {
        "issuer": project,
        "authorization_endpoint": f"{oauth2}/authorize",
        "token_endpoint": f"{oauth2}/token",
        "userinfo_endpoint": f"{oauth2}/userinfo",
        "jwks_uri": f"{project}/.well-known/jwks.json",
        "revocation_endpoint": f"{oauth2}/revoke",
        "end_session_endpoint": f"{oauth2}/logout",
    }


def discover(issuer: str, timeout: float = 10) -> dict[str, str]:
    """The endpoints in the provider's discovery document (OpenID Connect Discovery 1.0).

    Raises:
        SettingsError: unreachable, no such document, another issuer, or endpoints elsewhere.
    """
    address = f"{issuer}/.well-known/openid-configuration"
    mend = "check DESCOPE_PROJECT_ID, DESCOPE_BASE_URI, DESCOPE_ISSUER and the network"
    try:
        with build_opener(_NoRedirect).open(Request(address), timeout=timeout) as answer:
            document = json.loads(answer.read(1_000_000))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SettingsError(
            f"the sign-in provider does not answer at {address} ({reason}); {mend}"
        ) from None
    if not isinstance(document, Mapping) or document.get("issuer") != issuer:
        raise SettingsError(f"the document at {address} is not that of issuer {issuer}; {mend}")
    found = {
        name: document[name]
        for name in (*_NEEDED, *_OPTIONAL)
        if isinstance(document.get(name), str)
    }
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        raise SettingsError(f"the document at {address} names no {missing[0]}; {mend}")
    own = urlsplit(issuer)
    for name, url in found.items():
        parts = urlsplit(url)
        if (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
            raise SettingsError(f"the document at {address} has its {name} on another host; {mend}")
    if own.scheme != "https" and not is_loopback(issuer):
        raise SettingsError(f"the sign-in provider at {issuer} is not https; {mend}")
    return found


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def nonce_for(code_verifier: str) -> str:
    """The nonce of a sign-in, made from its PKCE verifier so that it needs no place of its own."""
    return hashlib.sha256(b"nonce:" + code_verifier.encode()).hexdigest()


def verified_claims(
    id_token: str, keys: KeySet, *, issuer: str, audience: str, nonce: str | None
) -> dict[str, Any]:
    """The claims of an ID token, after every check of OpenID Connect Core section 3.1.3.7.

    Args:
        nonce: the nonce sent with this sign-in; None for a refresh, whose token needs none.

    Raises:
        InvalidToken: signature, algorithm, issuer, audience, time or nonce are not right.
    """
    claims = signed_claims(id_token, keys)
    named = claims.get("aud")
    audiences = named if isinstance(named, list) else [named]
    moment = time.time()
    checks = {
        "issuer": claims.get("iss") == issuer,
        "audience": audience in audiences,
        "authorized party": len(audiences) == 1 or claims.get("azp", audience) == audience,
        "expiry": number(claims.get("exp")) > moment - LEEWAY,
        "time of issue": 0 < number(claims.get("iat")) < moment + LEEWAY,
        "start": number(claims.get("nbf", 0)) < moment + LEEWAY,
        "nonce": nonce is None or claims.get("nonce") == nonce,
        "subject": isinstance(claims.get("sub"), str) and bool(claims.get("sub")),
    }
    for name, holds in checks.items():
        if not holds:
            raise InvalidToken(f"ID token has a wrong {name}")
    return claims


def signed_claims(token: str, keys: KeySet) -> dict[str, Any]:
    """What a token says that one of these keys has signed. Nothing that it says is checked.

    Raises:
        UnknownSignature: it is no token, or none of theirs.
    """
    try:
        return dict(jwt.decode(token, keys, algorithms=ALGORITHMS).claims)
    except (JoseError, ValueError, TypeError) as error:
        raise UnknownSignature(f"Token not accepted ({type(error).__name__})") from None


def number(value: Any) -> float:
    """A claim that has to be a number, -1 where it is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
