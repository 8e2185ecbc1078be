"""The keys that sign tokens. Each month a new one takes over; the old ones stay known for what
they signed, so that nobody is signed out."""

from __future__ import annotations

from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from ..records import ProjectSettings, SigningKey, now
from ..store import Store

ALGORITHM = "RS256"
SIGNS_SECONDS = 30 * 24 * 3600


class Keys:
    """Signs tokens and reads its own. The keys outlive a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def _keys(self) -> list[RSAKey]:
        """All keys, the one that signs first. A key is dropped when its last token has expired."""
        with self._store.begin() as db:
            kept = sorted(db.records(SigningKey), key=lambda key: -key.createdTime)
            if not kept or kept[0].createdTime <= now() - SIGNS_SECONDS:
                life = db.settings(ProjectSettings).refresh_seconds
                for old in kept:
                    if old.createdTime < now() - SIGNS_SECONDS - life:
                        db.drop(old)
                kept = [db.keep(_new_key()), *kept]
        return [RSAKey.import_key(each.private) for each in kept]

    @property
    def signing_key(self) -> RSAKey:
        return self._keys()[0]

    @property
    def jwks(self) -> dict[str, Any]:
        """The public halves, as the discovered address serves them."""
        return {"keys": [key.as_dict(private=False) for key in self._keys()]}

    @staticmethod
    def header(key: RSAKey) -> dict[str, str]:
        """A token's header; the SDK needs both names."""
        return {"alg": ALGORITHM, "kid": key.kid or ""}

    def sign(self, claims: dict[str, Any]) -> str:
        key = self.signing_key
        return jwt.encode(self.header(key), claims, key, algorithms=[ALGORITHM])

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a token of ours, be it old or not; {} for any other text."""
        try:
            return dict(jwt.decode(token, KeySet([*self._keys()]), algorithms=[ALGORITHM]).claims)
        except (JoseError, ValueError, TypeError):
            return {}


def _new_key() -> SigningKey:
    parameters: Any = {"use": "sig", "alg": ALGORITHM}
    key = RSAKey.generate_key(2048, parameters, auto_kid=True)
    return SigningKey(kid=key.kid or "", private=key.as_dict(private=True))
