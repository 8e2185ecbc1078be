"""`GET /hub/api/claims`: what a dashboard server may know of its owner, at this moment."""

from __future__ import annotations

import json
from typing import Final

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.user import User
from tornado import web

from .access.request_queue import open_requests
from .claims import notebook_claims
from .folders import ADMIN


class OwnServerHandler(APIHandler):
    """For a person's own server only: its token can access that server, others' cannot."""

    @property
    def owner(self) -> User:
        """The person whose server asks. Raises web.HTTPError: 403 for everybody else."""
        user = self.current_user
        if not isinstance(user, User) or not is_own_server(self, user):
            raise web.HTTPError(403)
        return user


class ClaimsHandler(OwnServerHandler):
    """Name, groups, tenant and allow-listed claims of the server's owner, which of their roles do
    not count for how they signed in, and what waits for them as a manager. Never tokens.
    """

    async def get(self) -> None:
        user = self.owner
        auth_state = await user.get_auth_state() or {}
        claims = auth_state.get(self.authenticator.user_auth_state_key) or {}
        self.finish(
            json.dumps(
                {
                    "name": user.name,
                    "groups": sorted(group.name for group in user.groups),
                    "tenant": self.authenticator.tenant_of(claims),
                    "claims": notebook_claims(claims),
                    "roles_held_back": sorted(self.authenticator.roles_held_back(claims)),
                    "notice": self._notice(user),
                    "open_requests": open_requests(user),
                }
            )
        )

    def _notice(self, user: User) -> str:
        """What is wrong just now, for those who can do something about it."""
        is_admin = any(group.name == ADMIN for group in user.groups)
        return self.authenticator.follower.notice if is_admin else ""


def is_own_server(handler: APIHandler, user: User) -> bool:
    """Whether a person's own server asks."""
    servers = f"access:servers!server={user.name}/"
    return handler.get_token() is not None and any(
        scope.startswith(servers) for scope in handler.expanded_scopes
    )


handlers: Final = [(r"/api/claims", ClaimsHandler)]
