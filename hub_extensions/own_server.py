"""What the hub's API has for a person's own servers and for nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jupyterhub import orm
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.spawner import Spawner
from jupyterhub.user import User
from tornado import web

from .api_handlers import told_in
from .folders import dashboard_named, has_dashboard

#: What JupyterHub lets the token of a server do; the server is named after it, as `<owner>/<name>`.
_ENTERS: Final = "access:servers!server="


class OwnServerHandler(APIHandler):
    """For a person's own server only: its token can access that server, others' cannot."""

    @property
    def owner(self) -> User:
        """The person whose server asks. Raises web.HTTPError: 403 for everybody else."""
        user = self.current_user
        if not isinstance(user, User) or not _is_own_server(self, user):
            raise web.HTTPError(403)
        return user

    @property
    def server(self) -> Spawner | None:
        """The server that asks, None if it has ended."""
        for spawner in self.owner.spawners.values():
            if f"{_ENTERS}{self.owner.name}/{spawner.name}" in self.expanded_scopes:
                return spawner
        return None


class OwnDashboardHandler(OwnServerHandler):
    """About a dashboard that the server which asks runs. Body: `group` and `dashboard`."""

    def asked(self) -> tuple[Any, str, str]:
        """The server, the group and the name. Raises web.HTTPError: 403 for any other."""
        spawner, named = self.server, dashboard_in_body(told_in(self))
        if spawner is None or named is None or not runs(spawner, *named):
            raise web.HTTPError(403)
        return spawner, *named


def runs(spawner: Any, group: str, name: str) -> bool:
    """Whether a server runs a dashboard: it is there, and its owner may see it now."""
    return group in spawner.readable() and has_dashboard(Path(spawner.notebooks), group, name)


def dashboard_in_body(body: dict[str, Any]) -> tuple[str, str] | None:
    """The `group` and `dashboard` that a body names, None if it names none."""
    group, name = body.get("group"), body.get("dashboard")
    fits = isinstance(group, str) and isinstance(name, str)
    return dashboard_named(f"{group}/{name}") if fits else None


def is_of_server(token: orm.APIToken) -> bool:
    """Whether a token is one that the hub gave to a server."""
    return any(scope.startswith(_ENTERS) for scope in token.scopes)


def _is_own_server(handler: APIHandler, user: User) -> bool:
    """Whether a person's own server asks."""
    servers = f"{_ENTERS}{user.name}/"
    return handler.get_token() is not None and any(
        scope.startswith(servers) for scope in handler.expanded_scopes
    )
