"""The hub, as a dashboard server sees it: who is at the door, what is known of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from jupyterhub.services.auth import HubOAuth
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.web import RequestHandler

from dashboards.catalog import Dashboard
from dashboards.failure import SessionEnded
from dashboards.identity import CurrentUser, user_from
from dashboards.settings import ADMIN, ANALYSTS, Settings

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

NO_SECRETS = "What it needs to reach its data is not set up rightly."

FRESH_FOR = 10
"""Seconds for which an answer of the hub is used again: so late a lost group is noticed."""

_PICTURES_KNOWN = 60.0
"""Seconds for which the hub need not be told again that somebody looks at the gallery."""
_MOST_OPENINGS = 100
"""So many pages may be open of which the browser has not said yet when they were drawn."""


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody the hub knows. `is_owner`: this server is theirs, and they may use it.
    `is_hub_admin`: they are a full admin of JupyterHub's."""

    name: str
    groups: frozenset[str]
    is_owner: bool
    is_hub_admin: bool = False

    @property
    def is_admin(self) -> bool:
        """Whether they see every folder, and what went wrong in it."""
        return ADMIN in self.groups

    @property
    def may_write(self) -> bool:
        """Whether they write dashboards."""
        return ANALYSTS in self.groups

    def publishes_to(self, group: str) -> bool:
        """Whether the hub would let them publish to this folder (its `publishing.rights`)."""
        if self.is_hub_admin or f"{group}.publish" in self.groups:
            return True
        return (self.is_admin and group != ADMIN) or (self.may_write and group == ANALYSTS)

    @property
    def may_manage(self) -> bool:
        """Whether the hub's page of people and groups has something for them."""
        return self.is_admin or any(group.endswith(f".{ADMIN}") for group in self.groups)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Group and name of a person's favourites, and of the dashboards that they opened last."""

    favourites: tuple[tuple[str, str], ...]
    recent: tuple[tuple[str, str], ...]


