"""`python -I -m dashboards.lab.preview SOCKET`: the notebooks of a lab, as viewers will see them.

The pages, sessions and processes are those of people's servers; only who looks, and which
notebooks there are, is said here and not by the hub. jupyter-server-proxy starts it and passes on
what the owner of the lab asks: nobody else reaches the socket, which lies in a folder of this
account's alone.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.netutil import bind_unix_socket
from tornado.routing import Router
from tornado.web import RequestHandler

from dashboards.catalog import Dashboard, dashboards_of
from dashboards.hub import Hub
from dashboards.hub_client import HubClient
from dashboards.identity import CurrentUser
from dashboards.lab import folder_name, work_folder
from dashboards.lab.preview_pages import preview_pages
from dashboards.lab.viewers import Viewer, ViewersError, sample_viewers, viewers_of
from dashboards.processes import Processes
from dashboards.routes import Routes
from dashboards.server import run
from dashboards.settings import Settings, drop_secrets, settings_from
from dashboards.site import Site
from dashboards.telling import Telling
from dashboards.this_process import end_with_parent
from dashboards.visitors import Visitor

_DEEPEST: Final = 4
_MOST_FOLDERS: Final = 200


@dataclass(frozen=True, kw_only=True)
class _Looking(Visitor):
    """The author, in the place of a sample viewer: sees why a notebook fails, as admins do."""

    @property
    def is_admin(self) -> bool:
        return True

    @property
    def may_manage(self) -> bool:
        return False

    def publishes_to(self, group: str) -> bool:
        return False


class _AsksNobody(HubClient):
    """The hub knows nothing of who does not exist."""

    async def _fetch(self, path: str) -> None:
        return None


class _TellsNobody(Telling):
    """A preview is no use of a dashboard, and the hub keeps nothing of a sample viewer's."""

    def opened(self, group: str, dashboard: str) -> str:
        """No key: of this opening no more can be said."""
        return ""

    def gallery_shown(self) -> None:
        """The hub has no pictures of these."""

    async def _tell(self, path: str, said: dict[str, Any]) -> int:
        return 0


class PreviewHub(Hub):
    """In the place of the hub: says that a sample viewer is at the door; asks and tells nobody.

    Args:
        folders: the names of all folders there are, any of which may be published for them.
    """

    def __init__(
        self, settings: Settings, sample: CurrentUser, folders: Callable[[], frozenset[str]]
    ) -> None:
        super().__init__(settings, _AsksNobody(settings))
        self.telling = _TellsNobody(self.client)
        self.sample, self._folders = sample, folders

    async def visitor(self, handler: RequestHandler) -> Visitor:
        """The sample viewer: the lab has asked who comes."""
        groups = frozenset(self.sample.groups) | self._folders()
        return _Looking(name=self.sample.name, groups=groups, is_owner=True)

    visitor_of_resource = visitor

    async def current_user(self, visitor: Visitor) -> CurrentUser:
        """What the notebook is told of its viewer."""
        return self.sample

    async def shared_data(self, group: str, dashboard: str) -> None:
        """Shared cells run in the preview's own process, as all others."""


class PreviewSite(Site):
    """The notebooks of a work folder, for one sample viewer."""

    def dashboards(
        self, group: str | None = None, name: str | None = None
    ) -> tuple[Dashboard, ...]:
        """All notebooks of the work folder and the folders in it, the newest first."""
        found = [
            replace(dashboard, group=folder)
            for folder, path in folders_in(self.settings.notebooks)
            if group is None or folder == group
            for dashboard in dashboards_of(path, name)
        ]
        return tuple(sorted(found, key=lambda one: -one.modified_ns))

    async def shared_with(
        self, visitor: Visitor, group: str | None = None, name: str | None = None
    ) -> tuple[Dashboard, ...]:
        """To the author all are."""
        return self.dashboards(group, name)


def folders_in(root: Path) -> Iterator[tuple[str, Path]]:
    """The work folder and those in it, by the names under which previews know them."""
    waiting: list[tuple[tuple[str, ...], Path]] = [((), root)]
    for _ in range(_MOST_FOLDERS):
        if not waiting:
            return
        place, path = waiting.pop(0)
        yield folder_name(*place), path
        if len(place) == _DEEPEST:
            continue
        try:
            below = sorted(
                one.name
                for one in os.scandir(path)
                if one.is_dir(follow_symlinks=False) and not one.name.startswith((".", "__"))
            )
        except OSError:
            continue
        waiting += [((*place, one), path / one) for one in below]


