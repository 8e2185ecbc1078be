"""The preview's own pages: which notebooks there are, and one of them as a viewer sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.web import Application

from dashboards.addresses import place_of
from dashboards.catalog import Dashboard, find
from dashboards.gallery import ago
from dashboards.lab.beside import Beside, files_beside
from dashboards.pages import Message, PlainHandler
from dashboards.site import log_request

if TYPE_CHECKING:
    from dashboards.lab.preview import Previews

log = logging.getLogger(__name__)

_LOOK: Final = 0.4  # seconds between two looks whether a file has been saved
_KEEP_ALIVE: Final = 15.0  # seconds after which something is said in any case
_PATIENCE: Final = 60  # seconds that the hub may take to take a notebook

_GONE = Message(
    title="This notebook is not here",
    text="It may have another name by now, or lie in another folder.",
)


class PreviewHandler(PlainHandler):
    """A page for the owner of the lab; it has let them in."""

    def initialize(self, previews: Previews) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Called by Tornado with what the route carries."""
        self.previews = previews
        super().initialize(previews.default)

    @property
    def root(self) -> str:
        """The address of the preview."""
        return self.previews.settings.prefix

    def dashboard(self, group: str, name: str) -> Dashboard | None:
        """The notebook of this folder and name."""
        return find(self.site.dashboards(group, name), group, name)

    def say(self, message: Message, status: int) -> None:
        """Answer with a message page, whose button leads to all notebooks."""
        self.show(replace(message, next_words="All notebooks", next_url=self.root), status)


class IndexHandler(PreviewHandler):
    """`<prefix>`: the notebooks of the work folder, the one that was saved last first."""

    def get(self) -> None:
        """List them."""
        now = time.time()
        rows = [
            {
                "title": one.title,
                "file": f"{one.name}.ipynb",
                "folder": one.group,
                "saved": f"Saved {ago(now - one.modified_ns / 1e9)}",
                "url": f"{self.root}show/{place_of(one.group, one.name)}",
                "name": one.name,
                "problem": one.problem or "",
            }
            for one in self.site.dashboards()
        ]
        values = {"rows": rows, "root": self.root, "problem": self.previews.problem}
        self.finish(self.page("preview_index.html", lab=lab_of(self.root), **values))


class ShowHandler(PreviewHandler):
    """`<prefix>show/<folder>/<name>`: a notebook in a frame, with what changes it round that."""

    def get(self, group: str, name: str) -> None:
        """The page; what is in the frame is a viewer's page and nothing else."""
        dashboard = self.dashboard(group, name)
        if dashboard is None:
            self.say(_GONE, 404)
            return
        self.finish(
            self.page(
                "preview.html",
                dashboard=dashboard,
                place=place_of(group, name),
                viewers=self.previews.viewers(),
                root=self.root,
                start=start_of(self.previews.settings),
            )
        )


class ChangesHandler(PreviewHandler):
    """`<prefix>changes?folder=…&name=…`: says whenever the notebook has been saved, as a stream of
    events (HTML, server-sent events)."""

    async def get(self) -> None:
        """Without an end."""
        group, name = self.get_argument("folder"), self.get_argument("name")
        dashboard = self.dashboard(group, name)
        if dashboard is None:
            self.say(_GONE, 404)
            return
        self.set_header("Content-Type", "text/event-stream")
        told, said_at = None, 0.0
        while not self._is_closed:
            version = _version(dashboard.path)
            if version != told or time.monotonic() > said_at + _KEEP_ALIVE:
                told, said_at = version, time.monotonic()
                self.write(f"data: {version}\n\n")
                try:
                    await self.flush()
                except StreamClosedError:
                    return
            await asyncio.sleep(_LOOK)

    _is_closed = False

    def on_connection_close(self) -> None:
        """Called by Tornado: nobody listens any more."""
        super().on_connection_close()
        self._is_closed = True

    def compute_etag(self) -> None:
        """A stream has none."""


