"""The real stand-in in a process, a person with a browser of their own, and a generic client.

The client knows nothing of the stand-in but its issuer: everything else comes from discovery.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.hub import AGE_KEYS, free_port
from tests.sdk import PROJECT, Project

ROOT = Path(__file__).parents[2]
FLOW = ROOT / "flows" / "sign-up-or-in.json"
#: A real project's flow, which is not ours to ship.
EXPORT = ROOT.parent / "shared" / "data" / "sign-up-or-in.export.json"
SECRET = "the-client-secret"
MANAGEMENT_KEY = "the-management-key"
SCOPE = "openid profile email descope.claims descope.custom_claims"
PREFIX = "/services/descope/"
START_SECONDS = 20


@dataclass
class StandIn:
    """A stand-in's folder and process; stop and start it as often as you like."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}{PREFIX.rstrip('/')}"

    @property
    def callback(self) -> str:
        return f"{self.origin}/hub/oauth_callback"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def environment(self) -> dict[str, str]:
        secret = self.folder / "secret"
        secret.write_text(f"{SECRET}\n", encoding="utf-8")
        key = self.folder / "management_key"
        key.write_text(f"{MANAGEMENT_KEY}\n", encoding="utf-8")
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "JUPYTERHUB_SERVICE_URL": self.origin,
            "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
            "LOCAL_DESCOPE_URL": self.url,
            "LOCAL_DESCOPE_STATE": str(self.folder / "state"),
            "LOCAL_DESCOPE_FLOW": str(FLOW),
            "LOCAL_DESCOPE_PROJECT_ID": PROJECT,
            "LOCAL_DESCOPE_SECRET_FILE": str(secret),
            "LOCAL_DESCOPE_MANAGEMENT_KEY_FILE": str(key),
            "LOCAL_DESCOPE_REDIRECTS": f"{self.callback} {self.origin}/hub/signed-out",
            **self.settings,
        }

    def start(self) -> StandIn:
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "hub_extensions.local_descope"]
            self.process = subprocess.Popen(
                command, env=self.environment(), cwd=ROOT, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        self.stop()
        raise AssertionError(f"the stand-in did not start: {self.log}")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=10)

    @functools.cached_property
    def project(self) -> Project:
        """The project as Descope's SDK reaches it, with the management key."""
        return Project(self.url, MANAGEMENT_KEY)

    def rotate_keys(self) -> None:
        """Make the key that signs a month old, upon which another takes over."""
        self.sql(AGE_KEYS, 30 * 24 * 3600)

    def sql(self, statement: str, *values: object) -> list[Any]:
        """Change a row, such as to make time pass, or read one that nobody is told."""
        with sqlite3.connect(self.folder / "state" / "project.sqlite") as database:
            rows = database.execute(statement, values).fetchall()
        database.close()
        return rows


class Forms(HTMLParser):
    """The names and values of a page's fields, and its buttons by their words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.buttons: dict[str, str] = {}
        self._button: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name"):
            self.fields[str(given["name"])] = given.get("value") or ""
        self._button = given.get("value") or "" if tag == "button" else None

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self.buttons[data.strip()] = self._button


class Browser(requests.Session):
    """A person's browser: keeps cookies, follows redirects of the stand-in, stops at the client."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__()
        self.stand_in = stand_in
        self.trust_env = False

    def open(self, url: str, **form: str) -> requests.Response:
        """Go to an address, or send it a form, and stop where the client would take over.

        Follows redirects to providers too, and the page that leads to one.
        """
        data = form or None
        answer = self.request("POST" if form else "GET", url, data=data, allow_redirects=False)
        while target := self._next(answer):
            answer = self.get(target, allow_redirects=False)
        return answer

    def _next(self, answer: requests.Response) -> str | None:
        page = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
        target = answer.headers["Location"] if answer.is_redirect else page and unescape(page[1])
        target = target and urljoin(answer.url, target)
        leaves = target and target.startswith(f"{self.stand_in.origin}/hub/")
        return None if leaves else target

    def press(self, page: requests.Response, button: str, **typed: str) -> requests.Response:
        """Type into a page's fields and press one of its buttons."""
        forms = self.forms(page)
        form = forms.fields | typed
        if forms.buttons.get(button):
            form["interaction"] = forms.buttons[button]
        return self.open(page.url, **form)

    @staticmethod
    def forms(page: requests.Response) -> Forms:
        """The fields and buttons of a page."""
        return Forms(page.text)

    def ask_for_link(self, client: Client, email: str, **extra: str) -> requests.Response:
        """From the client to the page that says that a mail is on its way."""
        return self.press(self.open(client.begin(**extra)), "Send me a link", email=email)

    def mailed_links(self, email: str) -> list[str]:
        """The usable links in the outbox, newest first."""
        text = self.get(f"{self.stand_in.url}/outbox/mails").text
        mails = [mail for mail in text.split("<article") if email in mail]
        return [link for mail in mails for link in re.findall(r'href="([^"]+)"', mail)]

    def sign_in(self, client: Client, email: str, **extra: str) -> requests.Response:
        """By a mailed link, to the redirect that carries the code (a known person's way)."""
        self.ask_for_link(client, email, **extra)
        return self.open(self.mailed_links(email)[0])


