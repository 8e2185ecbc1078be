"""The hub, as a dashboard server sees it: who is at the door, and what is known of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from jupyterhub.services.auth import HubOAuth
from tornado.httpclient import HTTPClientError
from tornado.web import RequestHandler

from dashboards.catalog import Dashboard
from dashboards.failure import SessionEnded
from dashboards.identity import CurrentUser, user_from
from dashboards.settings import ADMIN, Settings
from dashboards.web.hub_client import FRESH_FOR, HubClient
from dashboards.web.telling import Telling
from dashboards.web.visitors import Visitor

NO_SECRETS = "What it needs to reach its data is not set up rightly."


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Group and name of a person's favourites, and of the dashboards that they opened last."""

    favourites: tuple[tuple[str, str], ...]
    recent: tuple[tuple[str, str], ...]


class Hub:
    """Asks the hub, with the visitor's token who they are and with the server's own the rest.

    Attributes:
        client: with which the hub is asked, the real one if no other is given.
        telling: what the hub is told by it.
    """

    def __init__(self, settings: Settings, client: HubClient | None = None) -> None:
        self.settings = settings
        # Every trait is given: their defaults come from the environment as it was on import.
        self.auth = HubOAuth(
            hub_host=settings.hub_host,
            base_url=settings.prefix,
            api_url=settings.api_url,
            api_token=settings.api_token,
            hub_prefix=f"{settings.base_url}hub/",
            keyfile="",
            certfile="",
            client_ca="",
            allow_token_in_url=False,
            allow_websocket_cookie_auth=True,
            cookie_options=dict(settings.cookie_options),
            cookie_host_prefix_enabled=settings.cookie_host_prefix,
            cache_max_age=FRESH_FOR,
            access_scopes=set(settings.access_scopes),
            oauth_client_id=settings.client_id,
            oauth_redirect_uri=settings.callback_url,
            oauth_authorization_url=f"{settings.hub_prefix}api/oauth2/authorize",
            oauth_token_url=f"{settings.api_url}/oauth2/token",
        )
        self.client = client or HubClient(settings)
        self.telling = Telling(self.client)
        self._told: frozenset[str] | None = None
        self._ahead: asyncio.Task[Any] | None = None

    async def visitor(self, handler: RequestHandler) -> Visitor | None:
        """Who sent a request; None for nobody the hub knows.

        Raises tornado's HTTPError when the hub does not answer.
        """
        return self._visitor(await self.auth.get_user(handler, sync=False))

    async def visitor_of_resource(self, handler: RequestHandler) -> Visitor | None:
        """As `visitor`, for scripts and styles, which browsers fetch without an XSRF token."""
        token = self.auth.get_token(handler)
        if not token:
            return None
        session = self.auth.get_session_id(handler)
        return self._visitor(await self.auth.user_for_token(token, session_id=session, sync=False))

    def told(self, groups: frozenset[str]) -> None:
        """The hub has said which groups the owner has now: what was known before is forgotten.

        A question that is under way may still be answered with what was before; so nobody gets
        more than what was told last.
        """
        self._told = groups
        self.auth.cache.timestamps.clear()
        self.auth.cache.values.clear()
        self.client.forget_all()

    def left_of(self, groups: frozenset[str]) -> frozenset[str]:
        """Those of the owner's groups that the hub has not taken since they were known."""
        return groups if self._told is None else groups & self._told

    def _visitor(self, model: dict[str, Any] | None) -> Visitor | None:
        if not model or model.get("kind", "user") != "user":
            return None
        allowed = self.auth.check_scopes(self.auth.access_scopes, model)
        groups = frozenset(model.get("groups") or ())
        return Visitor(
            name=model["name"],
            groups=self.left_of(groups),
            # A full admin of the hub can hold access to all servers: that is no reason to
            # look over somebody's shoulder, so the owner alone comes in.
            is_owner=bool(allowed) and model["name"] == self.settings.user,
            is_hub_admin=model.get("admin") is True,
        )

    async def current_user(self, visitor: Visitor) -> CurrentUser:
        """The typed record that notebooks get."""
        return _user_from(visitor.name, visitor.groups, await self._known())

    async def owner(self) -> CurrentUser | None:
        """The same of the owner, whoever comes; None where the hub does not tell."""
        known = await self._known()
        groups = known.get("groups")
        if not isinstance(groups, list) or not all(isinstance(one, str) for one in groups):
            return None
        return _user_from(self.settings.user, self.left_of(frozenset(groups)), known)

    async def roles_held_back(self) -> tuple[str, ...]:
        """The owner's roles that do not count, because of how they signed in."""
        roles = (await self._known()).get("roles_held_back")
        return (
            tuple(role for role in roles if isinstance(role, str))
            if isinstance(roles, list)
            else ()
        )

    async def notice(self) -> str:
        """What is wrong just now, a sentence for admins; "" if nothing is."""
        notice = (await self._known()).get("notice")
        return notice if isinstance(notice, str) else ""

    async def announcement(self) -> dict[str, str] | None:
        """What admins tell everybody: `key`, `kind` and `text`; None for nothing."""
        await self._known()
        return self.known_announcement

    @property
    def known_announcement(self) -> dict[str, str] | None:
        """The same as far as it is known, for who cannot wait for the hub."""
        known = self.client.last("claims")
        told = known.get("announcement") if isinstance(known, dict) else None
        return told if isinstance(told, dict) else None

    async def admin_dashboards(self) -> tuple[Dashboard, ...]:
        """The cards of the admin folder; none where the hub does not tell."""
        told = await self.client.ask("admin-dashboards")
        folder = self.settings.notebooks / ADMIN
        return tuple(
            Dashboard(
                **{**card, "tags": tuple(card["tags"])},
                group=ADMIN,
                path=folder / f"{card['name']}.ipynb",
            )
            for card in (told if isinstance(told, list) else ())
        )

    async def open_requests(self) -> int | None:
        """How many requests for access wait for the owner; None for who manages nothing."""
        waiting = (await self._known()).get("open_requests")
        return waiting if isinstance(waiting, int) else None

    async def usage(self) -> Usage | None:
        """What the owner keeps and has opened, with all that this server has told of it; None
        where the hub does not keep it."""
        if self.telling.has_told:
            self.telling.has_told = False
            self.client.forget("claims")
        known = await self._known()
        if "favourites" not in known:
            return None
        return Usage(
            favourites=_dashboards(known["favourites"]), recent=_dashboards(known.get("recent"))
        )

    async def failing(self) -> dict[tuple[str, str], str]:
        """By group and name, why what the owner could mend did not run when it was tried last."""
        told = (await self._known()).get("failing")
        rows = told if isinstance(told, list) else []
        return {(group, name): problem for group, name, problem in rows}

    async def publishes(self) -> bool:
        """Whether the owner may publish dashboards."""
        return (await self._known()).get("publishes") is True

    async def _known(self) -> dict[str, Any]:
        """What the hub has from the identity provider; {} where it has nothing."""
        known = await self.client.ask("claims")
        is_owners = isinstance(known, dict) and known.get("name") == self.settings.user
        return known if is_owners else {}

    def know(self, known: dict[str, Any]) -> None:
        """The hub has said unasked what it knows of the owner, just now."""
        self.client.know("claims", known)

    def know_visitor(
        self, session: str, token: str, groups: Collection[str], *, is_hub_admin: bool
    ) -> None:
        """The hub has said unasked who will come in the browser of this session: the owner, who has
        these groups, with the token of this SHA-256 digest. It need not be asked about them."""
        # The key is HubAuth's own: under another one the answer would not be found, and asked for.
        self.auth.cache[f"token:{session}:{token}"] = {
            "kind": "user",
            "name": self.settings.user,
            "admin": is_hub_admin,
            "groups": list(groups),
            "scopes": sorted(self.settings.access_scopes),
        }

    def ask_ahead(self) -> None:
        """Ask for what is known of the owner, as the browser is on its way to the page that needs
        it."""
        self._ahead = asyncio.create_task(self._known())  # the loop alone would let go of it

    async def shared_data(self, group: str, dashboard: str) -> dict[str, str] | None:
        """What the hub says of the shared cells of a notebook: `file`, where what they have left
        is; or `reference`, `sentence`, `summary` and `traceback`, why there is nothing.

        None: this hub runs no shared cells. Raises OSError or tornado's HTTPError when it does not
        answer. Waits until the cells have run.
        """
        # No time limit: the hub knows how long they may take. Others must not wait for it.
        asked = {"group": group, "dashboard": dashboard}
        answer = await self.client.post("shared-data", asked, seconds=0, alone=True)
        if answer.code == 404:
            return None
        answer.rethrow()
        return json.loads(answer.body)

    async def secrets_of(self, group: str, dashboard: str) -> dict[str, str]:
        """What a dashboard finds in its environment beside all else, such as a password.

        Raises SessionEnded where the hub cannot say.
        """
        known = (await self._known()).get("folders_with_secrets")
        if not isinstance(known, list) or group not in known:
            return {}
        asked = {"group": group, "dashboard": dashboard}
        try:
            answer = await self.client.post("folder-secrets", asked)
            answer.rethrow()
            return json.loads(answer.body)
        except (HTTPClientError, OSError, ValueError) as error:
            raise SessionEnded(f"no secrets of {group}: {error}", NO_SECRETS) from None


def _dashboards(told: object) -> tuple[tuple[str, str], ...]:
    """Groups and names, as the hub tells them."""
    rows = told if isinstance(told, list) else []
    pairs = [row for row in rows if isinstance(row, list | tuple) and len(row) == 2]
    return tuple(
        (group, name) for group, name in pairs if isinstance(group, str) and isinstance(name, str)
    )


def _user_from(name: str, groups: frozenset[str], known: dict[str, Any]) -> CurrentUser:
    """The record of somebody. `known`: what the hub has from the identity provider."""
    return user_from(
        name,
        groups,
        known.get("tenant") if isinstance(known.get("tenant"), str) else None,
        known["claims"] if isinstance(known.get("claims"), dict) else {},
    )
