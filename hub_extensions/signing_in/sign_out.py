"""Signing out: hub sessions, dashboard servers, refresh token and provider session all end."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import urlencode
from weakref import WeakSet

from jupyterhub import orm
from jupyterhub.handlers import BaseHandler
from jupyterhub.user import User
from jupyterhub.utils import url_path_join
from oauthenticator.oauth2 import OAuthLogoutHandler
from tornado import web
from tornado.httputil import url_concat

from .. import audit, brands, grants
from ..folders import DASHBOARD_SERVERS, LAB
from ..publishing.checks import checks
from . import pending, sessions

#: Seconds for a start to see that it has been stopped.
_LAST_OF_A_START: Final = 3
#: Set from the sign-out until the provider has ended its session too. Somebody who leaves on the
#: way there is asked who they are at the next sign-in all the same.
ASK_COOKIE: Final = "atrium-ask"


async def end_everything(app: Any, user: User, *, lab: bool = False) -> None:
    """End a person's hub sessions, tokens and dashboard servers, in every browser.

    Args:
        lab: their lab ends too. Otherwise its kernels work on, but no page of it does, and until
            they sign in again its token reports that it is used (`kept_lab`), no more.

    JupyterHub's own log-out clears the cookie in one browser only. Tokens that were made by hand
    end too: nothing would end them when the person is dismissed. What is kept to ask the provider
    with ends first, so that nobody asks on behalf of a session that is over.
    """
    user.cookie_id = orm.new_token()
    checks.drop_all_of(user.id)
    user._auth_refreshed = None  # JupyterHub would ask about a token again after minutes only
    sessions.end(app.db, user.orm_user)
    pending.forget_held(lambda held: held.auth_model["name"] == user.name)
    app.db.commit()  # before any await: the handlers share one session, and may roll it back
    await user.save_auth_state(None)
    await asyncio.gather(_end_dashboards(app, user), _leave_lab(app, user, stop=lab))
    _end_tokens(app, user)  # whatever was given out meanwhile


async def _end_dashboards(app: Any, user: User) -> None:
    """End the dashboard servers, and all tokens but the lab's. A lab may hold unsaved work, and is
    stopped when its person says so."""
    await asyncio.gather(*(say_farewell(user, name) for name in DASHBOARD_SERVERS))
    await asyncio.gather(*(stop_server(app, user, name) for name in DASHBOARD_SERVERS))
    _end_tokens(app, user)


async def _leave_lab(app: Any, user: User, *, stop: bool) -> None:
    """Have the lab close its pages, and stop it if it is to end. What runs in it can make it slow
    to answer, which holds up nothing else."""
    await say_farewell(user, LAB)
    if stop:
        await stop_server(app, user, LAB)


def _end_tokens(app: Any, user: User) -> None:
    kept = token_of_lab(user)
    for token in list(user.orm_user.api_tokens):
        if token is not kept:
            app.db.delete(token)
    app.db.commit()


def has_lab(user: User) -> bool:
    """Whether somebody's lab runs, or is about to."""
    spawner = user.spawners.get(LAB)
    return spawner is not None and spawner.active and spawner.pending != "stop"


def token_of_lab(user: User) -> orm.APIToken | None:
    """The token that the hub gave to somebody's lab, None if it does not run."""
    return orm.APIToken.find(user.db, user.spawners[LAB].api_token) if has_lab(user) else None


async def say_farewell(user: User, name: str) -> None:
    """Have a server close its pages, which then say why; it is stopped afterwards in any case."""
    spawner = user.spawners.get(name)
    if spawner is not None and spawner.ready and hasattr(spawner, "tell_groups"):
        await spawner.tell_groups(frozenset(), ended=True)


#: Servers that are being stopped. A sign-out and the follower may come to the same one.
_stopping: WeakSet[Any] = WeakSet()


async def stop_server(app: Any, user: User, name: str) -> None:
    """Stop one server of a person, if it runs and nobody else is stopping it.

    One that only starts is gone from JupyterHub's lists before its start has ended; what is left of
    that is waited for, as it would stop the next server of this name.
    """
    spawner = user.spawners.get(name)
    if spawner is None or not spawner.active or spawner.pending == "stop" or spawner in _stopping:
        return
    _stopping.add(spawner)
    starting = spawner._spawn_future
    try:
        await app.proxy.delete_user(user, name)
    except Exception:  # a proxy that is away keeps no server alive
        app.log.exception("Could not take the way to %s away", spawner._log_name)
    try:
        await user.stop(name)
        if starting not in (None, asyncio.current_task()):
            await asyncio.wait([starting], timeout=_LAST_OF_A_START)
    except Exception:
        app.log.exception("Could not stop %s", spawner._log_name)
    finally:
        _stopping.discard(spawner)


