"""Sign-ins that are under way: sent to the provider, or waiting for their person's "Continue"."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from jupyterhub import orm
from jupyterhub.handlers import BaseHandler
from sqlalchemy import Unicode, UnicodeText, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .. import grants

BROWSER_COOKIE: Final = "atrium-browser"
LIFETIME: Final = timedelta(hours=1)
_MOST_PENDING: Final = 10_000
_LONGEST_ADDRESS: Final = 4_000
_HELD_SECONDS: Final = 300
_MOST_HELD: Final = 1_000


class PendingSignIn(orm.Base):
    """A sign-in that has been sent to the provider and has not come back."""

    __tablename__ = "atrium_sign_ins"
    state_id: Mapped[str] = mapped_column(Unicode(64), primary_key=True)
    browser: Mapped[str] = mapped_column(Unicode(64))
    code_verifier: Mapped[str] = mapped_column(Unicode(128))
    next_url: Mapped[str] = mapped_column(UnicodeText)
    #: The person must say "yes, that is me" before anything is signed in.
    confirm: Mapped[bool]
    created_at: Mapped[datetime]


def create_tables(db: Session) -> None:
    """Make the table of this module where it is missing."""
    PendingSignIn.__table__.create(db.get_bind(), checkfirst=True)


def forget_old(db: Session) -> None:
    """Sign-ins that nobody finished; and the oldest of too many, should somebody flood us."""
    db.execute(delete(PendingSignIn).where(PendingSignIn.created_at < grants.now() - LIFETIME))
    pending = db.scalar(select(func.count()).select_from(PendingSignIn)) or 0
    if pending >= _MOST_PENDING:
        oldest = select(PendingSignIn.state_id).order_by(PendingSignIn.created_at)
        db.execute(
            delete(PendingSignIn).where(
                PendingSignIn.state_id.in_(oldest.limit(_MOST_PENDING // 10))
            )
        )


def browser_cookie(handler: BaseHandler) -> str:
    """The cookie that ties a sign-in to its browser.

    With subdomains it is a `__Host-` one, which no page of a subdomain can plant.
    """
    return f"__Host-{BROWSER_COOKIE}" if handler.subdomain_host else BROWSER_COOKIE


def digest(value: str) -> str:
    """What is kept of a browser's cookie."""
    return hashlib.sha256(value.encode()).hexdigest()


def state_id_of(state: str) -> str:
    """The id in a `state` parameter, "" for anything that we have not made."""
    try:
        found = json.loads(base64.urlsafe_b64decode(state.encode("ascii")))
    except (ValueError, UnicodeError):
        return ""
    state_id = found.get("state_id") if isinstance(found, dict) else None
    return state_id if isinstance(state_id, str) and state_id.isalnum() else ""


def own_path(address: str) -> str:
    """An address of this hub as path and query, or "" for one of anywhere else."""
    parts = urlsplit(address)
    plain = address.startswith("/") and not address.startswith("//") and "\\" not in address
    if not plain or parts.scheme or parts.netloc or len(address) > _LONGEST_ADDRESS:
        return ""
    return address if address.isprintable() else ""


@dataclass(frozen=True, kw_only=True)
class HeldSignIn:
    """A sign-in that waits for its person's "Continue". Kept in memory only: it holds tokens."""

    auth_model: dict[str, Any]
    next_url: str
    browser: str
    since: float


_held: dict[str, HeldSignIn] = {}


def hold(held: HeldSignIn) -> str:
    """Keep a sign-in until its person has answered; returns its key."""
    for key, other in list(_held.items()):
        if time.monotonic() - other.since > _HELD_SECONDS or len(_held) >= _MOST_HELD:
            del _held[key]
    key = secrets.token_urlsafe(32)
    _held[key] = held
    return key


def forget_held(is_over: Callable[[HeldSignIn], bool]) -> None:
    """Drop the sign-ins that the provider has ended meanwhile."""
    for key, held in list(_held.items()):
        if is_over(held):
            del _held[key]


def take_held(key: str) -> HeldSignIn | None:
    """The sign-in that was kept under this key, once, while it is fresh."""
    held = _held.pop(key, None)
    return held if held and time.monotonic() - held.since <= _HELD_SECONDS else None