class Hub:
    """Asks the hub, with the visitor's token who they are and with the server's own the rest."""

    def __init__(self, settings: Settings) -> None:
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
        self._answers: dict[str, tuple[Any, float]] = {}
        self._asking: dict[str, asyncio.Task[Any]] = {}
        self._told: frozenset[str] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._gallery_told = -_PICTURES_KNOWN
        self._openings: dict[str, asyncio.Task[bool]] = {}
        #: Whether the hub has been told something of the owner since it was asked for `usage`.
        self._has_told = False

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
        self.forget_answers()

    def forget_answers(self) -> None:
        """What the hub has answered may have changed: it is asked again."""
        self._answers.clear()
        self._asking.clear()

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
        known, _ = self._answers.get("claims", (None, 0.0))
        told = known.get("announcement") if isinstance(known, dict) else None
        return told if isinstance(told, dict) else None

    async def admin_dashboards(self) -> tuple[Dashboard, ...]:
        """The cards of the admin folder; none where the hub does not tell."""
        told = await self._ask("admin-dashboards")
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
        if self._has_told:
            self._has_told = False
            self._asking.pop("claims", None)
            self._answers.pop("claims", None)
        known = await self._known()
        if "favourites" not in known:
            return None
        return Usage(
            favourites=_dashboards(known["favourites"]), recent=_dashboards(known.get("recent"))
        )

    async def publishes(self) -> bool:
        """Whether the owner may publish dashboards."""
        return (await self._known()).get("publishes") is True

    async def _known(self) -> dict[str, Any]:
        """What the hub has from the identity provider; {} where it has nothing."""
        known = await self._ask("claims")
        is_owners = isinstance(known, dict) and known.get("name") == self.settings.user
        return known if is_owners else {}

    def know(self, known: dict[str, Any]) -> None:
        """The hub has said unasked what it knows of the owner, just now."""
        self._answers["claims"] = known, time.monotonic() + FRESH_FOR

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
        self._beside(self._known())

    async def _ask(self, path: str) -> Any:
        """The hub's answer, None if it gives none; good for a while."""
        known, until = self._answers.get(path, (None, 0.0))
        if time.monotonic() < until:
            return known
        if path not in self._asking:
            self._asking[path] = asyncio.create_task(self._fetch(path))
            self._asking[path].add_done_callback(partial(self._keep, path))
        return await asyncio.shield(self._asking[path])

    def _keep(self, path: str, asked: asyncio.Task[Any]) -> None:
        """Keep an answer, unless the hub has told of a change since it was asked for."""
        if self._asking.get(path) is asked:
            del self._asking[path]
            if not asked.cancelled() and not asked.exception():
                self._answers[path] = (asked.result(), time.monotonic() + FRESH_FOR)

    async def _fetch(self, path: str) -> Any:
        request = HTTPRequest(
            f"{self.settings.api_url}/{path}",
            headers={"Authorization": f"token {self.settings.api_token}"},
            connect_timeout=2,
            request_timeout=3,
            follow_redirects=False,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request, raise_error=False)
            return json.loads(answer.body) if answer.code == 200 else None
        except (HTTPClientError, OSError, ValueError) as error:
            log.warning("The hub did not answer on %s: %s", path, type(error).__name__)
            return None

    async def shared_data(self, group: str, dashboard: str) -> dict[str, str] | None:
        """What the hub says of the shared cells of a notebook: `file`, where what they have left
        is; or `reference`, `sentence`, `summary` and `traceback`, why there is nothing.

        None: this hub runs no shared cells. Raises OSError or tornado's HTTPError when it does not
        answer. Waits until the cells have run.
        """
        # No time limit: the hub knows how long they may take.
        asked = {"group": group, "dashboard": dashboard}
        request = self._telling("shared-data", asked, seconds=0)
        client = AsyncHTTPClient(force_instance=True)  # others must not wait for it
        try:
            answer = await client.fetch(request, raise_error=False)
        finally:
            client.close()
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
        request = self._telling("folder-secrets", {"group": group, "dashboard": dashboard})
        try:
            return json.loads((await AsyncHTTPClient().fetch(request)).body)
        except (HTTPClientError, OSError, ValueError) as error:
            raise SessionEnded(f"no secrets of {group}: {error}", NO_SECRETS) from None

    def _telling(self, path: str, said: dict[str, Any], *, seconds: float = 10) -> HTTPRequest:
        """What the hub is told or asked about a dashboard."""
        return HTTPRequest(
            f"{self.settings.api_url}/{path}",
            method="POST",
            headers={
                "Authorization": f"token {self.settings.api_token}",
                "Content-Type": "application/json",
            },
            body=json.dumps(said),
            request_timeout=seconds,
            follow_redirects=False,
        )

    def opened(self, group: str, dashboard: str) -> str:
        """Tell the hub that the owner opens a dashboard; nobody waits for it. Returns the key of
        this opening, see `opening_ended`."""
        key = secrets.token_hex(8)
        self._openings[key] = self._beside(self._tell_opened(group, dashboard, key))
        if len(self._openings) > _MOST_OPENINGS:
            del self._openings[next(iter(self._openings))]
        return key

    def gallery_shown(self) -> None:
        """Tell the hub, which sees to the pictures of dashboards then; nobody waits for it, and a
        minute later it has them still."""
        now = time.monotonic()
        if now >= self._gallery_told + _PICTURES_KNOWN:
            self._gallery_told = now
            self._beside(self._tell_gallery_shown())

    async def _tell_gallery_shown(self) -> None:
        request = HTTPRequest(
            f"{self.settings.api_url}/thumbnails",
            method="POST",
            headers={"Authorization": f"token {self.settings.api_token}"},
            body=b"",
            request_timeout=10,
            follow_redirects=False,
        )
        with contextlib.suppress(HTTPClientError, OSError):  # cards show what there is
            await AsyncHTTPClient().fetch(request, raise_error=False)

    def opening_ended(self, key: str, seconds: float | None, reference: str = "") -> bool:
        """Tell the hub after how many seconds the first view of a dashboard was there, or None, it
        could not be drawn, of which the viewer was shown this reference. False: there is no such
        opening, or all is said of it."""
        told = self._openings.pop(key, None)
        if told is not None:
            failed = {"failed": True, "reference": reference}
            how = failed if seconds is None else {"seconds": seconds}
            self._beside(self._tell_ended(told, {"opening": key, **how}))
        return told is not None

    async def tell_favourite(self, group: str, dashboard: str, *, wanted: bool) -> int:
        """Have the hub keep a favourite of the owner, or no longer; returns its status, 0: none."""
        said = {"group": group, "dashboard": dashboard, "favourite": wanted}
        return await self._tell("usage/favourite", said)

    def _beside(self, work: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop alone would let go of it
        task.add_done_callback(self._tasks.discard)
        return task

    async def _tell_opened(self, group: str, dashboard: str, key: str) -> bool:
        said = {"group": group, "dashboard": dashboard, "opening": key}
        return await self._tell("audit/opened", said) == 204

    async def _tell_ended(self, told: asyncio.Task[bool], said: dict[str, Any]) -> None:
        if await told:
            await self._tell("usage/measured", said)

    async def _tell(self, path: str, said: dict[str, Any]) -> int:
        """Tell the hub something of the owner; returns its status, 0 for none."""
        try:
            answer = await AsyncHTTPClient().fetch(self._telling(path, said), raise_error=False)
        except (HTTPClientError, OSError) as error:
            log.warning("The hub does not answer on %s: %s", path, error)
            return 0
        self._has_told = True
        if answer.code not in {204, 404}:  # 404: a hub that keeps no such thing
            log.warning("The hub took no word on %s: %d", path, answer.code)
        return answer.code


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
