"""Dashboards inside pages of other origins, where the operator allows it: the hub's part.

Only two pages of the hub may be shown there: the one that waits for a server, and the one that says
to open the dashboard in a tab of its own, as a browser sends no cookie to a frame of another site.
"""

from __future__ import annotations

from typing import Any, Final

from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.base import UserRedirectHandler

_IN_A_PAGE: Final = frozenset({"iframe", "frame", "embed", "object"})


def allow(handler: BaseHandler) -> None:
    """Let the origins of ATRIUM_EMBED_ORIGINS show what this handler answers."""
    if origins := handler.settings["embed_origins"]:
        policy = f"frame-ancestors 'self' {' '.join(origins)}"
        handler.set_header("Content-Security-Policy", policy)


class EmbeddedHandler(UserRedirectHandler):
    """`/hub/user-redirect/dashboards/…`: the address under which a page shows a dashboard."""

    async def get(self, path: str) -> None:
        """As JupyterHub; but a sign-in cannot be shown in a frame."""
        is_embedded = self.request.headers.get("Sec-Fetch-Dest", "") in _IN_A_PAGE
        if self.current_user is None and is_embedded and self.settings["embed_origins"]:
            allow(self)
            self.finish(await self.render_template("embedded.html", link=self.request.uri))
        else:
            await super().get(path)


handlers: Final[list[tuple[Any, ...]]] = [(r"/user-redirect/(dashboards/.*)", EmbeddedHandler)]
