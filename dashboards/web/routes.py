"""Which address is answered by what."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application, RedirectHandler

from dashboards.files import file_routes
from dashboards.web.announcing import announcing_routes
from dashboards.web.card_pictures import PictureHandler
from dashboards.web.dashboard_page import DashboardHandler
from dashboards.web.dashboard_socket import socket_routes
from dashboards.web.gallery import GalleryHandler
from dashboards.web.pages import (
    AdminServerHandler,
    LabHandler,
    NotHereHandler,
    SignedInHandler,
    VersionHandler,
)
from dashboards.web.revoking import revoking_routes
from dashboards.web.site import Site, log_request
from dashboards.web.usage import usage_routes

_LONGEST = 20 << 20
"""Bytes of a WebSocket's message, as Bokeh has it; files that people choose come in one."""

_PING = 37
"""Seconds, as Bokeh has it: proxies close a connection on which nothing is said."""

_PICTURE = r"thumbnails/([^/]+)/([^/]+)/([0-9a-f]{64})-(light|dark)\.png"


class Routes(Router):
    """All addresses of a server; and a redirect for those that are written in another way."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._pages = pages(site)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Called by Tornado for each request."""
        return self._rewritten(request) or self._pages.find_handler(request, **kwargs)

    def _rewritten(self, request: HTTPServerRequest) -> HTTPMessageDelegate | None:
        """A redirect, for an address whose "@" something on the way has written as "%40".

        The proxy takes both for the same, but a browser's cookies are for one of them.
        """
        prefix = self.site.settings.prefix
        parts = request.path.split("/", prefix.count("/"))
        asked, rest = "/".join(parts[:-1]) + "/", parts[-1]
        if asked == prefix or unquote(asked) != unquote(prefix):
            return None
        values = {"url": prefix + rest.replace("{", "%7B").replace("}", "%7D"), "permanent": False}
        return self._pages.get_handler_delegate(request, RedirectHandler, values)


def pages(site: Site) -> Application:
    """All addresses of a server."""
    prefix = re.escape(site.settings.prefix)
    known = {"site": site}
    elsewhere = [
        (prefix + r"admin/.+", AdminServerHandler, known),
        (prefix + r"lab/.*", LabHandler, known),
    ]
    if site.settings.serves_admin:
        elsewhere = []
    icon = site.settings.brand.get("icon")  # to whoever asks
    icons = (
        [(prefix + r"(?:.*/)?favicon\.ico", RedirectHandler, {"url": icon, "permanent": False})]
        if icon
        else []
    )
    return Application(
        [
            (prefix + r"oauth_callback", SignedInHandler, known),
            (prefix + r"api", VersionHandler, known),
            *icons,
            *file_routes(prefix),
            *revoking_routes(prefix, site),
            *usage_routes(prefix, site),
            *socket_routes(prefix),
            *announcing_routes(prefix, site),
            *elsewhere,
            (prefix + r"dashboards/([^/]+)/([^/]+)/?", DashboardHandler, known),
            (prefix + _PICTURE, PictureHandler, known),
            (prefix.rstrip("/") + "/?", GalleryHandler, known),
        ],
        default_handler_class=NotHereHandler,
        default_handler_args=known,
        cookie_secret=site.cookie_secret,
        hub_auth=site.hub.auth,
        site=site,
        log_function=log_request,
        compress_response=True,
        websocket_ping_interval=_PING,
        websocket_ping_timeout=0,  # who computes, or sleeps, answers late
        websocket_max_message_size=_LONGEST,
    )
