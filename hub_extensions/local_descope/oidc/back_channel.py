"""OpenID Connect Back-Channel Logout 1.0: an application is told of each session of its that ends.

It is told after the commit and beside the answer: one that is away holds nothing up. As in Descope,
an application has its address in its setting `backChannelLogoutUrl`.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Sequence
from typing import Any

import requests
from flask import Flask, current_app
from joserfc import jwt
from sqlalchemy import event

from ..models import Session
from ..records import now
from ..store import Transaction
from . import keys
from .server import Client, clients
from .sessions import ENDED

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_SECONDS = 120
SECONDS = 3


@event.listens_for(Transaction, "after_commit")
def _tell(db: Any) -> None:
    if ended := db.info.pop(ENDED, ()):
        app = current_app._get_current_object()  # pyright: ignore[reportAttributeAccessIssue]
        threading.Thread(target=_post, args=(app, ended), daemon=True).start()


def _post(app: Flask, ended: Sequence[Session]) -> None:
    with app.app_context():
        told = {client.client_id: client for client in clients()}
        for session in ended:
            client = told.get(session.client_id)
            address = client.application.oidc.backChannelLogoutUrl if client else ""
            if not client or not address:
                continue
            form = {"logout_token": logout_token(client, session)}
            try:
                requests.post(address, data=form, timeout=SECONDS, allow_redirects=False)
            except requests.RequestException as error:
                logging.getLogger(__name__).warning(
                    "%s was not told of a sign-out (%s)", address, type(error).__name__
                )


def logout_token(client: Client, session: Session) -> str:
    """Section 2.4: whose session ended, and which."""
    key, moment = keys.signing_key(), now()
    claims = {
        "iss": client.issuer,
        "aud": client.client_id,
        "iat": moment,
        "exp": moment + TOKEN_SECONDS,
        "jti": uuid.uuid4().hex,
        "sub": session.user_id,
        "sid": session.id,
        "events": {EVENT: {}},
    }
    header = keys.header(key) | {"typ": "logout+jwt"}
    return jwt.encode(header, claims, key, algorithms=[keys.ALGORITHM])
