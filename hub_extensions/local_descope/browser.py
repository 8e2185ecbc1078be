"""The browser at hand: which one it is, its form token, and who is signed in with it.

Flask's signed cookie holds three random values; who they stand for is in the store, so that a
session can be ended and outlives a restart.
"""

from __future__ import annotations

import secrets

from flask import abort, request, session

from .grants import SignedIn
from .models import ProviderSession, now
from .parts import parts
from .store import digest_of

SESSION_SECONDS = 28 * 24 * 3600


def browser_id() -> str:
    """What tells this browser from others; runs belong to it."""
    return digest_of(_kept("browser"))


def form_token() -> str:
    """The hidden field that every form of ours carries."""
    return _kept("form")


def check_form_token() -> None:
    """End the request with 400 unless its form is one that we gave this browser."""
    if not secrets.compare_digest(
        request.form.get("form_token", "").encode(), form_token().encode()
    ):
        abort(400, "This form is out of date. Go back, load the page again, and send it anew.")


def signed_in() -> SignedIn | None:
    """Who is signed in with this browser; nobody when the user was disabled since."""
    with parts().store.begin() as db:
        found = db.get(ProviderSession, digest_of(session.get("signed_in", "")))
    if found is None or found.expires_at <= now() or not parts().store.user(found.user_id):
        return None
    return SignedIn(user_id=found.user_id, auth_time=found.auth_time)


def sign_in(user_id: str) -> SignedIn:
    """Begin a new session of this browser; one that it had is ended."""
    sign_out()
    secret = session["signed_in"] = secrets.token_urlsafe(32)
    who = SignedIn(user_id=user_id, auth_time=now())
    with parts().store.begin() as db:
        db.add(
            ProviderSession(
                digest=digest_of(secret),
                user_id=user_id,
                auth_time=who.auth_time,
                expires_at=now() + SESSION_SECONDS,
            )
        )
    return who


def sign_out() -> None:
    """End this browser's session, also for a copy of its cookie."""
    with parts().store.begin() as db:
        found = db.get(ProviderSession, digest_of(session.pop("signed_in", "")))
        if found:
            db.delete(found)


def _kept(name: str) -> str:
    if name not in session:
        session.permanent = True
        session[name] = secrets.token_urlsafe(24)
    return session[name]
