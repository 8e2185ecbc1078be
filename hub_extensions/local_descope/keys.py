"""The secrets the stand-in makes for itself and keeps in its folder: signing key, cookie key."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

ALGORITHM = "RS256"


class SigningKey:
    """Signs tokens. The same key after a restart, so that tokens given before stay good."""

    def __init__(self, folder: Path) -> None:
        text = _kept(folder / "signing_key.json", _new_signing_key)
        self.key = RSAKey.import_key(json.loads(text))

    @property
    def header(self) -> dict[str, str]:
        """A token's header; the SDK needs both names."""
        return {"alg": ALGORITHM, "kid": self.key.kid or ""}

    @property
    def jwks(self) -> dict[str, Any]:
        """The public half, as the discovered address serves it."""
        return {"keys": [self.key.as_dict(private=False)]}

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(self.header, claims, self.key, algorithms=[ALGORITHM])


def cookie_key(folder: Path) -> str:
    """The key that signs the stand-in's own cookie."""
    return _kept(folder / "cookie_key", lambda: secrets.token_urlsafe(32))


def _new_signing_key() -> str:
    parameters: Any = {"use": "sig", "alg": ALGORITHM}
    return json.dumps(RSAKey.generate_key(2048, parameters, auto_kid=True).as_dict(private=True))


def _kept(path: Path, make: Callable[[], str]) -> str:
    """The text in the file, made and written whole, for its owner only, where there is none."""
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(make())
        unfinished.replace(path)
    return path.read_text(encoding="utf-8")
