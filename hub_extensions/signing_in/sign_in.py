"""The sign-in's two ends at the hub: sending the browser to the provider, and its return.

oauthenticator keeps a sign-in in one cookie that all tabs share. Here each sign-in is a row under
the id in its `state` parameter, tied to the browser by a cookie of its own, so that tabs do not
disturb each other and the address asked for survives a link opened on another device.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

from jupyterhub.user import User
from jupyterhub.utils import url_path_join
from oauthenticator.oauth2 import (
    OAuthCallbackHandler,
    OAuthLoginHandler,
    _deserialize_state,
    _serialize_state,
)
from sqlalchemy import delete
from tornado import web
from tornado.httputil import url_concat

from .. import grants
from . import provider, sign_out
from .ending import EndsSignIn
from .pending import (
    LIFETIME,
    HeldSignIn,
    PendingSignIn,
    browser_cookie,
    digest,
    forget_old,
    hold,
    own_path,
    state_id_of,
    take_held,
)
from .rate_limit import RateLimited


class SignInHandler(RateLimited, OAuthLoginHandler):
    """`/hub/oauth_login`: sends the browser to the provider with state, nonce and PKCE."""

    begins_sign_in = True

    def get(self) -> None:
        again = self.get_argument("again", "")
        self._confirm = bool(again)
        earlier = self.db.get(PendingSignIn, again) if again else None
        self._next_url = earlier.next_url if earlier else own_path(self.get_argument("next", ""))
        super().get()

    def _get_next_url(self) -> str:
        return self._next_url

    def set_state_cookie(self, state_cookie_value: str) -> None:
        """Keep the sign-in under its state id. Called by oauthenticator's `get`."""
        state = _deserialize_state(state_cookie_value)
        self._code_verifier = state["code_verifier"]
        name = browser_cookie(self)
        browser = self.get_cookie(name) or secrets.token_urlsafe(32)
        self._set_cookie(
            name,
            browser,
            encrypted=False,
            path=self.hub.base_url,
            samesite="Lax",
            max_age=int(LIFETIME.total_seconds()),
        )
        forget_old(self.db)
        self.db.add(
            PendingSignIn(
                state_id=state["state_id"],
                browser=digest(browser),
                code_verifier=self._code_verifier,
                next_url=self._next_url,
                confirm=self._confirm,
                created_at=grants.now(),
            )
        )
        self.db.commit()

    def authorize_redirect(self, *args: Any, **kwargs: Any) -> None:
        """Adds the nonce, and after a sign-out the wish to be asked. Called by `get`."""
        kwargs["extra_params"]["nonce"] = provider.nonce_for(self._code_verifier)
        if self.get_cookie(sign_out.ASK_COOKIE):
            kwargs["extra_params"]["prompt"] = "login"
        super().authorize_redirect(*args, **kwargs)


