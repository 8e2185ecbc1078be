"""An OpenID Connect provider that answers as wrongly as it is told to.

For what no well-behaved provider does; everything else is tested against real ones.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

PROJECT = "P2abcdefghijklmnopqrstuvwxyz"
CLAIMS = {
    "sub": "U1",
    "email": "ada@acme.test",
    "email_verified": True,
    "name": "Ada",
    "tenants": {"acme": {"roles": []}},
}


class OddProvider:
    """What it says next.

    Attributes:
        claims: what it says of the person who signs in, in ID token and userinfo.
        id_token: changes to the ID token's claims only; None takes one away.
        userinfo: changes to userinfo only.
        alg: the algorithm of the ID token; "none" leaves it unsigned.
        kid: the id of the key that the ID token names.
        no_json: whether token and userinfo answers are a web page.
        key: the key that signs; `published` is the one that it shows.
        status: the HTTP status of token and userinfo answers.
        refusal: what it says with the status 400; RFC 6749 section 5.2, if nothing else is told.
        hang: seconds before an answer.
        without: names left out of the token answer.
        refreshes: every refresh so far: the moment, and the token.
        most_at_once: how many refreshes it has answered at the same time.

    A refresh token that ends in "-of-U7" is of the person U7, as its answer says.
    """

    def __init__(self) -> None:
        self.published = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
        self.stop_waiting = threading.Event()
        self.counting = threading.Lock()
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Behave well again."""
        self.claims: dict[str, Any] = dict(CLAIMS)
        self.id_token: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.key = self.published
        self.alg, self.status, self.hang = "RS256", 200, 0.0
        self.kid, self.no_json = "k1", False
        self.refusal: dict[str, str] = {"error": "invalid_grant"}
        self.without: set[str] = set()
        self.asked: list[str] = []
        self.refreshes: list[tuple[float, str]] = []
        self.under_way: set[int] = set()  # a new one: what still hangs of before counts no more
        self.most_at_once = 0
        self.nonce = ""

    @property
    def settings(self) -> dict[str, str]:
        """The hub's settings for this provider."""
        return {
            "DESCOPE_PROJECT_ID": PROJECT,
            "DESCOPE_CLIENT_SECRET": "an-access-key",
            "DESCOPE_TENANT_ID": "acme",
            "DESCOPE_ISSUER": self.url,
        }

    def discovery(self) -> dict[str, Any]:
        paths = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "userinfo_endpoint": "userinfo",
            "jwks_uri": "jwks",
            "end_session_endpoint": "logout",
            "revocation_endpoint": "revoke",
        }
        return {"issuer": self.url, **{name: f"{self.url}/{path}" for name, path in paths.items()}}

    def claims_for(self, token: str) -> dict[str, Any]:
        """What it says of the person whose token this is."""
        _, named, subject = token.partition("-of-")
        return {**self.claims, **({"sub": subject} if named else {})}

    def tokens(self, refresh_token: str = "") -> dict[str, Any]:
        moment = int(time.time())
        claims = {
            **self.claims_for(refresh_token),
            "iss": self.url,
            "aud": PROJECT,
            "iat": moment,
            "exp": moment + 600,
            "nonce": self.nonce,
            **self.id_token,
        }
        answer = {
            "access_token": refresh_token or "an-access-token",
            "token_type": "Bearer",
            "refresh_token": refresh_token or "a-refresh-token",
            "id_token": self.signed(claims),
        }
        return {name: value for name, value in answer.items() if name not in self.without}

    def logout_token(self, **changes: Any) -> str:
        """A back-channel logout token; None takes a claim away."""
        moment = int(time.time())
        claims = {
            "iss": self.url,
            "aud": PROJECT,
            "sub": self.claims["sub"],
            "iat": moment,
            "exp": moment + 120,
            "jti": secrets.token_hex(8),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            **changes,
        }
        return self.signed(claims)

    def signed(self, claims: dict[str, Any]) -> str:
        """These claims as a token, signed as this provider signs just now."""
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.alg == "none":
            parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
            encoded = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts]
            return ".".join([*encoded, ""])
        key = self.key if self.alg.startswith("RS") else OctKey.generate_key(256)
        return jwt.encode({"alg": self.alg, "kid": self.kid}, claims, key)


class _Handler(BaseHTTPRequestHandler):
    provider: OddProvider

    def do_GET(self) -> None:
        provider, address = self.provider, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        provider.asked.append(address.path)
        if address.path == "/authorize":
            provider.nonce = query["nonce"]
            back = {"code": "a-code", "state": query["state"]}
            self._answer(302, {"Location": f"{query['redirect_uri']}?{urlencode(back)}"})
        elif address.path == "/logout":
            self._answer(302, {"Location": query["post_logout_redirect_uri"]})
        elif address.path == "/jwks":
            self._answer(200, body={"keys": [provider.published.as_dict(private=False)]})
        elif address.path == "/userinfo":
            claims = provider.claims_for(self.headers.get("Authorization", ""))
            self._slowly({**claims, **provider.userinfo})
        elif address.path == "/.well-known/openid-configuration":
            self._answer(200, body=provider.discovery())
        else:
            self._answer(404)

    def do_POST(self) -> None:
        provider = self.provider
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        provider.asked.append(self.path)
        token = parse_qs(body).get("refresh_token", [""])[0]
        if self.path != "/token" or not token:
            self._slowly(provider.tokens() if self.path == "/token" else {})
            return
        with provider.counting:
            under_way = provider.under_way
            provider.refreshes.append((time.monotonic(), token))
            under_way.add(id(self))
            provider.most_at_once = max(provider.most_at_once, len(under_way))
        try:
            self._slowly(provider.tokens(token))
        finally:
            with provider.counting:
                under_way.discard(id(self))

    def _slowly(self, body: Any) -> None:
        if self.provider.hang:
            self.provider.stop_waiting.wait(self.provider.hang)
        if self.provider.status == 400:
            body = self.provider.refusal
        with suppress(BrokenPipeError):  # who waited has gone
            self._answer(self.provider.status, body=body)

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: Any = "") -> None:
        content = json.dumps(body).encode()
        if self.provider.no_json and isinstance(body, dict) and "keys" not in body:
            content = b"<html>"
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """The hub's log is what the tests read."""


@contextmanager
def odd_provider() -> Iterator[OddProvider]:
    """Run one on a free port of this machine."""
    provider = OddProvider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.stop_waiting.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
