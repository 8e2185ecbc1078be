"""The REST API to publish: for a signed-in browser, a person's token, and the token of a lab.

/publishing                                    the folders that I may publish to
/publishing/checks?name=…[&folder=…]           POST a notebook: it is looked at, and tried
/publishing/checks/{id}/files?name=…           PUT a data file that is to be beside it
/publishing/checks/{id}[?wait=…]               how it goes; PUT {folder, name}: where to
/publishing/checks/{id}/publish                POST {note, replaces, anyway, not_secret}
/publishing/dashboards/{folder}/{name}         its versions; DELETE ?replaces=…: remove it
/publishing/dashboards/{folder}/{name}/versions/{id}   one of them
/publishing/dashboards/{folder}/{name}/rollback        POST {version, replaces}

The token of a dashboard's server can do none of it: it has not the scope. That of a lab, which
whatever runs in it has, hands a notebook in and does no more.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from functools import cached_property
from typing import Any, Final
from urllib.parse import urljoin

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.user import User
from tornado import web
from tornado.httputil import url_concat

from ..api_handlers import told_in
from ..own_server import is_of_server
from ..refusals import Refused
from ..roles import PUBLISH
from ..signing_in import sessions
from .author import Author, link_to
from .checks import Check
from .publishing import Conflict
from .uploads import TakesFile
from .versions import NONE, Place, Version

_LAB: Final = (
    "The token of a lab hands a notebook in and does no more. Publish it on the page, or with a"
    " token of your own: make one on /hub/token, and set ATRIUM_TOKEN to it."
)
#: Seconds that somebody may wait for an answer; they ask again then.
_LONGEST_WAIT: Final = 25.0


class _PublishingApi(APIHandler):
    """What all share: who may come, and how a refusal is told."""

    async def prepare(self) -> None:
        """Refuse who may not publish, before anything is looked up."""
        await super().prepare()
        if not isinstance(self.current_user, User) or PUBLISH not in self.expanded_scopes:
            raise web.HTTPError(403)
        token = self.get_token()
        of_server = token is not None and is_of_server(token)
        if of_server and not self.is_for_labs:
            raise web.HTTPError(403, _LAB)
        if (token is None or of_server) and not sessions.is_signed_in(
            self.db, self.current_user.id
        ):
            raise web.HTTPError(403, "You are signed out. Sign in, and try again.")
        if obstacle := self.author.obstacle:
            raise web.HTTPError(403, obstacle)

    @property
    def is_for_labs(self) -> bool:
        """Whether the token of a lab will do for this request."""
        return False

    @cached_property
    def author(self) -> Author:
        return Author(self.current_user)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """JupyterHub's answer to an error; a refusal of ours is one with its sentence."""
        error = kwargs.get("exc_info", (None, None))[1]
        if not isinstance(error, Refused):
            super().write_error(status_code, **kwargs)
            return
        told: dict[str, Any] = {"status": error.status, "message": str(error)}
        if isinstance(error, Conflict):
            version = error.version and _version_record(error.version)
            told |= {"present": error.present, "version": version}
        self.set_header("Content-Type", self.get_content_type())
        self.set_status(error.status)
        self.finish(json.dumps(told))

    def log_exception(self, *exc_info: Any) -> None:
        """A refusal is an answer, no failure."""
        if not isinstance(exc_info[1], Refused):
            super().log_exception(*exc_info)

    async def answer(self, told: Any, status: int = 200) -> None:
        text = await asyncio.to_thread(json.dumps, told)  # a notebook may be in it
        self.set_status(status)
        self.finish(text)

    def place(self, folder: str, name: str) -> Place:
        return self.author.place(folder, name)


class TargetsHandler(_PublishingApi):
    """`GET /hub/api/publishing`."""

    async def get(self) -> None:
        await self.answer({"folders": [asdict(target) for target in self.author.targets()]})


class _CheckApi(_PublishingApi):
    async def tell(self, check: Check, status: int = 200) -> None:
        people = self.author.people_of(check.place.folder) if check.place else 0
        publish = urljoin(self.authenticator.oauth_callback_url, "publish")
        page = url_concat(publish, {"check": check.id})
        await self.answer(_check_record(check, people) | {"page": page}, status)


class ChecksHandler(TakesFile, _CheckApi):
    """`POST /hub/api/publishing/checks`, with the notebook as its body."""

    @property
    def is_for_labs(self) -> bool:
        return not self.get_query_argument("folder", "")

    async def post(self) -> None:
        name, folder = self.get_query_argument("name", ""), self.get_query_argument("folder", "")
        place = self.place(folder, name.removesuffix(".ipynb")) if folder else None
        await self.tell(await self.author.hand_in(name, self.take_body(), place), 201)


