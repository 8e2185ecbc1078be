"""`/hub/closed`: where a page goes when its dashboard is closed under somebody who looks at it."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode

from jupyterhub.handlers import BaseHandler
from tornado.httputil import url_concat

from .. import grants
from ..folders import ADMIN, dashboard_named
from .deep_links import own_address


class ClosedHandler(BaseHandler):
    """Says why, as far as it is this person's to know, and what to do next."""

    async def get(self) -> None:
        dashboard = self.get_argument("dashboard", "")
        group, name = dashboard_named(dashboard) or ("", "")
        values = parse_qsl(self.get_argument("values", ""), keep_blank_values=True)
        query = f"?{urlencode(values)}" if values else ""  # the widgets, as they stood
        link, user = own_address(self, dashboard) + query, self.current_user
        held = {str(held.name) for held in user.groups} if user else set()
        self.finish(
            await self.render_template(
                "closed.html",
                dashboard=dashboard if name else "",
                link=link,
                sign_in=url_concat(self.settings["login_url"], {"next": link} if name else {}),
                is_open=bool(held & {group, ADMIN}),
                reason=grants.why_taken(user.name, group) if user else "",
            )
        )


handlers: Final = [(r"/closed", ClosedHandler)]
