"""`/hub/closed`: where a page goes when its dashboard is closed under somebody who looks at it."""

from __future__ import annotations

from typing import Final

from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import url_path_join

from .. import grants
from ..folders import ADMIN

_LONGEST: Final = 300


class ClosedHandler(BaseHandler):
    """Says why, as far as it is this person's to know, and what to do next."""

    async def get(self) -> None:
        dashboard = self.get_argument("dashboard", "")[:_LONGEST]
        group, _, name = dashboard.partition("/")
        user = self.current_user
        held = {str(held.name) for held in user.groups} if user else set()
        link = url_path_join(self.hub.base_url, "user-redirect/dashboards", dashboard)
        self.finish(
            await self.render_template(
                "closed.html",
                dashboard=name,
                link=link,
                is_open=bool(held & {group, ADMIN}),
                reason=grants.why_taken(user.name, group) if user else "",
            )
        )


handlers: Final = [(r"/closed", ClosedHandler)]
