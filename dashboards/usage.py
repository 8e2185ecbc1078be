"""What the pages say of their person: a favourite, and how soon a dashboard was there.

Both are the word of a browser, in which the JavaScript of a person's dashboards runs too: nothing
but what this person sees of their own gallery, and what admins read of speed, depends on it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from tornado.web import HTTPError

from dashboards.catalog import find
from dashboards.pages import PersonHandler
from dashboards.site import Site

_LONGEST: Final = 2_000  # bytes
_LONGEST_WAIT: Final = 600  # seconds; the hub takes no more
_SENTENCES: Final = {
    409: "You have as many favourites as there can be. Take one away first, then try again.",
    429: "That was too fast. Wait a minute, then try again.",
}


class _TellHandler(PersonHandler):
    """Takes JSON of a page of this server; a request without the page's `_xsrf` is nobody's."""

    def body(self) -> dict[str, Any]:
        """What the page says. Raises HTTPError for anything but an object."""
        try:
            said = json.loads(self.request.body) if len(self.request.body) <= _LONGEST else None
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise HTTPError(400)
        return said

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish()


class FavouriteHandler(_TellHandler):
    """`POST <prefix>favourite`: `{"group": ..., "dashboard": ..., "favourite": true or false}`."""

    async def post(self) -> None:
        """Have the hub keep it; otherwise answer with a sentence for the person, as `message`."""
        said = self.body()
        group, name, wanted = (said.get(key) for key in ("group", "dashboard", "favourite"))
        if not (isinstance(group, str) and isinstance(name, str) and isinstance(wanted, bool)):
            raise HTTPError(400)
        if wanted and not find(await self.site.shared_with(self.person, group, name), group, name):
            raise HTTPError(404)
        status = await self.site.hub.telling.favourite(group, name, wanted=wanted)
        if status == 204:
            self.set_status(204)
        else:
            self.set_status(status if status in _SENTENCES else 502)
            self.finish({"message": _SENTENCES.get(status, "")})


class OpenedHandler(_TellHandler):
    """`POST <prefix>opened`: `{"opening": ..., "seconds": ...}`, once for each opened page."""

    def post(self) -> None:
        """Pass it on to the hub; 404 for an opening of which all is known, or that is none."""
        said = self.body()
        opening, seconds = said.get("opening"), said.get("seconds")
        if not isinstance(opening, str) or not isinstance(seconds, int | float):
            raise HTTPError(400)
        if isinstance(seconds, bool) or not 0 < seconds <= _LONGEST_WAIT:
            raise HTTPError(400)
        self.set_status(204 if self.site.hub.telling.opening_ended(opening, seconds) else 404)


def usage_routes(prefix: str, site: Site) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """The addresses of this module. `prefix`: as a regular expression."""
    return [
        (prefix + "favourite", FavouriteHandler, {"site": site}),
        (prefix + "opened", OpenedHandler, {"site": site}),
    ]
