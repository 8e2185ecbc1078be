"""Whoever signs in to see dashboards finds their server started, and lands at their own address."""

from __future__ import annotations

import asyncio
from typing import Final

from jupyterhub.handlers import BaseHandler
from jupyterhub.user import User
from jupyterhub.utils import url_path_join
from tornado import web

from ..folders import dashboard_in

#: Seconds; a server that takes longer is waited for on JupyterHub's page for that.
_PATIENCE: Final = 1


async def open_server(handler: BaseHandler, user: User, next_url: str) -> str:
    """Start the user's server, if that is where they are going.

    Args:
        next_url: the address that they asked for, "" for none.

    Returns their own address of what they asked for; `next_url` itself where the server does not
    run (yet): JupyterHub's pages tell of that.
    """
    anybodys = url_path_join(handler.hub.base_url, "user-redirect/")
    if next_url and not (next_url.startswith(anybodys) and dashboard_in(next_url)):
        return next_url
    spawner = user.spawner
    if not spawner.active:
        try:
            spawner.check_allowed()
        except web.HTTPError:
            return next_url
        starting = asyncio.ensure_future(handler.spawn_single_user(user))
        starting.add_done_callback(_heard)  # also of an error that comes later
        await asyncio.wait([starting], timeout=_PATIENCE)
        if starting.done() and (error := starting.exception()):
            handler.log.warning("%s did not start at the sign-in: %s", spawner._log_name, error)
    if not spawner.ready:
        return next_url
    return str(user.url) + next_url.removeprefix(anybodys)


def _heard(starting: asyncio.Future[None]) -> None:
    if not starting.cancelled():
        starting.exception()
