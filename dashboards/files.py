"""Scripts, styles and fonts: files of installed packages and ours, the same for everybody."""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import os
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from tornado.web import HTTPError, StaticFileHandler

STATIC = Path(__file__).parent / "static"
"""Our own."""


def bokeh_static() -> str:
    """Bokeh's own scripts; found without importing it."""
    return os.fspath(_package("bokeh") / "server" / "static")


@cache
def usual_scripts() -> tuple[str, ...]:
    """Addresses, under a server's prefix, of the scripts that nearly every dashboard asks for.

    With the versions that Bokeh gives them, so that a browser can fetch them ahead.
    """
    bokeh = bokeh_static()
    found = []
    for name in ("bokeh", "bokeh-widgets", "bokeh-tables"):
        path = f"js/{name}.min.js"
        version = StaticFileHandler.get_version({"static_path": bokeh}, path)
        found.append(f"static/{path}?v={version}")
    panel = hashlib.sha256(importlib.metadata.version("panel").encode())
    return (*found, f"static/extensions/panel/panel.min.js?v={panel.hexdigest()}")


@cache
def usual_styles() -> tuple[str, ...]:
    """Addresses, as of `usual_scripts`, of the sheets that Panel's widgets ask for."""
    version = importlib.metadata.version("panel")
    names = (
        *("css/loading", "css/listpanel", "css/markdown", "css/select", "css/button"),
        *("bundled/theme/default", "bundled/theme/native"),
    )
    return tuple(f"static/extensions/panel/{name}.css?v={version}" for name in names)


def usual_files() -> tuple[Path, ...]:
    """The files of the usual scripts, in the same order."""
    names = [script.partition("?")[0].removeprefix("static/") for script in usual_scripts()]
    return tuple(
        _package("panel") / "dist" / name.removeprefix("extensions/panel/")
        if name.startswith("extensions/panel/")
        else Path(bokeh_static(), name)
        for name in names
    )


def pack_usual_scripts() -> None:
    """Compress them, so that nobody waits for that."""
    for file in usual_files():
        _packed(os.fspath(file), file.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _packed(path: str, modified_ns: int) -> bytes:
    """A version of a file, compressed."""
    return gzip.compress(Path(path).read_bytes(), 9)


class FileHandler(StaticFileHandler):
    """A file with a version in its address may be kept for good.

    `for_all`: pages of other origins may use it, as those of people's own subdomains.
    """

    for_all = False

    def initialize(self, path: str, for_all: bool = False) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().initialize(path=path)
        self.for_all = for_all

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.clear_header("Server")

    async def get(self, path: str, include_body: bool = True) -> None:
        """Answer with the file; compressed, where that has been done once for all."""
        self.path = self.parse_url_path(path)
        file = self.validate_absolute_path(self.root, self.get_absolute_path(self.root, self.path))
        if file is None:
            return
        self.absolute_path = file
        known = "v" in self.request.query_arguments and file.endswith((".js", ".css"))
        if not known or "gzip" not in self.request.headers.get("Accept-Encoding", ""):
            await super().get(path, include_body)
            return
        body = _packed(file, os.stat(file).st_mtime_ns)
        self.set_header("Content-Type", self.get_content_type())
        self.set_header("Content-Encoding", "gzip")
        self.set_header("Content-Length", len(body))
        self.set_header("Vary", "Accept-Encoding")
        self.set_extra_headers(path)
        self.finish(body if include_body else None)  # not waited for: the browser may have left

    def set_extra_headers(self, path: str) -> None:
        versioned = "v" in self.request.query_arguments
        keep = "public, max-age=31536000, immutable" if versioned else "no-cache"
        self.set_header("Cache-Control", keep)
        self.clear_header("Expires")
        if self.for_all:
            self.set_header("Access-Control-Allow-Origin", "*")
            self.set_header("Cross-Origin-Resource-Policy", "cross-origin")


class ExtensionFileHandler(FileHandler):
    """`static/extensions/<package>/…`: what packages bring for Bokeh, Panel first of all."""

    def initialize(self, for_all: bool = False) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().initialize("/nonexistent", for_all)

    async def get(self, package: str, path: str, include_body: bool = True) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Answer with the file. 404 for a package that brings none."""
        if package == "panel":
            self.root = _panel()
        else:
            # Others are known once a notebook has imported them.
            site = self.settings.get("site")
            self.root = site.sessions.extension_folder(package) if site else ""
            if not self.root or not _is_of(package, self.root):
                raise HTTPError(404)
        await super().get(path, include_body)

    def get_content_type(self) -> str:
        # Panel keeps some scripts as files named `vega@6.1.2`, which nothing tells the kind of.
        found = super().get_content_type()
        return "text/javascript" if "@" in os.path.basename(self.absolute_path or "") else found

    async def head(self, package: str, path: str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        await self.get(package, path, include_body=False)


def file_routes(prefix: str, *, for_all: bool = False) -> list[tuple]:
    """Routes of all files; none of them is about a person. `for_all`: see `FileHandler`."""
    icon = {"path": os.fspath(STATIC / "mark.svg")}
    known = {"for_all": for_all}
    return [
        (prefix + r"static/atrium/(.*)", FileHandler, {"path": os.fspath(STATIC), **known}),
        (prefix + r"static/extensions/([^/]+)/(.*)", ExtensionFileHandler, known),
        (prefix + r"static/(.*)", FileHandler, {"path": bokeh_static(), **known}),
        # As Panel's own host has them: for notebooks in a lab (`dashboards.lab`).
        (prefix + r"panel/[^/]+/dist/(.*)", FileHandler, {"path": _panel(), **known}),
        (prefix + r"(?:.*/)?favicon\.ico()", IconHandler, icon),
    ]


class IconHandler(FileHandler):
    """The icon under the address that browsers and Panel's pages ask for."""

    def initialize(self, path: str) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        folder, _, self.icon = path.rpartition("/")
        super().initialize(path=folder)

    async def get(self, path: str, include_body: bool = True) -> None:
        await super().get(self.icon, include_body)


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(f"The package {name} is not installed.")
    return Path(spec.origin).parent


def _panel() -> str:
    return os.fspath(_package("panel") / "dist")


def _is_of(package: str, folder: str) -> bool:
    """Whether a folder lies in the package; a dashboard says so, and could say anything."""
    try:
        return Path(folder).resolve().is_relative_to(_package(package).resolve())
    except (ImportError, ValueError):
        return False
