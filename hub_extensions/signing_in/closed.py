"""`/hub/closed`: where a page goes when its dashboard is closed under somebody who looks at it."""

from __future__ import annotations

from typing import Final

from jupyterhub.handlers import BaseHandler

from .. import grants
from ..folders import ADMIN, dashboard_named
from .deep_links import own_address


class ClosedHandler(BaseHandler):
    """Says why, as far as it is this person's to know, and what to do next."""

    async def get(self) -> None:
        dashboard = self.get_argument("dashboard", "")
        group, name = dashboard_named(dashboard) or ("", "")
        user = self.current_user
        held = {str(held.name) for held in user.groups} if user else set()
        self.finish(
            await self.render_template(
                "closed.html",
                dashboard=dashboard if name else "",
                link=own_address(self, dashboard),
                is_open=bool(held & {group, ADMIN}),
                reason=grants.why_taken(user.name, group) if user else "",
            )
        )


handlers: Final = [(r"/closed", ClosedHandler)]
