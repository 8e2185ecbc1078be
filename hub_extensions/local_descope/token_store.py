"""Codes and tokens in the store: given, found, spent, revoked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update

from .models import Code, Token, now
from .store import Store, digest_of

CODE_SECONDS = 60
ACCESS_SECONDS = 600
REFRESH_SECONDS = 28 * 24 * 3600


class TokenStore:
    """The tokens that one sign-in leads to are a family, and are revoked together."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add_code(self, code: str, **columns: Any) -> None:
        with self._store.begin() as db:
            db.execute(delete(Token).where(Token.expires_at < now()))
            # A spent code is remembered for as long as tokens of it may live.
            db.execute(delete(Code).where(Code.expires_at < now() - REFRESH_SECONDS))
            db.add(Code(digest=digest_of(code), expires_at=now() + CODE_SECONDS, **columns))

    def code(self, code: str) -> Code | None:
        """The code, if it can still be exchanged. One that was is a replay: it ends its family."""
        with self._store.begin() as db:
            found = db.get(Code, digest_of(code))
        if found and found.used_at:
            self.revoke_family(found.digest)
            return None
        return found if found and found.expires_at > now() else None

    def spend_code(self, digest: str) -> bool:
        """Whether this call, and no other, has spent the code."""
        spent = update(Code).where(Code.digest == digest, Code.used_at.is_(None))
        with self._store.begin() as db:
            return db.execute(spent.values(used_at=now())).rowcount == 1  # pyright: ignore[reportAttributeAccessIssue]

    def add(self, kind: str, token: str, **columns: Any) -> None:
        """Store a token of the kind "access" or "refresh"; a known one stays as it is."""
        life = ACCESS_SECONDS if kind == "access" else REFRESH_SECONDS
        with self._store.begin() as db:
            if db.get(Token, digest_of(token)) is None:
                row = Token(digest=digest_of(token), kind=kind, expires_at=now() + life, **columns)
                db.add(row)

    def token(self, kind: str | None, token: str) -> Token | None:
        """The token, of any kind if none is named, be it expired, revoked or good."""
        with self._store.begin() as db:
            found = db.get(Token, digest_of(token))
        return found if found and kind in {None, found.kind} else None

    def revoke(self, digest: str) -> bool:
        """Revoke one token; whether this call did."""
        revoked = update(Token).where(Token.digest == digest, Token.revoked_at.is_(None))
        with self._store.begin() as db:
            return db.execute(revoked.values(revoked_at=now())).rowcount == 1  # pyright: ignore[reportAttributeAccessIssue]

    def revoke_family(self, family: str) -> None:
        with self._store.begin() as db:
            tokens = db.scalars(
                select(Token).where(Token.family == family, Token.revoked_at.is_(None))
            )
            for token in tokens:
                token.revoked_at = now()
