"""A link to a dashboard opens it, whether or not its owner's server runs, and whoever follows it.

An address copied from somebody's browser has their name in it. Others are led to the same
dashboard at their own address, where it opens, or where they can ask for it.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from jupyterhub.apihandlers.auth import OAuthAuthorizeHandler
from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.base import UserUrlHandler
from tornado import web
from tornado.httputil import url_concat

from ..folders import dashboard_in
from ..spawner import killed_servers


def own_address(handler: BaseHandler, dashboard: str) -> str:
    """Where everybody finds their own page of a dashboard."""
    return f"{handler.hub.base_url}user-redirect/dashboards/{quote(dashboard)}"


class DashboardLinkHandler(UserUrlHandler):
    """`/hub/user/{name}/…`, where the proxy sends addresses of servers that do not run.

    JupyterHub answers with a page (status 424) that goes on to the start of the server; for
    somebody's own server this goes there at once, when all that JupyterHub checks before that
    page has been checked.
    """

    @web.authenticated
    async def get(self, user_name: str, user_path: str | None) -> None:
        dashboard = dashboard_in(self.request.path)
        if dashboard and user_name != self.current_user.name:
            query = self.request.query
            self.redirect(own_address(self, dashboard) + (f"?{query}" if query else ""))
        else:
            await super().get(user_name, user_path)

    def render_template(self, name: str, sync: bool = False, **namespace: Any) -> Any:
        """Called by JupyterHub's `get` with the page that says "not running"."""
        is_own = name == "not_running.html" and namespace["user"] == self.current_user
        # Whose server was killed reads so before it starts again.
        if is_own and namespace["server_name"] not in killed_servers(self.current_user):
            spawn_url = namespace["spawn_url"].partition("?")[0]
            asked = self.base_url + str(self.request.uri).removeprefix(self.hub.base_url)
            self.redirect(url_concat(spawn_url, {"next": asked}))
            raise web.Finish
        return super().render_template(name, sync=sync, **namespace)


class AuthorizeHandler(OAuthAuthorizeHandler):
    """`/hub/api/oauth2/authorize`, where a running server asks who came; `dashboard` is the address
    that they came to."""

    @web.authenticated
    async def get(self) -> None:
        try:
            await super().get()
        except web.HTTPError as error:
            dashboard = dashboard_in(self.get_argument("dashboard", ""))
            if error.status_code != 403 or not dashboard:
                raise
            self.redirect(own_address(self, dashboard))


handlers: Final = [
    (r"/api/oauth2/authorize", AuthorizeHandler),
    (r"/user/(?P<user_name>[^/]+)(?P<user_path>/.*)?", DashboardLinkHandler),
]
