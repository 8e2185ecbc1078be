"""A person's visit to a real project: they sign in with a browser, and paste where it ends."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from authlib.integrations.requests_client import OAuth2Session
from descope import DescopeClient

from ..claims import SCOPES
from .desired import ProjectError
from .project import Project

SECONDS: Final = 15


#: A fact that was open, and what the project showed.
Learned = tuple[str, str]


@dataclass(kw_only=True)
class Visit:
    """What one walk through the project knows so far."""

    project: Project
    client: DescopeClient
    issuer: str
    client_id: str
    callback: str
    signed_out: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict, repr=False)
    claims: dict[str, Any] = field(default_factory=dict)

    def session(self, method: str) -> Any:
        """A client of the application; untyped, as Authlib's stubs do not say that it is also a
        session of requests."""
        return OAuth2Session(
            self.client_id,
            self.project.client_secret,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            redirect_uri=self.callback,
            scope=" ".join(SCOPES),
            code_challenge_method="S256",
            default_timeout=SECONDS,
        )

    def browse(self, what: str, **extra: str) -> tuple[str, str]:
        """Let the person sign in; returns the address where the browser ended, and the verifier.

        Raises:
            ProjectError: they pasted nothing that comes from there.
        """
        verifier = secrets.token_urlsafe(48)
        address, state = self.session("client_secret_post").create_authorization_url(
            self.metadata["authorization_endpoint"],
            code_verifier=verifier,
            nonce=secrets.token_urlsafe(16),
            **extra,
        )
        print(f"\n{what}\n  {address}")
        print(f"The page at {self.callback} will not load while the hub is stopped: that is right.")
        for _ in range(3):
            pasted = ask("Paste the whole address that the browser shows at the end")
            query = parse_qs(urlsplit(pasted).query)
            if pasted.startswith(self.callback) and query.get("state") == [state]:
                return pasted, verifier
            print("That is not the address of this sign-in; it begins with the one above.")
        raise ProjectError("no sign-in came back; stop the hub meanwhile, and begin again")


def ask(question: str) -> str:
    """What the person types.

    Raises:
        ProjectError: there is nobody to ask.
    """
    try:
        return input(f"{question}: ").strip()
    except EOFError as error:
        raise ProjectError("--probe asks questions, and nobody is here to answer them") from error


def yes(question: str) -> bool:
    return ask(f"{question} [y/n]").lower().startswith("y")


def yes_no(holds: bool) -> str:
    return "yes" if holds else "no"


def shape(value: Any) -> str:
    """What kind of value this is; never the value."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(map(str, value))) + "}"
    return f"a list of {len(value)}" if isinstance(value, list) else type(value).__name__
