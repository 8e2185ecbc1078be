"""Descope's own calls about sessions, for programs that use its SDK and not OpenID Connect."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from .errors import DescopeError
from .management.frame import project_bearer
from .management.users import shown
from .models import Session
from .oidc import keys, sessions
from .oidc.claims import authority
from .oidc.sessions import REFRESH, SESSION
from .parts import parts, transaction
from .records import ProjectSettings, User, now

blueprint = Blueprint("session_api", __name__)


@blueprint.post("/v1/auth/refresh")
def refresh() -> Response:
    return _answer(sessions.refresh(_mine()))


@blueprint.post("/v1/auth/logout")
def logout() -> Response:
    sessions.end(_mine().id)
    return jsonify(sessionJwt="", refreshJwt="")


@blueprint.get("/v1/auth/me")
def me() -> Response:
    return jsonify(_user(_mine()))


@blueprint.post("/v1/auth/accesskey/exchange")
def exchange_access_key() -> Response:
    """A session JWT for an access key, with the key's roles and no refresh token."""
    cleartext = project_bearer()
    key = sessions.living_key(cleartext)
    if key is None:
        raise DescopeError("E062803" if cleartext else "E062802")
    with transaction() as db:
        expires = now() + db.settings(ProjectSettings).session_seconds
        roles = authority(db, key.roleNames, key.keyTenants)
    claims = {"iss": parts().config.project_id, "sub": key.id, "drn": SESSION, "iat": now()}
    token = keys.sign(claims | roles | {"exp": expires})
    return jsonify(keyId=key.id, sessionJwt=token, expiration=expires)


def _mine() -> Session:
    return sessions.find(project_bearer(), REFRESH)


def _user(session: Session) -> dict[str, Any]:
    with transaction() as db:
        user = db.record(User, session.user_id)
        return shown(db, user) if user else {}


def _answer(session: Session) -> Response:
    tokens = sessions.tokens(session)
    return jsonify(
        sessionJwt=tokens["session"],
        refreshJwt=tokens["refresh"],
        cookieDomain="",
        cookiePath="/",
        cookieMaxAge=session.expires_at - now(),
        cookieExpiration=session.expires_at,
        sessionExpiration=now() + tokens["seconds"],
        user=_user(session),
        firstSeen=False,
    )