class CheckHandler(_CheckApi):
    """`/hub/api/publishing/checks/{id}`."""

    @property
    def is_for_labs(self) -> bool:
        return self.request.method == "GET"

    async def get(self, check_id: str) -> None:
        check = self.author.check(check_id)
        wait = self.get_query_argument("wait", "0")
        await _wait_for(check, min(float(wait) if wait.isdecimal() else 0, _LONGEST_WAIT))
        await self.tell(self.author.check(check_id))  # the right may be gone by now

    async def put(self, check_id: str) -> None:
        check, body = self.author.check(check_id), told_in(self)
        place = self.place(_text(body, "folder"), _text(body, "name"))
        await self.author.aim(check, place)
        await self.tell(check)


class DataHandler(TakesFile, _CheckApi):
    """`PUT /hub/api/publishing/checks/{id}/files`, with the file as its body."""

    @property
    def is_for_labs(self) -> bool:
        return True

    async def put(self, check_id: str) -> None:
        check = self.author.check(check_id)
        # As it was sent: Tornado would make a name of what is none.
        name = self.request.query_arguments.get("name", [b""])[-1].decode(errors="surrogateescape")
        self.author.add_data(check, name, self.take_body())
        await self.tell(check)


class PublishHandler(_PublishingApi):
    """`POST /hub/api/publishing/checks/{id}/publish`."""

    async def post(self, check_id: str) -> None:
        check, body = self.author.check(check_id), told_in(self)
        place = check.place
        version = await self.author.publish(
            check,
            note=_text(body, "note", ""),
            replaces=_text(body, "replaces", "") or None,
            anyway=body.get("anyway") is True,
            not_secret=body.get("not_secret") is True,
        )
        assert place is not None
        link = link_to(self.authenticator, place)
        await self.answer(
            {"version": version, "folder": place.folder, "name": place.name, "url": link}
        )


class DashboardHandler(_PublishingApi):
    """`/hub/api/publishing/dashboards/{folder}/{name}`."""

    async def get(self, folder: str, name: str) -> None:
        shown = await self.author.shown(self.place(folder, name))
        await self.answer(
            {
                "present": shown.present,
                "shown": shown.version and shown.version.id,
                "versions": [_version_record(version) for version in shown.versions],
            }
        )

    async def delete(self, folder: str, name: str) -> None:
        place = self.place(folder, name)
        version = await self.author.remove(place, self.get_query_argument("replaces"))
        await self.answer({"version": version})


class VersionHandler(_PublishingApi):
    """`GET /hub/api/publishing/dashboards/{folder}/{name}/versions/{id}`: it, its notebook, and
    what is there now that is not as it was then."""

    async def get(self, folder: str, name: str, version_id: str) -> None:
        place = self.place(folder, name)
        version, content, changes = await self.author.version(place, version_id)
        data = await self.author.data_changed_by(place, version_id)
        await self.answer(
            _version_record(version)
            | {
                "notebook": None if content is None else content.decode(errors="replace"),
                "changes": [change.model_dump() for change in changes],
                "data": {one.name: one.after for one in data},
            }
        )


class RollbackHandler(_PublishingApi):
    """`POST /hub/api/publishing/dashboards/{folder}/{name}/rollback`."""

    async def post(self, folder: str, name: str) -> None:
        place, body = self.place(folder, name), told_in(self)
        version = await self.author.roll_back(
            place, _text(body, "version"), _text(body, "replaces")
        )
        await self.answer({"version": version})


def _check_record(check: Check, people: int) -> dict[str, Any]:
    """A check, for the API. `people`: who would see it."""
    trial, place = check.trial, check.place
    return {
        "id": check.id,
        "name": place.name if place else check.name,
        "folder": place.folder if place else None,
        "state": "running" if check.is_running else "done" if place else "handed in",
        "refusal": check.refusal,
        "asks": check.asks,
        "present": check.present,
        "is_new": check.present == NONE,
        "people": people,
        "data": [asdict(change) for change in check.changes],
        **check.found.model_dump(),
        "trial": None
        if trial is None
        else {name: value for name, value in asdict(trial).items() if name != "pictures"},
    }


def _version_record(version: Version) -> dict[str, Any]:
    """A version, for the API."""
    return asdict(version) | {"when": version.when.isoformat()}


async def _wait_for(check: Check, seconds: float) -> None:
    """Wait until a check has ended, but no longer than so many seconds."""
    if check.running:
        await asyncio.wait({check.running}, timeout=seconds)


def _text(body: dict[str, Any], key: str, default: str | None = None) -> str:
    text = body.get(key, default)
    if not isinstance(text, str):
        raise web.HTTPError(400, f"{key} is a text")
    return text


_DASHBOARD: Final = r"/api/publishing/dashboards/([^/]+)/([^/]+)"

handlers: Final = [
    (r"/api/publishing", TargetsHandler),
    (r"/api/publishing/checks", ChecksHandler),
    (r"/api/publishing/checks/([^/]+)", CheckHandler),
    (r"/api/publishing/checks/([^/]+)/files", DataHandler),
    (r"/api/publishing/checks/([^/]+)/publish", PublishHandler),
    (_DASHBOARD, DashboardHandler),
    (rf"{_DASHBOARD}/versions/([^/]+)", VersionHandler),
    (rf"{_DASHBOARD}/rollback", RollbackHandler),
]