@dataclass
class Previews:
    """The sites of all sample viewers, each made when it is asked for.

    Attributes:
        settings: of the lab; `prefix` is the preview's.
        token: with it the lab publishes.
    """

    settings: Settings
    tenants: list[str]
    processes: Processes
    token: str = field(repr=False)
    _sites: dict[str, tuple[Viewer, PreviewSite, Routes]] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """What is wrong with the file of viewers, "" if nothing is."""
        try:
            viewers_of(self.settings.notebooks)
        except ViewersError as error:
            return str(error)
        return ""

    def viewers(self) -> tuple[Viewer, ...]:
        """As whom one can look, the first by default."""
        samples = sample_viewers(self.tenants)
        try:
            return samples + viewers_of(self.settings.notebooks)
        except ViewersError:
            return samples

    def site(self, key: str) -> tuple[PreviewSite, Routes] | None:
        """The site of a viewer and its addresses, None where there is no such viewer."""
        viewer = next((one for one in self.viewers() if one.key == key), None)
        if viewer is None:
            return None
        known = self._sites.get(key)
        if known is None or known[0] != viewer:
            known = self._sites[key] = (viewer, *self._made(viewer))
        return known[1:]

    def _made(self, viewer: Viewer) -> tuple[PreviewSite, Routes]:
        settings = replace(
            self.settings,
            prefix=f"{self.settings.prefix}as/{viewer.key}/",
            user=viewer.user.name,
        )
        folders = partial(_names, settings.notebooks)
        hub = PreviewHub(settings, viewer.user, folders)
        site = PreviewSite(settings, self.processes, hub)
        return site, Routes(site)

    @property
    def default(self) -> PreviewSite:
        """The site of the first viewer."""
        site = self.site(self.viewers()[0].key)
        assert site is not None
        return site[0]


def _names(root: Path) -> frozenset[str]:
    return frozenset(name for name, _ in folders_in(root))


class PreviewRoutes(Router):
    """`<prefix>as/<viewer>/…` is that viewer's; the rest are the preview's own pages."""

    def __init__(self, previews: Previews) -> None:
        self._previews = previews
        self._pages = preview_pages(previews)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Called by Tornado for each request."""
        prefix = self._previews.settings.prefix
        place = place_below(request.path, prefix)
        request.path = prefix + place
        first, _, rest = place.partition("/")
        site = self._previews.site(rest.partition("/")[0]) if first == "as" else None
        routes = site[1] if site else self._pages
        return routes.find_handler(request, **kwargs)


def place_below(path: str, prefix: str) -> str:
    """What comes after the preview's own address, in the way in which jupyter-server-proxy writes
    that: with what is escaped in it, such as the "+" of a name, escaped once more."""
    return path.split("/", prefix.count("/"))[-1]


def settings_of(environ: dict[str, str], folder: Path) -> Settings:
    """What a server of previews has in the place of what the hub tells a dashboard server. Nothing
    in it lets in at the hub. Raises SettingsError."""
    given = settings_from({**environ, "ATRIUM_NOTEBOOKS": os.fspath(folder)})
    return replace(
        given,
        prefix=environ["ATRIUM_PREVIEW"],
        server_name="",
        api_token="none",
        client_id="none",
        push_key="",
        activity_url="",
        shared=None,
    )


def main(path: str, channel: socket.socket) -> int:
    """Serve until told to stop; returns the exit status.

    Args:
        path: of the socket that requests come on.
        channel: on which sessions are ordered, see `dashboards.forking`.
    """
    gc.enable()
    logging.basicConfig(format="[preview] %(levelname)s %(message)s", level=logging.WARNING)
    settings = settings_of(dict(os.environ), work_folder())
    token, tenants = os.environ["JUPYTERHUB_API_TOKEN"], os.environ["ATRIUM_TENANTS"].split(",")
    drop_secrets(os.environ)
    return asyncio.run(_serve(path, channel, settings, tenants, token))


async def _serve(
    path: str, channel: socket.socket, settings: Settings, tenants: list[str], token: str
) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    processes = Processes(channel)
    previews = Previews(settings, tenants, processes, token)
    server = HTTPServer(PreviewRoutes(previews))
    server.add_socket(bind_unix_socket(path))
    processes.start(stopped.set)
    await stopped.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    end_with_parent(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the lab's
    run(partial(main, sys.argv[1]))
