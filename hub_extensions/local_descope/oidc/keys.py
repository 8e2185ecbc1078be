"""The keys that sign tokens, which outlive a restart. Each month a new one takes over; the old ones
stay known for what they signed, so that nobody is signed out."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from flask import g
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from ..parts import transaction
from ..records import ProjectSettings, SigningKey, now

ALGORITHM = "RS256"
SIGNS_SECONDS = 30 * 24 * 3600


def keys() -> list[RSAKey]:
    """All keys, the one that signs first. A key is dropped when its last token has expired."""
    if "signing_keys" not in g:  # a request signs and reads several tokens
        g.signing_keys = _known()
    return g.signing_keys


def _known() -> list[RSAKey]:
    with transaction() as db:
        kept = sorted(db.records(SigningKey), key=lambda key: -key.createdTime)
        if not kept or kept[0].createdTime <= now() - SIGNS_SECONDS:
            life = db.settings(ProjectSettings).refresh_seconds
            for old in kept:
                if old.createdTime < now() - SIGNS_SECONDS - life:
                    db.drop(old)
            kept = [db.keep(_new_key()), *kept]
    return [_imported(json.dumps(each.private)) for each in kept]


def signing_key() -> RSAKey:
    return keys()[0]


def jwks() -> dict[str, Any]:
    """The public halves, as the discovered address serves them."""
    return {"keys": [key.as_dict(private=False) for key in keys()]}


def header(key: RSAKey) -> dict[str, str]:
    """A token's header; the SDK needs both names."""
    return {"alg": ALGORITHM, "kid": key.kid or ""}


def sign(claims: dict[str, Any]) -> str:
    key = signing_key()
    return jwt.encode(header(key), claims, key, algorithms=[ALGORITHM])


def read(token: str) -> dict[str, Any]:
    """The claims of a token of ours, be it old or not; {} for any other text."""
    try:
        return dict(jwt.decode(token, KeySet([*keys()]), algorithms=[ALGORITHM]).claims)
    except (JoseError, ValueError, TypeError):
        return {}


@lru_cache(maxsize=8)
def _imported(private: str) -> RSAKey:
    """A key from its JSON; taking one in proves its primes, which is most of a sign-in's work."""
    return RSAKey.import_key(json.loads(private))


def _new_key() -> SigningKey:
    parameters: Any = {"use": "sig", "alg": ALGORITHM}
    key = RSAKey.generate_key(2048, parameters, auto_kid=True)
    return SigningKey(kid=key.kid or "", private=key.as_dict(private=True))
