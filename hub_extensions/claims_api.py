"""`GET /hub/api/claims`: what a dashboard server may know of its owner, at this moment."""

from __future__ import annotations

import json
from typing import Any, Final

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.spawner import Spawner
from jupyterhub.user import User
from tornado import web

from . import announcement
from .access.request_queue import open_requests
from .claims import notebook_claims
from .folders import ADMIN
from .usage import favourites, openings


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


class ClaimsHandler(OwnServerHandler):
    """What `known_of` says of the server's owner."""

    async def get(self) -> None:
        self.finish(json.dumps(await known_of(self.authenticator, self.owner)))


async def known_of(authenticator: Any, user: User) -> dict[str, Any]:
    """Name, groups, tenant and allow-listed claims of somebody, which of their roles do not count
    for how they signed in, what waits for them as a manager, what admins tell everybody, and which
    dashboards they have as favourites and opened last, as `[group, dashboard]`. Never tokens.
    """
    auth_state = await user.get_auth_state() or {}
    claims = auth_state.get(authenticator.user_auth_state_key) or {}
    groups = sorted(group.name for group in user.groups)
    return {
        "name": user.name,
        "groups": groups,
        "tenant": authenticator.tenant_of(claims),
        "claims": notebook_claims(claims),
        "roles_held_back": sorted(authenticator.roles_held_back(claims)),
        # What is wrong just now is for those who can do something about it.
        "notice": authenticator.follower.notice if ADMIN in groups else "",
        "open_requests": open_requests(user),
        "announcement": announcement.seen_by(user),
        "favourites": favourites.favourites_of(user.db, user.orm_user),
        "recent": openings.recent_of(user.db, user.orm_user),
    }


def is_own_server(handler: APIHandler, user: User) -> bool:
    """Whether a person's own server asks."""
    servers = f"access:servers!server={user.name}/"
    return handler.get_token() is not None and any(
        scope.startswith(servers) for scope in handler.expanded_scopes
    )


handlers: Final = [(r"/api/claims", ClaimsHandler)]
