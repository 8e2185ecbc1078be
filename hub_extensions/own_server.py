"""What the hub's API has for a person's own servers and for nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jupyterhub import orm
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.user import User
from tornado import web

from .api_handlers import told_in
from .folders import ADMIN, dashboard_named, has_dashboard
from .spawner import DashboardSpawner

#: What JupyterHub lets the token of a server do; the server is named after it, as `<owner>/<name>`.
_ENTERS: Final = "access:servers!server="


class OwnServerHandler(APIHandler):
    """For a person's own server only, which asks with the very token that the hub gave to it.

    Scopes do not tell: its owner can make a token with the same ones, and has one in the cookie by
    which a browser enters the server.
    """

    @property
    def owner(self) -> User:
        """The person whose server asks. Raises web.HTTPError: 403 for everybody else."""
        return self.server.user

    @property
    def server(self) -> DashboardSpawner:
        """The server that asks. Raises web.HTTPError: 403 for everybody else."""
        user, token = self.current_user, self.get_auth_token()
        if isinstance(user, User) and token:
            for spawner in user.spawners.values():
                if isinstance(spawner, DashboardSpawner) and spawner.is_given(token):
                    return spawner
        raise web.HTTPError(403)


class OwnDashboardHandler(OwnServerHandler):
    """About a dashboard that the server which asks runs. Body: `group` and `dashboard`."""

    def asked(self) -> tuple[DashboardSpawner, str, str]:
        """The server, the group and the name. Raises web.HTTPError: 403 for any other."""
        spawner, named = self.server, dashboard_in_body(told_in(self))
        if named is None or not runs(spawner, *named):
            raise web.HTTPError(403)
        return spawner, *named


def runs(spawner: DashboardSpawner, group: str, name: str) -> bool:
    """Whether a server runs a dashboard: it is there, its owner may see it now, and the admin
    folder, whose server reads the others too, is run by that server alone."""
    is_its = (group == ADMIN) == (spawner.name == ADMIN)
    return (
        is_its
        and group in spawner.readable()
        and has_dashboard(Path(spawner.notebooks), group, name)
    )


def dashboard_in_body(body: dict[str, Any]) -> tuple[str, str] | None:
    """The `group` and `dashboard` that a body names, None if it names none."""
    group, name = body.get("group"), body.get("dashboard")
    fits = isinstance(group, str) and isinstance(name, str)
    return dashboard_named(f"{group}/{name}") if fits else None


def is_of_server(token: orm.APIToken) -> bool:
    """Whether a token enters a server, as each does that the hub gave to one."""
    return any(scope.startswith(_ENTERS) for scope in token.scopes)
