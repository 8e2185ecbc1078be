"""The hub says which groups the owner of this server has now; what they no longer open is closed.

The hub decides and pushes: a page that is only looked at asks nobody. The hub waits for the answer
of this server, and ends it when none comes.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from jupyterhub.services.auth import HubOAuthenticated
from tornado.web import HTTPError, RequestHandler

from dashboards.close_codes import SIGNED_OUT, TAKEN
from dashboards.gallery import seen
from dashboards.pages import TellingSocket
from dashboards.site import Site

_LONGEST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Push:
    """What the hub says. `ended`: the person has been signed out."""

    groups: frozenset[str]
    ended: bool

    @property
    def code(self) -> int:
        """The close code for what is not allowed any more."""
        return SIGNED_OUT if self.ended else TAKEN


class PushedHandler(RequestHandler):
    """An address for the hub alone, which says something unasked."""

    def initialize(self, site: Site) -> None:
        """Called by Tornado with what the route carries."""
        self.site = site

    def check_xsrf_cookie(self) -> None:
        """No browser calls this: the hub's key is not in a cookie."""

    def prepare(self) -> None:
        """Nobody but the hub knows the key of this server."""
        key = self.site.settings.push_key
        given = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not key or not secrets.compare_digest(given.encode(), key.encode()):
            raise HTTPError(403)


class GroupsHandler(PushedHandler):
    """`PUT <prefix>groups`: answers when all that is no longer allowed is closed.

    Body: `{"groups": [...], "ended": false}`. 409 says that code of a notebook goes on.
    """

    async def put(self) -> None:
        """Take the groups over, and close what they do not open."""
        push = _push_from(self.request.body)
        self.set_status(204 if await self.site.groups_changed(push) else 409)


def _push_from(body: bytes) -> Push:
    try:
        told = json.loads(body) if len(body) <= _LONGEST else None
    except ValueError:
        told = None
    groups = told.get("groups") if isinstance(told, dict) else None
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise HTTPError(400)
    assert isinstance(told, dict)
    return Push(groups=frozenset(groups), ended=told.get("ended") is True)


class AliveHandler(HubOAuthenticated, RequestHandler):
    """`<prefix>alive`: asked by a page that has lost its connection."""

    def initialize(self, site: Site) -> None:
        """Called by Tornado with what the route carries."""
        self.site = site
        self.hub_auth = site.hub.auth

    async def get(self) -> None:
        """204: this server runs, and its owner is signed in; 401 to everybody else."""
        self.set_header("Cache-Control", "no-store")
        visitor = await self.site.hub.visitor_of_resource(self)
        self.set_status(204 if visitor is not None and visitor.is_owner else 401)


class ChangesSocket(TellingSocket):
    """`<prefix>changes`: an open gallery is told when there is something else to show."""

    @property
    def told(self) -> set[ChangesSocket]:
        return self.site.galleries

    def open(self, *_args: Any) -> None:
        """Somebody looks at the gallery, perhaps at one that was drawn before the last change."""
        self._groups = self.visitor.groups
        self.told.add(self)
        if self.get_argument("seen", "") != seen(self._groups):
            self.write_message("changed")

    def follow(self, push: Push) -> None:
        """There is something else to show, or nothing any more."""
        super().follow(push)
        before, self._groups = self._groups, push.groups
        if push.groups != before:
            self.say("changed")


def revoking_routes(prefix: str, site: Site) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """The addresses of this module. `prefix`: as a regular expression."""
    return [
        (prefix + "groups", GroupsHandler, {"site": site}),
        (prefix + "alive", AliveHandler, {"site": site}),
        (prefix + "changes", ChangesSocket, {}),
    ]
