"""The look of the hub's own pages: our templates over JupyterHub's, and the one sheet of tokens."""

from __future__ import annotations

from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from jupyterhub.user import User
from jupyterhub.utils import url_path_join

from . import announcement
from .access.request_queue import open_requests
from .brands import Brands
from .folders import folders_for
from .settings import Settings
from .spawner import killed_servers

TEMPLATES: Final = Path(__file__).with_name("pages")


def look_folder() -> Path:
    """The folder with the sheet, which the dashboards bring (found, not imported)."""
    spec = find_spec("dashboards")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package dashboards is not installed")
    return Path(spec.submodule_search_locations[0]) / "static"


def sheet_version() -> str:
    """Names this state of the sheets, so that browsers may keep them for good."""
    files = sorted([*look_folder().iterdir(), *TEMPLATES.with_name("static").iterdir()])
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


class LookHandler(CacheControlStaticFilesHandler):
    """`/hub/atrium/…` and `/hub/look/…`: sheets and pictures. They hold nothing of any person."""

    def set_extra_headers(self, path: str) -> None:
        keep = (
            "public, max-age=31536000, immutable" if "v" in self.request.arguments else "no-cache"
        )
        self.set_header("Cache-Control", keep)


#: Pages of one person must not be kept by a browser that another one uses next.
HEADERS: Final = {
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def set_up(c: Any, given: Settings, ahead: str, brands: Brands) -> None:
    """Have the hub's pages look as ours. Called by the configuration.

    Args:
        ahead: the address of a script that has the browser fetch what dashboards ask for.
    """
    c.JupyterHub.template_paths = [str(TEMPLATES)]
    c.JupyterHub.template_vars = _template_vars(given, ahead, brands)
    c.JupyterHub.default_url = landing
    origins = sorted(given.embed_origins)
    settings = {"headers": HEADERS, "brands": brands, "embed_origins": origins}
    c.JupyterHub.tornado_settings = settings


def _template_vars(given: Settings, ahead: str, brands: Brands) -> dict[str, Any]:
    """What our templates need beside JupyterHub's own variables."""

    def has_dashboards(user: User | None) -> bool:
        return user is not None and bool(
            folders_for(given.notebooks, (group.name for group in user.groups))
        )

    return {
        "brand": brands.of,  # JupyterHub calls it with who looks at the page
        "killed_servers": killed_servers,
        "sheet_version": sheet_version(),
        "has_dashboards": has_dashboards,
        "contacts": sorted(given.hub_admins),  # whom to ask
        "ahead": ahead,
        "open_requests": open_requests,
        "announcement": announcement.seen_by,
    }


def landing(handler: BaseHandler) -> str:
    """Where somebody goes after signing in: to their dashboards, or to a page that says why not."""
    if handler.template_namespace["has_dashboards"] or handler.current_user is None:
        return ""
    return url_path_join(handler.hub.base_url, "home")


def handlers() -> list[tuple[Any, ...]]:
    """The hub's handlers for the look."""
    return [
        (r"/atrium/(.*)", LookHandler, {"path": str(look_folder())}),
        (r"/look/(.*)", LookHandler, {"path": str(TEMPLATES.with_name("static"))}),
    ]
