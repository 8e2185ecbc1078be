"""OpenID Connect Back-Channel Logout 1.0: the provider says that it has signed somebody out.

It posts a logout token to `/hub/backchannel-logout`. Signing out means everywhere here: the token
ends every session of the person, and not only the one in its `sid`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from jupyterhub import orm
from jupyterhub.user import User
from sqlalchemy import select

from .. import audit, grants
from . import pending, provider, sessions, sign_out
from .confirming import is_there
from .provider import LEEWAY, InvalidToken, UnknownSignature, number
from .rate_limit import RateLimited

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
#: A token of less than 16 KB is enough for anybody; more is refused unread.
_LARGEST: Final = 16 * 1024
#: A token counts for so many seconds from its `iat`, whatever its `exp`.
_FRESH: Final = 300
#: Anybody may send a token of an unknown key: it makes the hub ask for keys this often at most.
_KEYS_SECONDS: Final = 30
_LONGEST: Final = 255


@dataclass(frozen=True, kw_only=True)
class Logout:
    """A logout token that has passed every check. One of `subject` and `session` is not ""."""

    id: str
    issued_at: float
    subject: str
    session: str


def verified_logout(token: str, keys: KeySet, *, issuer: str, audience: str) -> Logout:
    """What a logout token says, after every check of section 2.6 but that of its `jti`.

    Raises:
        InvalidToken: signature, algorithm, a claim or its time is not right.
    """
    claims = provider.signed_claims(token, keys)
    moment, issued_at = time.time(), number(claims.get("iat"))
    named, events = claims.get("aud"), claims.get("events")
    id, subject, session = (_text(claims, name) for name in ("jti", "sub", "sid"))
    checks = {
        "issuer": claims.get("iss") == issuer,
        "audience": audience in (named if isinstance(named, list) else [named]),
        "time of issue": moment - _FRESH - LEEWAY < issued_at < moment + LEEWAY,
        "expiry": number(claims.get("exp")) > moment - LEEWAY,
        "event": isinstance(events, Mapping) and isinstance(events.get(EVENT), Mapping),
        "nonce": "nonce" not in claims,  # so that no ID token passes for a logout token
        "id": bool(id),
        "subject": bool(subject or session),
    }
    for name, holds in checks.items():
        if not holds:
            raise InvalidToken(f"Logout token has a wrong {name}")
    return Logout(id=id, issued_at=issued_at, subject=subject, session=session)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise InvalidToken(f"Logout token has a wrong {name}")
    return value


class UsedTokens:
    """The tokens that were used and would still count. In memory: a token that is sent again
    after a restart ends what has ended."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def spend(self, logout: Logout) -> None:
        """Note that a token was used.

        Raises:
            InvalidToken: it was before.
        """
        moment = time.time()
        self._until = {id: until for id, until in self._until.items() if until > moment}
        if logout.id in self._until:
            raise InvalidToken("Logout token was used before")
        self._until[logout.id] = logout.issued_at + _FRESH + LEEWAY


def ends(logout: Logout, held: Mapping[str, Any]) -> bool:
    """Whether a logout is of what the hub holds: of the claims in the kept ID token.

    The hub's own sign-out makes the provider send one too. It may come when the person has already
    signed in again, and must not end that. A provider that says no `sid` may do so within a second.
    """
    if not logout.subject:
        return held.get("sid") == logout.session
    began = number(held.get("iat"))
    another = bool(logout.session and held.get("sid")) and held["sid"] != logout.session
    return not (began > logout.issued_at or (another and began == logout.issued_at))


def id_token_claims(auth_state: Mapping[str, Any]) -> dict[str, Any]:
    """The claims of the ID token that is kept; it was verified when it came."""
    try:
        return json.loads(jws.extract_compact(str(auth_state.get("id_token")).encode()).payload)
    except (JoseError, ValueError):
        return {}


class BackChannelHandler(RateLimited):
    """`POST /hub/backchannel-logout`, by the provider. It has no cookie and so no XSRF token."""

    _used = UsedTokens()

    def check_xsrf_cookie(self) -> None:
        """Called by JupyterHub: the signed token is what counts."""

    async def post(self) -> None:
        self.set_header("Cache-Control", "no-store")
        try:
            logout = await self._read()
            self._used.spend(logout)
        except InvalidToken as error:
            self.log.warning("Refused a back-channel logout: %s", error)
            self.set_status(400)
            self.finish({"error": "invalid_request", "error_description": str(error)})
            return
        pending.forget_held(lambda held: self._is_over(held, logout))
        for user in self._whose(logout):
            await self._end(user, logout)
        self.finish()

    async def _read(self) -> Logout:
        if len(self.request.body) > _LARGEST:
            raise InvalidToken("The request is too large")
        token = self.get_body_argument("logout_token", "")
        expected = {
            "issuer": self.authenticator.provider_metadata["issuer"],
            "audience": self.authenticator.client_id,
        }
        try:
            return verified_logout(token, await self.authenticator.keys(), **expected)
        except UnknownSignature:
            keys = await self.authenticator.keys(known_for=_KEYS_SECONDS)
            return verified_logout(token, keys, **expected)

    def _whose(self, logout: Logout) -> list[User]:
        """The hub user with this subject; without one, everybody who may have this session."""
        query = select(grants.Identity).filter_by(issuer=self.authenticator.project_id)
        if logout.subject:
            query = query.filter_by(subject=logout.subject)
        people = [self.db.get(orm.User, identity.user_id) for identity in self.db.scalars(query)]
        return [self._user_from_orm(person) for person in people]

    def _is_over(self, held: pending.HeldSignIn, logout: Logout) -> bool:
        subject = self.authenticator.claims_of(held.auth_model)["sub"]
        claims = id_token_claims(held.auth_model["auth_state"])
        return subject == (logout.subject or subject) and ends(logout, claims)

    async def _end(self, user: User, logout: Logout) -> None:
        async with self.authenticator.lock(user.name):
            state = await user.get_auth_state() or {}
            if is_there(user) and ends(logout, id_token_claims(state)):
                was_signed_in = self.db.get(sessions.Session, user.id) is not None
                # Else it is the echo of a sign-out that began here, which may have left a lab.
                await sign_out.end_everything(self.app, user, lab=was_signed_in)
                if was_signed_in:
                    audit.record(
                        "session-ended", user=user.name, by="provider", reason="signed out"
                    )


handlers: Final = [(r"/backchannel-logout", BackChannelHandler)]
