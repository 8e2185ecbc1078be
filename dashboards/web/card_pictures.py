"""What a card shows: a picture of its dashboard, which the hub has had made, or else a drawing.

The hub keeps pictures where those can read them who see the folder, by the notebook's content: so
there is one of the present version or none.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from markupsafe import Markup

from dashboards.catalog import Dashboard, find
from dashboards.running.cells import digest_of
from dashboards.settings import Settings
from dashboards.web.addresses import place_of
from dashboards.web.pages import NOT_HERE, PersonHandler
from dashboards.web.thumbnail import thumbnail

_SCHEMES: Final = ("light", "dark")
_LARGEST: Final = 16 * 1024 * 1024  # bytes of a notebook of which the hub makes one
_DAY: Final = 24 * 3600


def picture_of(dashboard: Dashboard, settings: Settings) -> Markup:
    """What fills the card of a dashboard, for both colour schemes."""
    if dashboard.problem or _file(dashboard, settings, "light") is None:
        return thumbnail(f"{dashboard.group}/{dashboard.name}")
    digest = _digest(dashboard.path, dashboard.modified_ns, dashboard.size)
    place = f"{place_of(dashboard.group, dashboard.name)}/{digest}"
    return Markup("").join(
        Markup(
            '<img class="{}" src="{}" width="640" height="360" loading="lazy" decoding="async"'
            ' alt="">'
        ).format(scheme, f"{settings.prefix}thumbnails/{place}-{scheme}.png")
        for scheme in _SCHEMES
    )


class PictureHandler(PersonHandler):
    """`/user/<name>/thumbnails/<group>/<notebook>/<digest>-<scheme>.png`."""

    async def get(self, group: str, name: str, digest: str, scheme: str) -> None:
        """Answer with the picture, after the same checks as for the dashboard: what is forbidden
        and what is missing are answered alike."""
        dashboard = find(await self.site.shared_with(self.person, group, name), group, name)
        file = _file(dashboard, self.site.settings, scheme) if dashboard else None
        if file is None or f"-{digest}-" not in file.name:
            self.show(NOT_HERE, 404)
            return
        try:
            picture = file.read_bytes()
        except OSError:  # another version, since just now
            self.show(NOT_HERE, 404)
            return
        self.set_header("Content-Type", "image/png")
        self.set_header("Cache-Control", f"private, max-age={_DAY}")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.finish(picture)


def _file(dashboard: Dashboard, settings: Settings, scheme: str) -> Path | None:
    """The file of a picture of the notebook's present version, None where there is none."""
    if settings.shared is None or dashboard.size > _LARGEST:
        return None
    try:
        digest = _digest(dashboard.path, dashboard.modified_ns, dashboard.size)
    except OSError:
        return None
    file = settings.shared / dashboard.group / f"picture-{digest}-{scheme}.png"
    # Not Path.exists: it raises where the hub has not let this account in yet, as after its start.
    return file if os.path.exists(file) else None


@lru_cache(maxsize=4096)
def _digest(path: Path, modified_ns: int, size: int) -> str:
    """Of one version of a notebook."""
    del modified_ns, size  # they only name the version
    return digest_of(path.name, path.read_bytes())