class CallbackHandler(EndsSignIn, OAuthCallbackHandler):
    """`/hub/oauth_callback`: the browser is back with a code."""

    _pending: PendingSignIn | None = None
    _authenticated: dict[str, Any] | None = None

    async def get(self) -> None:
        state_id = state_id_of(self.get_argument("state", ""))
        pending = self.db.get(PendingSignIn, state_id) if state_id else None
        if pending is None or not secrets.compare_digest(pending.browser, self.browser):
            return self._start_again(state_id, pending)
        self._take(pending)
        self.check_error()
        self.check_code()
        was_asked = bool(self.get_cookie(sign_out.ASK_COOKIE))
        self.clear_cookie(sign_out.ASK_COOKIE, path=self.hub.base_url)
        self._authenticated = await self.authenticate(None)
        if not self._authenticated:
            raise web.HTTPError(403, self.authenticator.custom_403_message)
        claims = self.authenticator.claims_of(self._authenticated)
        self.authenticator.rate_limits.signs_in(claims["sub"])
        if self.authenticator.is_too_old(claims):
            return self._have_asked(was_asked)
        self.bind(self._authenticated)
        live = self.current_user
        somebody_else = live is not None and live.name != self._authenticated["name"]
        if pending.confirm or somebody_else:
            return await self._ask(live if somebody_else else None)
        await self.finish_sign_in(pending.next_url)

    def _have_asked(self, was_asked: bool) -> None:
        """The provider let somebody in by a session of its own that is older than one may be here:
        have it ask them who they are. Once: it may not do as it is told."""
        if was_asked:
            raise web.HTTPError(
                403,
                "The sign-in service did not ask you who you are. Sign out there, and come back.",
            )
        sign_out.ask_next_time(self)
        path = url_path_join(self.hub.base_url, "oauth_login")
        self.redirect(url_concat(path, {"next": self.next_url} if self.next_url else {}))

    def check_error(self) -> None:
        """Say that the sign-in did not go through; the provider's words may be anybody's."""
        if self.get_argument("error", ""):
            raise web.HTTPError(400, "The sign-in was not completed. Please try again.")

    def get_state_cookie(self) -> str:
        """The sign-in in oauthenticator's form. Called by its `authenticate`."""
        if self._pending is None:
            return ""
        return _serialize_state({"code_verifier": self._pending.code_verifier})

    async def authenticate(self, data: Any = None) -> dict[str, Any] | None:
        """The auth model, asked for once."""
        return self._authenticated or await super().authenticate(data)

    def _take(self, pending: PendingSignIn) -> None:
        """A state works once."""
        self.db.execute(delete(PendingSignIn).where(PendingSignIn.state_id == pending.state_id))
        self.db.commit()
        self._pending = pending
        self.next_url = pending.next_url

    def _start_again(self, state_id: str, pending: PendingSignIn | None) -> None:
        """A link opened elsewhere, or a forged return: code and state are thrown away."""
        if pending is None:  # not a state of ours, or one that was used
            self.authenticator.rate_limits.went_wrong(self.client_address)
        if pending is not None and pending.confirm and not self.browser:
            raise web.HTTPError(
                400, "Your browser keeps no cookies for this site. Allow them and sign in again."
            )
        self.log.info("A sign-in came back to a browser that did not start it; asking afresh")
        path = url_path_join(self.hub.base_url, "oauth_login")
        self.redirect(url_concat(path, {"again": state_id or "-"}))

    async def _ask(self, live: User | None) -> None:
        """Nobody is signed in as somebody without having said so."""
        assert self._authenticated is not None
        assert self._pending is not None
        held = HeldSignIn(
            auth_model=self._authenticated,
            next_url=self._pending.next_url,
            browser=self.browser,
            since=time.monotonic(),
        )
        html = await self.render_template(
            "continue.html",
            email=self._authenticated["name"],
            live=live.name if live else "",
            held=hold(held),
            action=url_path_join(self.hub.base_url, "continue"),
        )
        self.finish(html)


class ContinueHandler(EndsSignIn):
    """`/hub/continue`: the answer to "Continue as …?". JupyterHub checks the XSRF token."""

    _answered: HeldSignIn | None = None

    async def post(self) -> None:
        held = take_held(self.get_body_argument("held", ""))
        if held is None or not secrets.compare_digest(held.browser, self.browser):
            raise web.HTTPError(400, "This page is no longer valid. Please sign in again.")
        if self.get_body_argument("answer", "") == "yes":
            self._answered = held
            self.bind(held.auth_model)
            return await self.finish_sign_in(held.next_url)
        auth_state = held.auth_model["auth_state"]
        await sign_out.revoke(self.authenticator, auth_state)
        self.redirect(sign_out.end_session_url(self, auth_state))

    async def authenticate(self, data: Any = None) -> dict[str, Any] | None:
        """The auth model that was held. Called by `login_user`."""
        return self._answered.auth_model if self._answered else None


handlers: Final = [(r"/continue", ContinueHandler)]
