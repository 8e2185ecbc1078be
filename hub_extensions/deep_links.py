"""A link to a dashboard opens it, whether or not its owner's server runs."""

from __future__ import annotations

from typing import Any, Final

from jupyterhub.handlers.base import UserUrlHandler
from tornado import web
from tornado.httputil import url_concat


class DashboardLinkHandler(UserUrlHandler):
    """`/hub/user/{name}/…`, where the proxy sends addresses of servers that do not run.

    JupyterHub answers with a page (status 424) that goes on to the start of the server; for
    somebody's own server this goes there at once. It is not written as a change of `get`,
    because all that JupyterHub checks before that page must be checked here too.
    """

    def render_template(self, name: str, sync: bool = False, **namespace: Any) -> Any:
        """Called by JupyterHub's `get` with the page that says "not running"."""
        if name == "not_running.html" and namespace["user"] == self.current_user:
            spawn_url = namespace["spawn_url"].partition("?")[0]
            asked = self.base_url + str(self.request.uri).removeprefix(self.hub.base_url)
            self.redirect(url_concat(spawn_url, {"next": asked}))
            raise web.Finish
        return super().render_template(name, sync=sync, **namespace)


handlers: Final = [(r"/user/(?P<user_name>[^/]+)(?P<user_path>/.*)?", DashboardLinkHandler)]
