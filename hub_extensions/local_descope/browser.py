"""The browser at hand: which one it is, who is signed in with it, and a message to its person.

Flask's signed cookie holds two random values and the id of a session, which is in the store, so
that it can be ended and outlives a restart.
"""

from __future__ import annotations

import secrets

from flask import Response, abort, make_response, render_template, request, session

from .models import Session
from .oidc import sessions
from .parts import parts, transaction
from .records import User
from .store import digest_of


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


def signed_in() -> Session | None:
    """The session of this browser; none when it ended or its user was disabled since."""
    with transaction() as db:
        found = db.get(Session, session.get("signed_in", ""))
        user = db.record(User, found.user_id) if found else None
    living = found and not found.is_expired() and not found.is_revoked()
    return found if living and user and user.status == "enabled" else None


def sign_in(user_id: str, amr: list[str]) -> Session:
    """Begin a new session of this browser. One that it had is forgotten here; what applications
    made of it goes on, as it may be somebody else's who was sent a link."""
    found = sessions.begin(user_id, amr)
    session["signed_in"] = found.id
    return found


def sign_out() -> None:
    """End this browser's session, also for a copy of its cookie."""
    if ended := session.pop("signed_in", ""):
        sessions.end(ended)


def _kept(name: str) -> str:
    if name not in session:
        session.permanent = True
        session[name] = secrets.token_urlsafe(24)
    return session[name]


def said(title: str, text: str, status: int = 400, action: str = "Start again") -> Response:
    """A page that says something, with one button: to the page of what they signed in to."""
    address = parts().config.start_url
    page = render_template("message.html", title=title, text=text, action=action, address=address)
    return make_response(page, status)