async def sign_out_everywhere(app: Any, user: User, *, lab: bool = False) -> dict[str, Any]:
    """End everything of a person, here and what the provider gave for it. `lab`: as of
    `end_everything`.

    Returns what was kept of their sign-in.
    """
    authenticator = app.authenticator
    async with authenticator.lock(user.name):
        auth_state = await user.get_auth_state() or {}
        subject = grants.subject_of(user.db, user.orm_user)
        await end_everything(app, user, lab=lab)
    await revoke(authenticator, auth_state)
    await end_at_provider(authenticator, user.name, subject)
    return auth_state


async def end_at_provider(authenticator: Any, name: str, subject: str) -> None:
    """End a person's sessions at the provider, in every browser: else a lost device would be signed
    in again by its next click, without being asked who it is."""
    directory = authenticator.follower.directory
    if directory is None or not subject:
        return
    try:
        await asyncio.to_thread(directory.sign_out, subject)
    except web.HTTPError:
        authenticator.log.warning("The provider's own sessions of %s could not be ended", name)


async def revoke(authenticator: Any, auth_state: dict[str, Any]) -> None:
    """Revoke the refresh token at the provider (RFC 7009)."""
    endpoints = authenticator.provider_metadata
    token = auth_state.get("refresh_token")
    if not token or "revocation_endpoint" not in endpoints:
        return
    form = {
        "token": token,
        "token_type_hint": "refresh_token",
        "client_id": authenticator.client_id,
        "client_secret": authenticator.client_secret,
    }
    try:
        await authenticator.httpfetch(
            endpoints["revocation_endpoint"],
            "Revoking a refresh token",
            method="POST",
            body=urlencode(form),
            parse_json=False,
        )
    except web.HTTPError:
        authenticator.log.warning("A refresh token could not be revoked; it ends by itself")


def end_session_url(handler: BaseHandler, auth_state: dict[str, Any]) -> str:
    """Where the browser ends its provider session.

    OpenID Connect RP-Initiated Logout 1.0: the browser itself has to go there, with the ID token
    as hint.
    """
    authenticator = handler.authenticator
    endpoints = authenticator.provider_metadata
    back = url_path_join(handler.hub.base_url, "signed-out")
    if "end_session_endpoint" not in endpoints:
        return back
    callback = authenticator.get_callback_url(handler)
    parameters = {
        "post_logout_redirect_uri": callback.removesuffix("oauth_callback") + "signed-out",
        "client_id": authenticator.client_id,
    }
    if auth_state.get("id_token"):
        parameters["id_token_hint"] = auth_state["id_token"]
    return url_concat(endpoints["end_session_endpoint"], parameters)


def ask_next_time(handler: BaseHandler, tenant: str = "") -> None:
    """Have the provider ask who somebody is at this browser's next sign-in.

    Args:
        tenant: theirs where it is known, by which the page at the end of the sign-out looks.
    """
    handler._set_cookie(ASK_COOKIE, tenant, path=handler.hub.base_url, max_age=86400)


class SignOutHandler(OAuthLogoutHandler):
    """`/hub/logout`: ends it all, then shows that it is done."""

    _next: str = ""

    async def get(self) -> None:
        """Sign out, unless a page of another site sent the browser here, or a lab runs of which
        nothing has been said: then ask first."""
        lab = self.current_user is not None and has_lab(self.current_user)
        is_sent = self.request.headers.get("Sec-Fetch-Site") == "cross-site"
        if is_sent or (lab and self._lab not in {"close", "keep"}):
            self.finish(await self.render_template("sign_out.html", lab=lab, is_sent=is_sent))
            return
        await super().get()

    @property
    def _lab(self) -> str:
        """What is to become of the person's lab: `close`, `keep`, or something else. Only a page
        of the hub's own says it: another must not have a browser lose work that is not saved."""
        asked_here = self.request.headers.get("Sec-Fetch-Site") == "same-origin"
        return self.get_argument("lab", "") if asked_here else ""

    async def default_handle_logout(self) -> None:
        user = self.current_user
        self._next = url_path_join(self.hub.base_url, "signed-out")
        if user is None:
            return
        tenant = brands.tenant_of(user)
        auth_state = await sign_out_everywhere(self.app, user, lab=self._lab == "close")
        audit.record("signed-out", user=user.name)
        self._backend_logout_cleanup(user.name)
        ask_next_time(self, tenant)
        self._next = end_session_url(self, auth_state)

    async def render_logout_page(self) -> None:
        self.redirect(self._next)


class SignedOutHandler(BaseHandler):
    """`/hub/signed-out`: where the provider sends the browser when its session has ended."""

    async def get(self) -> None:
        tenant = (self.get_secure_cookie(ASK_COOKIE) or b"").decode()
        self.clear_cookie(ASK_COOKIE, path=self.hub.base_url)
        brand = self.settings["brands"].of_tenant(tenant)
        self.finish(await self.render_template("logout.html", brand=brand))


handlers: Final = [(r"/signed-out", SignedOutHandler)]
