"""Sessions and their two tokens, session and refresh JWT, as Descope has them.

A session is a row; its tokens say which it is, and count for nothing once it has ended. Where
refresh tokens rotate, each names a generation: one of an earlier generation was used before, and
ends the session (docs.descope.com, Session Management; error E064006).
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from ..errors import DescopeError
from ..models import Session
from ..parts import parts, transaction
from ..records import AccessKey, ProjectSettings, User, new_id, now
from ..store import Transaction, digest_of
from . import keys
from .claims import authority

SESSION = "DS"
REFRESH = "DSR"
#: An ended session is remembered for as long, so that its tokens are known as its.
FORGET_SECONDS = 28 * 24 * 3600
#: Where a transaction keeps the applications' sessions that end with it (`back_channel.py`).
ENDED = "ended"


def begin(user_id: str, amr: list[str], **columns: Any) -> Session:
    """A new session of a user who signed in by the methods in `amr`."""
    columns = {"auth_time": now()} | columns
    session = Session(id=new_id("SES"), user_id=user_id, amr=amr, **columns)
    with transaction() as db:
        db.execute(delete(Session).where(Session.expires_at < now() - FORGET_SECONDS))
        session.expires_at = now() + db.settings(ProjectSettings).refresh_seconds
        db.add(session)
    return session


def tokens(session: Session, scope: str = "") -> dict[str, Any]:
    """The session's two tokens at this moment, and the seconds for which the first lives.

    `scope` narrows what the first is good for; its session's own is as it was (RFC 6749, 6).
    """
    with transaction() as db:
        user = db.record(User, session.user_id)
        life = db.settings(ProjectSettings).session_seconds
        known = authority(db, user.roleNames, user.userTenants) if user else {"tenants": {}}
    if len(known["tenants"]) == 1:
        known["dct"] = next(iter(known["tenants"]))
    ends = datetime.fromtimestamp(session.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    common = {
        "iss": parts().config.project_id,
        "sub": session.user_id,
        "sid": session.id,
        "amr": session.amr,
    }
    short = {
        "drn": SESSION,
        "iat": now(),
        "exp": min(now() + life, session.expires_at),
        "jti": uuid.uuid4().hex,
        "rexp": ends,
        "scope": scope or session.scope,
    }
    # The same token each time, as long as it is not rotated.
    long = {
        "drn": REFRESH,
        "iat": session.auth_time,
        "exp": session.expires_at,
        "generation": session.generation,
    }
    return {
        "session": keys.sign(common | known | short),
        "refresh": keys.sign(common | long),
        "seconds": life,
    }


def find(token: str, *kinds: str) -> Session:
    """The living session of a token of such a kind, whose user is enabled.

    Raises:
        DescopeError: there is none. A refresh token that was used before ends its session.
    """
    claims = keys.read(token)
    kind = claims.get("drn")
    if kind not in kinds or not claims.get("sid"):
        raise DescopeError("E061005")
    with transaction() as db:
        session = db.get(Session, claims["sid"])
        user = db.record(User, session.user_id) if session else None
    if session is None or user is None or user.status != "enabled":
        raise DescopeError("E061003")
    if session.is_expired() or claims.get("exp", 0) <= now():
        raise DescopeError("E061002" if kind == REFRESH else "E061005", "Token expired")
    if kind == REFRESH and claims.get("generation") != session.generation:
        end(session.id)
        raise DescopeError("E064006")
    if session.is_revoked() or claims.get("jti") in session.revoked:
        raise DescopeError("E061003")
    if kind == SESSION:
        session.scope = claims.get("scope", "")
    return session


def refresh(session: Session) -> Session:
    """Spend the session's refresh token, where they rotate; of two at once one can.

    Raises:
        DescopeError: the other one did; the session has ended.
    """
    with transaction() as db:
        kept = db.get_one(Session, session.id)
        spent = kept.generation != session.generation or kept.is_revoked()
        if not spent and db.settings(ProjectSettings).rotateJwt:
            kept.generation += 1
    if spent:
        end(session.id)
        raise DescopeError("E064006")
    return kept


def revoke(session: Session, token: str) -> None:
    """End what a token stands for: a refresh token its session, a session JWT itself."""
    claims = keys.read(token)
    if claims["drn"] == REFRESH:
        return end(session.id)
    with transaction() as db:
        kept = db.get_one(Session, session.id)
        kept.revoked = [*kept.revoked, claims["jti"]]


def end(session_id: str) -> None:
    """End a session, and those of clients that came from it."""
    with transaction() as db:
        _end(db, or_(Session.id == session_id, Session.parent == session_id))


def living_key(cleartext: str) -> AccessKey | None:
    """The access key with this text, if it is active and not expired."""
    with transaction() as db:
        mine = [k for k in db.records(AccessKey) if k.digest == digest_of(cleartext)]
    return next((k for k in mine if k.status == "active" and not 0 < k.expireTime <= now()), None)


def end_sessions(db: Transaction, user_id: str) -> None:
    """End every session of a user, browsers' too."""
    _end(db, Session.user_id == user_id)


def _end(db: Transaction, which: ColumnElement[bool]) -> None:
    living = and_(which, Session.ended_at.is_(None))
    theirs = list(db.scalars(select(Session).where(living, Session.client_id != "")))
    db.info[ENDED] = [*db.info.get(ENDED, ()), *theirs]
    db.execute(update(Session).where(living).values(ended_at=now()))
