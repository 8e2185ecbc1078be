"""How a sign-in ends at the hub: who this person is, and what is written down of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyterhub import orm
from jupyterhub.user import User
from jupyterhub.utils import url_path_join
from sqlalchemy import select
from tornado import web
from tornado.httputil import url_concat

from .. import audit, grants
from ..turns import turn
from . import identity_notices, sessions, sign_out
from .opening import open_server
from .pending import browser_cookie, digest
from .rate_limit import RateLimited


class EndsSignIn(RateLimited):
    """What the handlers that end a sign-in share."""

    @property
    def browser(self) -> str:
        """The digest of this browser's cookie, "" where there is none."""
        cookie = self.get_cookie(browser_cookie(self))
        return digest(cookie) if cookie else ""

    next_url = ""
    #: How a refusal is written down, and whom it is about as far as that is known.
    refusal: audit.Action = "sign-in-refused"
    refused = ""

    def _request_summary(self) -> str:
        """For the log: the query carries a code and a state. Called by Tornado."""
        return f"{self.request.method} {self.request.path}"

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Tornado's, without the request itself, whose address it prints. Called by Tornado.

        A refusal is in the audit trail, with the sentence that the person reads.
        """
        if isinstance(value, web.HTTPError) and value.status_code < 500:
            audit.record(self.refusal, user=self.refused, reason=value.log_message or "")
        if isinstance(value, web.HTTPError):
            super().log_exception(typ, value, tb)
        else:
            self.log.error("Failed: %s", self._request_summary(), exc_info=(typ, value, tb))

    @property
    def template_namespace(self) -> dict[str, Any]:
        """JupyterHub's, and where "Try again" on an error page leads: the address asked for."""
        again = {"next": self.next_url} if self.next_url else {}
        retry = url_concat(url_path_join(self.hub.base_url, "login"), again)
        return {**super().template_namespace, "retry_url": retry}

    async def auth_to_user(self, authenticated: dict[str, Any], user: Any = None) -> User:
        """JupyterHub's, with the person bound to their identity and their grants recorded."""
        claims = self.authenticator.claims_of(authenticated)
        self.bind(authenticated)
        await self._end_weaker_sessions(authenticated["name"], claims)
        user = await super().auth_to_user(authenticated, user)
        self._check_identity(user.name, claims["sub"])
        sessions.begin(self.db, user.orm_user)
        self.authenticator.record(self.db, user.orm_user, claims)
        tenant = self.authenticator.tenant_of(claims) or ""
        audit.record("signed-in", user=user.name, how=_methods(claims), tenant=tenant)
        return user

    async def _end_weaker_sessions(self, name: str, claims: dict[str, Any]) -> None:
        """JupyterHub's groups are a person's, in each of their browsers. Where roles count only
        for some ways of signing in, a browser that came in by another must not get them too."""
        known = self.find_user(name)
        if known is None or not self.authenticator.signed_in_well(claims):
            return
        state = await known.get_auth_state()
        before = (state or {}).get(self.authenticator.user_auth_state_key)
        if before and not self.authenticator.signed_in_well(before):
            await sign_out.end_everything(self.app, known)
            reason = "roles count by another way of signing in"
            audit.record("session-ended", user=name, by="hub", reason=reason)

    def bind(self, authenticated: dict[str, Any]) -> None:
        """Name the hub user who this person is; the address may have changed, they have not.

        Raises:
            web.HTTPError: 403, somebody else has used this address here before.
        """
        claims = self.authenticator.claims_of(authenticated)
        bound = self.db.scalar(
            select(grants.Identity).filter_by(
                issuer=self.authenticator.project_id, subject=claims["sub"]
            )
        )
        if bound is not None:
            name = str(self.db.get(orm.User, bound.user_id).name)
            authenticated["name"] = name
            authenticated["admin"] = self.authenticator.is_hub_admin(name, claims)
        self._check_identity(authenticated["name"], claims["sub"])

    def _check_identity(self, name: str, subject: str) -> None:
        """Refuse a second person who comes with the first one's address."""
        known = self.find_user(name)
        identity = self.db.get(grants.Identity, known.id) if known else None
        if identity and identity.subject != subject:
            self.log.error("Refused: another identity came with the address of %s", name)
            self.refusal, self.refused = "identity-refused", name
            identity_notices.notice(self.db, known.orm_user, subject)
            raise web.HTTPError(
                403,
                "This e-mail address belongs to somebody who used it here before you. "
                "Please ask the people who run this site to sort it out.",
            )

    async def finish_sign_in(self, next_url: str) -> None:
        """Sign in whoever `authenticate` gives, and go where they wanted to go."""
        authenticated = await self.authenticate(None)
        await turn(self)  # the provider has answered for several at once
        async with self.authenticator.lock(authenticated["name"] if authenticated else ""):
            user = await self.login_user()  # sets the cookie too: no other sign-in comes between
        if user is None:
            raise web.HTTPError(403, self.authenticator.custom_403_message)
        next_url = await open_server(self, user, next_url)
        self.redirect(next_url or str(self.get_next_url(user)))

    def append_query_parameters(self, url: str, exclude: list[str] | None = None) -> str:
        """Codes and states are not for the next address."""
        return url


def _methods(claims: Mapping[str, Any]) -> str:
    """How somebody signed in, by the words of the ID token (RFC 8176)."""
    said = claims.get("amr")
    return ", ".join(str(method) for method in said) if isinstance(said, list) else ""
