"""What admins tell everybody, on pages that are open: the hub pushes it, as it pushes groups."""

from __future__ import annotations

import json
from typing import Any

from tornado.web import HTTPError

from dashboards.close_codes import TAKEN
from dashboards.pages import TellingSocket, Upgrade
from dashboards.revoking import PushedHandler
from dashboards.site import Site

_LONGEST = 10_000


class AnnouncementHandler(PushedHandler):
    """`PUT <prefix>announcement`: `{"announcement": {"key", "kind", "text"}}`, null for none."""

    def put(self) -> None:
        """Tell the open pages."""
        try:
            told = json.loads(self.request.body) if len(self.request.body) <= _LONGEST else None
        except ValueError:
            told = None
        if not isinstance(told, dict) or "announcement" not in told:
            raise HTTPError(400)
        self.site.hub.client.forget_all()
        for page in tuple(self.site.announced_to):
            page.tell(told["announcement"])
        self.set_status(204)


class AnnouncementSocket(TellingSocket):
    """`<prefix>announcement`: an open page is told what there is, and when that changes."""

    @property
    def told(self) -> set[AnnouncementSocket]:
        return self.site.announced_to

    async def open(self, *_args: Any) -> None:
        """What a page shows may be from before the last change."""
        self.told.add(self)
        told = await self.site.hub.announcement()
        if self.site.hub.left_of(self.visitor.groups):
            self.tell(told)
        else:
            self.close(TAKEN)

    def tell(self, told: dict[str, str] | None) -> None:
        """Show this instead of what is there."""
        self.say(json.dumps(told))


def announcing_routes(prefix: str, site: Site) -> list[tuple[Any, type[Any], dict[str, Any]]]:
    """The addresses of this module. `prefix`: as a regular expression."""
    return [
        (Upgrade(prefix + "announcement"), AnnouncementSocket, {}),
        (prefix + "announcement", AnnouncementHandler, {"site": site}),
    ]
