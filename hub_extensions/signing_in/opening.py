"""Whoever signs in to see dashboards finds their server started, and lands there signed in."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from jupyterhub import orm
from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.pages import SpawnPendingHandler
from jupyterhub.scopes import access_scopes, identify_scopes
from jupyterhub.user import User
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import url_concat

from .. import embedding
from ..claims_api import known_of
from ..folders import dashboard_in
from ..spawner import DashboardSpawner
from . import sessions

#: Seconds; a server that takes longer is waited for on JupyterHub's page for that.
_PATIENCE: Final = 2
#: As `dashboards.web.sessions.HEADERS`: with others, what is begun is not what the browser asks
#: for.
_HEADERS: Final = ("User-Agent", "Accept-Language", "Host")


@dataclass(frozen=True, kw_only=True)
class _ServerToken:
    """What the cookie of a server is made of, and for which browser and start of the server.

    `cookie_id`: by which the hub knew the person then; a sign-out gives them another.
    """

    token: str = field(repr=False)
    session: str = field(repr=False)
    cookie_id: str = field(repr=False)
    start: str = field(repr=False)


#: Announced to servers as they were started; each is handed to its browser once.
_announced: WeakKeyDictionary[Any, _ServerToken] = WeakKeyDictionary()


async def open_server(handler: BaseHandler, user: User, next_url: str) -> str:
    """Start the user's server, if that is where they are going.

    Args:
        next_url: the address that they asked for, "" for none.

    Returns their own address of what they asked for, or the page that waits for their server;
    `next_url` itself where JupyterHub's pages have more to say.
    """
    anybodys = url_path_join(handler.hub.base_url, "user-redirect/")
    if next_url and not (next_url.startswith(anybodys) and dashboard_in(next_url)):
        return next_url
    spawner, cookie_id = user.spawner, user.cookie_id
    own = str(user.url) + next_url.removeprefix(anybodys)
    expected = None
    if next_url and not spawner.active and _one_host(handler):
        known = await known_of(handler.authenticator, user)
        expected = partial(_expected, handler, spawner, cookie_id, own, known, _seen(user))
    if not spawner.active:
        try:
            spawner.check_allowed()
        except web.HTTPError:
            return next_url
        if isinstance(spawner, DashboardSpawner):
            spawner.expected = expected
        starting = asyncio.ensure_future(handler.spawn_single_user(user))
        starting.add_done_callback(partial(_started, spawner, expected))
        await asyncio.wait([starting], timeout=_PATIENCE)
        if starting.done() and (error := starting.exception()):
            handler.log.warning("%s did not start at the sign-in: %s", spawner._log_name, error)
    if spawner.ready:
        set_server_cookie(handler, spawner, cookie_id)
        return own
    if spawner.pending == "spawn":
        page = url_path_join(handler.hub.base_url, "spawn-pending", user.escaped_name)
        return url_concat(page, {"next": own})
    return next_url


def set_server_cookie(handler: BaseHandler, spawner: Any, cookie_id: str) -> None:
    """Give a browser that the hub has just let in the cookie of its person's own server too.

    It is the one in which the round by OAuth would end, by which the server asks the hub who has
    come (RFC 6749, section 4.1): three more redirects and two requests, of which the hub knows all
    answers just now. With subdomains it is not the hub's to give, and the round is made.

    Args:
        cookie_id: the hub's own cookie of this browser. If they were signed out meanwhile, it is
            another one's by now, and the browser gets nothing.
    """
    client, secret = spawner.orm_spawner.oauth_client, getattr(spawner, "cookie_secret", None)
    if not (_one_host(handler) and client and secret) or spawner.user.cookie_id != cookie_id:
        return
    token = _take_announced(handler, spawner) or _new_token(handler, spawner)
    name = client.identifier
    signed = web.create_signed_value(secret, name, token)
    path = spawner.server.base_url
    handler._set_cookie(name, signed, encrypted=False, path=path, expires_days=30)


def _take_announced(handler: BaseHandler, spawner: Any) -> str | None:
    """The token that the server was told of for this very browser. None if there is none, or if
    the person's groups are others by now, of which the server has not been told yet: it asks the
    hub about who comes with another token."""
    made = _announced.get(spawner)
    now = (_session(handler), spawner.user.cookie_id, spawner.api_token)
    if made is None or (made.session, made.cookie_id, made.start) != now:
        return None
    del _announced[spawner]
    return made.token if spawner.groups_told == _groups(spawner.user) else None


def _new_token(handler: BaseHandler, spawner: Any) -> str:
    """A token with which this browser is let in to the server, and nothing else."""
    client = spawner.orm_spawner.oauth_client
    return orm.APIToken.new(
        user=spawner.user.orm_user,
        oauth_client=client,
        scopes=identify_scopes() | access_scopes(client),
        session_id=handler.get_session_cookie(),
        expires_in=handler.app.oauth_token_expires_in,
    )


def _session(handler: BaseHandler) -> str:
    return handler.get_session_cookie() or ""


def _groups(user: User) -> frozenset[str]:
    return frozenset(str(group.name) for group in user.groups)


def _seen(user: User) -> str:
    """Tells what the provider said of somebody last from what it said before."""
    session = user.db.get(sessions.Session, user.id)
    return session.seen if session else ""


def _one_host(handler: BaseHandler) -> bool:
    """Whether hub and servers have the same address and cookies."""
    return not (handler.app.subdomain_host or handler.app.cookie_host_prefix_enabled)


def _expected(
    handler: BaseHandler,
    spawner: Any,
    cookie_id: str,
    address: str,
    known: dict[str, Any],
    seen: str,
) -> dict[str, Any] | None:
    """The request with which this browser will ask the server for a dashboard, as far as a notebook
    may know of it; what is known of its person; and the token that it will come with, by its digest
    (`dashboards.web.expected`). Called as the server is started, maybe after a time in line: None
    for who was signed out meanwhile, or of whom the provider has said something else."""
    user, request = spawner.user, handler.request
    if user.cookie_id != cookie_id or _seen(user) != seen:
        return None
    headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
    token, session = _new_token(handler, spawner), _session(handler)
    _announced[spawner] = _ServerToken(
        token=token, session=session, cookie_id=cookie_id, start=spawner.api_token
    )
    return {
        "known": known | {"groups": sorted(_groups(user))},
        "is_hub_admin": bool(user.admin),
        "session": session,
        "token": hashlib.sha256(token.encode()).hexdigest(),
        "uri": address,
        "protocol": request.protocol,
        "host": request.host,
        "headers": headers,
    }


class PendingHandler(SpawnPendingHandler):
    """`/hub/spawn-pending/{name}`: the page that waits for a server to start."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        embedding.allow(self)

    def redirect(self, url: str, *args: Any, **kwargs: Any) -> None:
        """Called by JupyterHub's `get` when the server is ready."""
        user = self.current_user
        cookie = self.get_secure_cookie(self.hub.cookie_name)
        if user and cookie and user.name == self.path_args[0]:
            spawner = user.spawners.get(self.path_args[1] if len(self.path_args) > 1 else "")
            if spawner is not None and spawner.ready:
                set_server_cookie(self, spawner, cookie.decode())
        super().redirect(url, *args, **kwargs)


def _started(spawner: Any, expected: object, starting: asyncio.Future[None]) -> None:
    """What it was started for is no later start's; an error that comes later has been told."""
    if getattr(spawner, "expected", None) is expected:
        spawner.expected = None
    if not starting.cancelled():
        starting.exception()


handlers: Final = [
    (r"/spawn-pending/([^/]+)", PendingHandler),
    (r"/spawn-pending/([^/]+)/([^/]+)", PendingHandler),
]
