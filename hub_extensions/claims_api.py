"""`GET /hub/api/claims`: what a dashboard server may know of its owner, at this moment."""

from __future__ import annotations

import json
from typing import Final

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.user import User
from tornado import web

from .claims import notebook_claims, tenant_of
from .desk import open_requests


class ClaimsHandler(APIHandler):
    """Name, groups, tenant and allow-listed claims of the server's owner, which of their roles do
    not count for how they signed in, and how many requests for access wait for them. Never tokens.

    Only a person's own server may ask: its token can access that server, others' cannot.
    """

    async def get(self) -> None:
        user = self.current_user
        if not isinstance(user, User) or not self._is_own_server(user):
            raise web.HTTPError(403)
        auth_state = await user.get_auth_state() or {}
        claims = auth_state.get(self.authenticator.user_auth_state_key) or {}
        self.finish(
            json.dumps(
                {
                    "name": user.name,
                    "groups": sorted(group.name for group in user.groups),
                    "tenant": tenant_of(claims, self.authenticator.owner_tenant),
                    "claims": notebook_claims(claims),
                    "roles_held_back": sorted(self.authenticator.roles_held_back(claims)),
                    "open_requests": open_requests(user),
                }
            )
        )

    def _is_own_server(self, user: User) -> bool:
        servers = f"access:servers!server={user.name}/"
        return self.get_token() is not None and any(
            scope.startswith(servers) for scope in self.expanded_scopes
        )


handlers: Final = [(r"/api/claims", ClaimsHandler)]
