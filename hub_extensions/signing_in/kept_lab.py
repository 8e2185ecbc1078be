"""A lab that was left running at the sign-out: it may say that it is used, and nothing else.

`Authenticator.refresh_user` refuses whatever else its token asks, as nobody is signed in.
"""

from __future__ import annotations

from typing import Any, Final

from jupyterhub.apihandlers.users import ActivityAPIHandler
from jupyterhub.user import User

from .sign_out import token_of_lab


class ActivityHandler(ActivityAPIHandler):
    """`POST /hub/api/users/<name>/activity`: JupyterHub's, also for such a lab. By it the hub knows
    which lab nobody uses any more, and stops that."""

    async def refresh_auth(self, user: User, force: bool = False) -> Any:
        """Called by JupyterHub once it knows whose a token is. What it lets through is not noted
        as a fresh sign-in: that would open everything else for some minutes."""
        token = self.get_token()
        if token is not None and token is token_of_lab(user):
            return user
        return await super().refresh_auth(user, force)


handlers: Final = [(r"/api/users/([^/]+)/activity", ActivityHandler)]