class PublishHandler(PreviewHandler):
    """`<prefix>publish`: asks which files are to come with a notebook, if there are any beside it;
    has the hub check it, and leads to its page of that."""

    async def post(self) -> None:
        """A form of a page of ours, with `folder` and `name`; and once files were asked for with
        `chosen`, and each `file`."""
        if not self._is_ours:
            self.say(Message(title="That did not work", text="Publish from the preview."), 403)
            return
        dashboard = self.dashboard(self.get_argument("folder"), self.get_argument("name"))
        if dashboard is None:
            self.say(_GONE, 404)
            return
        files: list[Beside] = []
        if not dashboard.problem:  # else the hub says what is wrong with it
            files = await asyncio.to_thread(files_beside, dashboard.path)
        if files and not self.get_argument("chosen", ""):
            lab = lab_of(self.root)
            values = {"dashboard": dashboard, "beside": files, "root": self.root, "lab": lab}
            self.finish(self.page("preview_files.html", **values))
            return
        wanted = set(self.get_arguments("file", strip=False))
        names = [file.name for file in files if file.name in wanted]
        try:
            check = await self._check(dashboard, names)
        except (HTTPClientError, OSError, ValueError, KeyError) as error:
            log.warning("%s was not taken for publishing: %s", dashboard.name, error)
            self.say(_refused(error), 502)
            return
        hub = self.previews.settings.hub_prefix
        self.redirect(f"{hub}publish?{urlencode({'check': check})}")

    @property
    def _is_ours(self) -> bool:
        """Whether a page of ours sends this; older browsers, Safari before 16.4, tell no more than
        its origin."""
        headers = self.request.headers
        if "Sec-Fetch-Site" in headers:
            return headers["Sec-Fetch-Site"] == "same-origin"
        origin = headers.get("Origin", "")
        return self.site.is_own_origin(origin) or urlsplit(origin).netloc == self.request.host

    async def _check(self, dashboard: Dashboard, names: list[str]) -> str:
        """Send the notebook and files beside it; returns by what the hub knows its check."""
        answer = await self._send("POST", "checks", dashboard.name, dashboard.path)
        check = str(json.loads(answer)["id"])
        for name in names:
            await self._send("PUT", f"checks/{check}/files", name, dashboard.path.parent / name)
        return check

    async def _send(self, method: str, path: str, name: str, file: Path) -> bytes:
        """Send a file to the hub; returns what that answers."""
        request = HTTPRequest(
            f"{self.previews.settings.api_url}/publishing/{path}?{urlencode({'name': name})}",
            method=method,
            headers={
                "Authorization": f"token {self.previews.token}",
                "Content-Type": "application/json",
            },
            body=await asyncio.to_thread(file.read_bytes),
            request_timeout=_PATIENCE,
            follow_redirects=False,
        )
        return (await AsyncHTTPClient().fetch(request)).body


def _refused(error: Exception) -> Message:
    """What the author is told; the hub says why in a sentence."""
    said = None
    if isinstance(error, HTTPClientError) and error.response is not None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said = json.loads(error.response.body)["message"]
    nobody = "Nobody takes it just now. It is as it was; try again in a moment."
    return Message(title="The notebook could not be sent", text=str(said or nobody))


def lab_of(root: str) -> str:
    """The address of the lab whose preview this is."""
    return root.rstrip("/").rpartition("/")[0] + "/lab"


def start_of(settings: Any) -> str:
    """Where at the hub somebody starts the lab again."""
    user = settings.prefix.rstrip("/").rsplit("/", 3)[1]
    return f"{settings.hub_prefix}spawn/{user}/lab"


def _version(path: Path) -> str:
    """Changes when a file is saved; "gone" while there is none."""
    try:
        info = os.stat(path)
    except OSError:
        return "gone"
    return f"{info.st_mtime_ns}-{info.st_size}"


class _NotHere(PreviewHandler):
    def prepare(self) -> None:
        self.say(_GONE, 404)


class _AliveHandler(PreviewHandler):
    """`<prefix>alive`: that the lab runs."""

    def get(self) -> None:
        self.set_status(204)


def preview_pages(previews: Previews) -> Application:
    """The addresses of this module."""
    prefix = re.escape(previews.settings.prefix)
    known = {"previews": previews}
    return Application(
        [
            (prefix, IndexHandler, known),
            (prefix + "alive", _AliveHandler, known),
            (prefix + "changes", ChangesHandler, known),
            (prefix + "publish", PublishHandler, known),
            (prefix + r"show/([^/]+)/([^/]+)", ShowHandler, known),
        ],
        default_handler_class=_NotHere,
        default_handler_args=known,
        cookie_secret=previews.default.cookie_secret,
        site=previews.default,
        log_function=log_request,
    )
