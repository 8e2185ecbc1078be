"""The keys that sign tokens. A new one takes over; the old ones stay known for what they signed."""

from __future__ import annotations

from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from ..records import ProjectSettings, SigningKey, now
from ..store import Store

ALGORITHM = "RS256"


class Keys:
    """Signs tokens and reads its own. The keys outlive a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        if not self._keys():
            self.rotate()

    def _keys(self) -> list[RSAKey]:
        with self._store.begin() as db:
            kept = sorted(db.records(SigningKey), key=lambda key: key.createdTime)
        return [RSAKey.import_key(each.private) for each in kept]

    def rotate(self) -> None:
        """Sign with a new key from now on. A key is forgotten when its last token has expired."""
        parameters: Any = {"use": "sig", "alg": ALGORITHM}
        key = RSAKey.generate_key(2048, parameters, auto_kid=True)
        with self._store.begin() as db:
            life = db.settings(ProjectSettings).refresh_seconds
            kept = db.records(SigningKey)
            for old in kept:
                if old.retiredTime and old.retiredTime < now() - life:
                    db.drop(old)
                elif not old.retiredTime:
                    db.keep(old.changed(retiredTime=now()))
            newest = max((old.createdTime for old in kept), default=0)
            private = key.as_dict(private=True)
            created = max(now(), newest + 1)
            db.keep(SigningKey(kid=key.kid or "", private=private, createdTime=created))

    @property
    def signing_key(self) -> RSAKey:
        return self._keys()[-1]

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
