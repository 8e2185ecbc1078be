"""What all handlers of one server share: what there is to see, what is open, how our pages look."""

from __future__ import annotations

import logging
import os
import re
import secrets
from functools import cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from tornado.web import RequestHandler, StaticFileHandler

from dashboards.catalog import Dashboard, dashboards_in, find, visible
from dashboards.files import STATIC
from dashboards.live.page_templates import template
from dashboards.settings import ADMIN, Settings
from dashboards.web.activity import Activity
from dashboards.web.hub import Hub
from dashboards.web.processes import Processes
from dashboards.web.sessions import Sessions
from dashboards.web.visitors import Visitor

if TYPE_CHECKING:
    from dashboards.web.announcing import AnnouncementSocket
    from dashboards.web.revoking import ChangesSocket, Push

log = logging.getLogger(__name__)


class Site:
    """What all handlers of one server share. `hub`: who is at the door, if not the hub says so."""

    def __init__(self, settings: Settings, processes: Processes, hub: Hub | None = None) -> None:
        self.settings = settings
        self.hub = hub or Hub(settings)
        self.activity = Activity(settings)
        self.cookie_secret = settings.cookie_secret or secrets.token_bytes(32)
        self.galleries: set[ChangesSocket] = set()
        self.announced_to: set[AnnouncementSocket] = set()
        #: By group and name: the opening whose page is on the way to load once more, until when.
        self.loading_again: dict[tuple[str, str], tuple[str, float]] = {}
        self.sessions = Sessions(self, processes)

    async def groups_changed(self, push: Push) -> bool:
        """The owner has these groups from now on. False: code of a notebook cannot be stopped."""
        self.hub.told(push.groups)
        closed = await self.sessions.keep_only(push.groups, push.code)
        for page in (*self.galleries, *self.announced_to):
            page.follow(push)
        return closed

    def is_own_origin(self, origin: str) -> bool:
        """Whether a WebSocket comes from a page at the hub's public address."""
        public = urlparse(self.settings.public_url).netloc
        return bool(public) and urlparse(origin).netloc.lower() == public.lower()

    @property
    def files_origin(self) -> str:
        """Another origin that scripts and styles come from, "" where it is a page's own."""
        parts = urlparse(self.settings.files_url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""

    def dashboards(
        self, group: str | None = None, name: str | None = None
    ) -> tuple[Dashboard, ...]:
        """All dashboards there are now, or those of a group or of a name alone; a folder that went
        away has none."""
        try:
            return dashboards_in(self.settings.notebooks, group, name)
        except OSError as error:
            log.error("The folder of notebooks cannot be read: %s", error.strerror)
            return ()

    async def shared_with(
        self, visitor: Visitor, group: str | None = None, name: str | None = None
    ) -> tuple[Dashboard, ...]:
        """What somebody may know of, of one group or name alone if it is given. Where the admin
        folder cannot be read, the hub tells of all that is in it."""
        found = self.dashboards(group, name)
        if visitor.is_admin and not os.access(self.settings.notebooks / ADMIN, os.R_OK | os.X_OK):
            found += await self.hub.admin_dashboards()
        return visible(found, visitor.groups)

    def why_not_shown(self, visitor: Visitor, group: str, name: str) -> str:
        """Why a notebook that is in a folder of somebody's is no dashboard, "" for all else."""
        found = find(self.dashboards(group, name), group, name)
        if found is None or not found.has_other_kernel or group not in visitor.groups:
            return ""
        return found.problem or ""

    def page(self, name: str, /, *, files: str, is_owners: bool, **values: object) -> str:
        """One of our templates as a page.

        Args:
            files: where it finds scripts and styles.
            is_owners: whether it is the owner who asks; nobody else sees their brand.
        """
        settings = self.settings
        return template(name).render(
            prefix=settings.prefix,
            home=settings.own_prefix,
            hub=settings.hub_prefix,
            files=files,
            asset=partial(_asset, files),
            inline=_inline,
            for_host=_for_host,
            brand=settings.owner_brand if is_owners else settings.brand,
            own_files=files != settings.prefix,
            **values,
        )


def _asset(files: str, name: str) -> str:
    """The address of a file of ours, with its version, so that a browser may keep it."""
    version = StaticFileHandler.get_version({"static_path": str(STATIC)}, name)
    return f"{files}static/atrium/{name}?v={version}"


@cache
def _inline(name: str) -> str:
    """The text of a script or sheet of ours, for a page that is to be whole without asking."""
    return (STATIC / name).read_text("utf-8")


@cache
def _for_host(sheet: str) -> str:
    """A sheet of ours as it stands in a shadow root: what is of the page is of its host there."""
    return re.sub(r":root((?:\[[^\]]+\]|:not\([^)]*\))*)", _as_host, sheet)


def _as_host(root: re.Match[str]) -> str:
    return f":host({root[1]})" if root[1] else ":host"


def log_request(handler: RequestHandler) -> None:
    """One line per answer, without the query: the way back from signing in carries a code there."""
    status = handler.get_status()
    if status == 304 or "/static/" in handler.request.path:
        return
    level = logging.ERROR if status >= 500 else logging.INFO
    milliseconds = 1000 * handler.request.request_time()
    path = handler.request.path[:200]
    log.log(level, "%d %s %s %.0f ms", status, handler.request.method, path, milliseconds)