class Client:
    """A generic OpenID Connect client: code, PKCE and nonce."""

    def __init__(
        self,
        stand_in: StandIn,
        secret: str = SECRET,
        method: str = "",
        *,
        application: str = "",
        client_id: str = PROJECT,
        redirect: str = "",
    ) -> None:
        issuer = f"{stand_in.url}/{PROJECT}/{application}".rstrip("/")
        self.stand_in, self.client_id = stand_in, client_id
        self.metadata: dict[str, Any] = get_json(f"{issuer}/.well-known/openid-configuration")
        assert self.metadata["issuer"] == issuer
        # Untyped: it is a requests session too, which Authlib's type stubs do not say.
        self.session: Any = OAuth2Session(
            client_id,
            secret,
            token_endpoint_auth_method=method or "client_secret_basic",
            revocation_endpoint_auth_method=method or "client_secret_basic",
            scope=SCOPE,
            redirect_uri=redirect or stand_in.callback,
            code_challenge_method="S256",
        )
        self.session.trust_env = False

    def begin(self, **extra: Any) -> str:
        """The address that a person is sent to; a new verifier, state and nonce each time."""
        self.verifier = secrets.token_urlsafe(48)
        self.nonce = secrets.token_urlsafe(16)
        asked = {"code_verifier": self.verifier, "nonce": self.nonce} | extra
        endpoint = self.metadata["authorization_endpoint"]
        url, self.state = self.session.create_authorization_url(endpoint, **asked)
        return url

    def finish(self, answer: requests.Response, **changed: Any) -> dict[str, Any]:
        """Exchange the code in a redirect for tokens, and check the ID token.

        Raises:
            authlib's OAuthError: the stand-in refused.
        """
        back = {"authorization_response": answer.headers["Location"], "state": self.state}
        sent = back | {"code_verifier": self.verifier} | changed
        tokens = self.session.fetch_token(self.metadata["token_endpoint"], **sent)
        assert self.claims(tokens)["nonce"] == self.nonce
        return tokens

    def refresh(self, tokens: dict[str, Any]) -> dict[str, Any]:
        endpoint = self.metadata["token_endpoint"]
        return self.session.refresh_token(endpoint, refresh_token=tokens["refresh_token"])

    def userinfo(self, tokens: dict[str, Any], method: str = "GET") -> requests.Response:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        endpoint = self.metadata["userinfo_endpoint"]
        return requests.request(method, endpoint, headers=headers, timeout=10)

    def claims(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """The ID token's claims, its signature and standard claims checked."""
        keys = KeySet.import_key_set(get_json(self.metadata["jwks_uri"]))
        token = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
        assert token.header["kid"]
        expected: dict[str, Any] = {
            "iss": {"essential": True, "value": self.metadata["issuer"]},
            "aud": {"essential": True, "value": self.client_id},
            "exp": {"essential": True},
            "sub": {"essential": True},
        }
        jwt.JWTClaimsRegistry(**expected).validate(token.claims)
        return token.claims


def get_json(url: str) -> Any:
    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    return answer.json()


def query_of(answer: requests.Response) -> dict[str, str]:
    """What a redirect carries back to the client."""
    query = urlsplit(answer.headers["Location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}
