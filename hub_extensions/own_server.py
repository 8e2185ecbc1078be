"""What the hub's API has for a person's own servers and for nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.spawner import Spawner
from jupyterhub.user import User
from tornado import web

from .folders import dashboard_named, has_dashboard

_ASKED: Final = ("group", "dashboard")


class OwnServerHandler(APIHandler):
    """For a person's own server only: its token can access that server, others' cannot."""

    @property
    def owner(self) -> User:
        """The person whose server asks. Raises web.HTTPError: 403 for everybody else."""
        user = self.current_user
        if not isinstance(user, User) or not is_own_server(self, user):
            raise web.HTTPError(403)
        return user

    @property
    def server(self) -> Spawner | None:
        """The server that asks, None if it has ended."""
        for spawner in self.owner.spawners.values():
            if f"access:servers!server={self.owner.name}/{spawner.name}" in self.expanded_scopes:
                return spawner
        return None


class OwnDashboardHandler(OwnServerHandler):
    """About a dashboard that the server which asks runs. Body: `group` and `dashboard`."""

    def asked(self) -> tuple[Any, str, str]:
        """The server, the group and the name. Raises web.HTTPError: 403 for any other."""
        spawner, asked = self.server, self.get_json_body()
        words = [asked.get(name) if isinstance(asked, dict) else None for name in _ASKED]
        named = dashboard_named("/".join(word if isinstance(word, str) else "" for word in words))
        if spawner is None or named is None or not runs(spawner, *named):
            raise web.HTTPError(403)
        return spawner, *named


def runs(spawner: Any, group: str, name: str) -> bool:
    """Whether a server runs a dashboard: it is there, and its owner may see it now."""
    return group in spawner.readable() and has_dashboard(Path(spawner.notebooks), group, name)


def is_own_server(handler: APIHandler, user: User) -> bool:
    """Whether a person's own server asks."""
    servers = f"access:servers!server={user.name}/"
    return handler.get_token() is not None and any(
        scope.startswith(servers) for scope in handler.expanded_scopes
    )
