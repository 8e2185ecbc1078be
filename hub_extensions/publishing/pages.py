"""`/hub/publish`, where somebody publishes a notebook, and `/hub/versions/{folder}/{name}`.

They do what the API does, for people: no script is needed but to wait, and to drop a file.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any, Final
from urllib.parse import quote

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import url_concat

from ..folders import LONGEST_NAME, dashboard_named
from ..refusals import Refused
from ..usage import budget, report
from .author import LONGEST_NOTE, Author, link_to
from .changes import MOST_CHANGES
from .checks import LARGEST_SENT, Check
from .publishing import CannotPublish, Conflict, Shown
from .uploads import TakesFile
from .versions import MOST_VERSIONS, NONE, Place

_SPEED_DAYS: Final = 30


class _Page(BaseHandler):
    """What the pages share."""

    async def prepare(self) -> None:
        await super().prepare()
        if not self.current_user:
            return  # `web.authenticated` leads them to sign in
        if obstacle := self.author.obstacle:
            raise web.HTTPError(403, obstacle)

    @cached_property
    def author(self) -> Author:
        return Author(self.current_user)

    def page(self, *parts: str) -> str:
        """The address of one of these pages."""
        return url_path_join(self.hub.base_url, *(quote(part, safe="") for part in parts))

    async def show(self, template: str, **more: Any) -> None:
        html = await self.render_template(
            template,
            longest_note=LONGEST_NOTE,
            link_to=partial(link_to, self.authenticator),
            versions_of=lambda place: self.page("versions", place.folder, place.name),
            NONE=NONE,
            MOST_CHANGES=MOST_CHANGES,
            MOST_VERSIONS=MOST_VERSIONS,
            **more,
        )
        self.finish(html)

    async def show_choice(self, problem: str = "", check: Check | None = None) -> None:
        """The form that asks for a notebook, or where to put one that is here already."""
        await self.show(
            "publish.html",
            targets=self.author.targets(),
            check=check,
            problem=problem,
            chosen=self.get_argument("folder", ""),
            called=self.get_argument("name", "") or (check.name if check else ""),
            largest=LARGEST_SENT,
            longest_name=LONGEST_NAME,
        )

    async def show_check(
        self, check: Check, problem: str = "", conflict: Conflict | None = None, note: str = ""
    ) -> None:
        """What is known of a notebook, or that it is not known yet."""
        if check.place is None:
            await self.show_choice(check.found.problem, None if check.found.problem else check)
            return
        await self.show(
            "publish_check.html",
            check=check,
            people=self.author.people_of(check.place.folder),
            problem=problem,
            conflict=conflict,
            note=note,
            pictures=_addresses(check.trial.pictures) if check.trial else {},
        )


class PublishPage(_Page):
    """`/hub/publish`."""

    @web.authenticated
    async def get(self) -> None:
        done, check_id = self.get_argument("done", ""), self.get_argument("check", "")
        named = dashboard_named(done)
        try:
            if named:
                place = self.author.place(*named)
                await self.show("published.html", place=place, sees=self.author.sees(place.folder))
            elif check_id:
                await self.show_check(self.author.check(check_id))
            else:
                await self.show_choice()
        except Refused as refused:
            self.set_status(refused.status)
            await self.show_choice(str(refused))

    @web.authenticated
    async def post(self) -> None:
        """Publish what was checked."""
        try:
            check = self.author.check(self.get_body_argument("check", ""))
        except Refused as refused:
            self.set_status(refused.status)
            await self.show_choice(str(refused))
            return
        note, place = self.get_body_argument("note", ""), check.place
        try:
            await self.author.publish(
                check,
                note=note,
                replaces=self.get_body_argument("replaces", "") or None,
                anyway=bool(self.get_body_argument("anyway", "")),
                not_secret=bool(self.get_body_argument("not_secret", "")),
            )
        except Refused as refused:
            self.set_status(refused.status)
            conflict = refused if isinstance(refused, Conflict) else None
            await self.show_check(check, str(refused), conflict, note)
        else:
            self.redirect(url_concat(self.page("publish"), {"done": str(place)}), status=303)


class CheckPage(TakesFile, _Page):
    """`POST /hub/publish/check`: a notebook, and where it is to go."""

    _is_read = False

    async def prepare(self) -> None:
        """Refuse who is not signed in, too: there is a file to be read otherwise."""
        await super().prepare()
        if not self.current_user:
            raise web.HTTPError(403)

    def check_xsrf_cookie(self) -> None:
        """The form has the token, so it is looked at when the form is there, by `post`."""
        if self._is_read:
            super().check_xsrf_cookie()

    async def post(self) -> None:
        self.request.body = self.take_body()
        self.request._parse_body()
        self._is_read = True
        self.check_xsrf_cookie()
        sent = self.request.files.get("notebook", [])
        file_name = sent[0].filename if sent else ""
        check: Check | None = None
        try:
            if check_id := self.get_body_argument("check", ""):
                check = self.author.check(check_id)
            elif not file_name:
                raise CannotPublish("Choose a notebook first.")
            name = self.get_body_argument("name", "").removesuffix(".ipynb")
            place = self.author.place(self.get_body_argument("folder", ""), name)
            if check:
                await self.author.aim(check, place)
            else:
                check = await self.author.hand_in(file_name, sent[0].body, place)
        except Refused as refused:
            self.set_status(refused.status)
            await self.show_choice(str(refused), check)
        else:
            self.redirect(url_concat(self.page("publish"), {"check": check.id}), status=303)


class VersionsPage(_Page):
    """`/hub/versions/{folder}/{name}`."""

    @web.authenticated
    async def get(self, folder: str, name: str) -> None:
        with _told():
            await self.show_versions(self.author.place(folder, name))

    @web.authenticated
    async def post(self, folder: str, name: str) -> None:
        """Roll back, or remove."""
        replaces = self.get_body_argument("replaces", "")
        with _told():
            place = self.author.place(folder, name)
        try:
            if version := self.get_body_argument("version", ""):
                await self.author.roll_back(place, version, replaces)
            else:
                await self.author.remove(place, replaces)
        except Refused as refused:
            self.set_status(refused.status)
            with _told():
                await self.show_versions(place, str(refused))
        else:
            here = self.page("versions", folder, name)
            self.redirect(url_concat(here, {"done": "1"}), status=303)

    async def show_versions(self, place: Place, problem: str = "") -> None:
        """The versions; of the one that is looked at, what is different."""
        shown = await self.author.shown(place)
        looked_at = self.get_query_argument("look", "")
        is_kept = any(version.id == looked_at for version in shown.versions)
        if (looked_at and not is_kept) or (not shown.versions and shown.present == NONE):
            raise web.HTTPError(404)
        changes = data = ()
        if looked_at:
            ids = [version.id for version in shown.versions]
            before = ids[ids.index(looked_at) + 1 :] or [None]
            changes = await self.author.changed_by(place, looked_at, before[0])
            data = await self.author.data_changed_by(place, looked_at, before[0])
        await self.show(
            "versions.html",
            place=place,
            shown=shown,
            looked_at=looked_at,
            changes=changes,
            data=data,
            problem=problem,
            done="done" in self.request.query_arguments,
            speed=await self._speed(place, shown),
            speed_days=_SPEED_DAYS,
        )

    async def _speed(self, place: Place, shown: Shown) -> dict[str, Any] | None:
        """How soon people saw it lately, as `usage.report.rows` has it, and whether that is within
        the `budget` of what is shown now (`verdict`); None if nobody did."""
        query = report.Query(days=_SPEED_DAYS, group=place.folder, dashboard=place.name)
        rows = await asyncio.to_thread(report.rows_in, self.db.get_bind(), query)
        if not rows or not rows[0]["measured"]:
            return None
        seconds = await asyncio.to_thread(budget.budget_in, shown.notebook or b"")
        return rows[0] | {"budget": seconds, "verdict": budget.verdict(rows[0]["seconds"], seconds)}


def _addresses(pictures: Mapping[str, bytes]) -> dict[str, str]:
    """PNGs as addresses that have the whole of them in themselves (RFC 2397)."""
    return {
        scheme: f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        for scheme, picture in pictures.items()
    }


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Where there is no page to say it on, a refusal is an error page with its sentence."""
    try:
        yield
    except Refused as refused:
        raise web.HTTPError(refused.status, str(refused)) from refused


handlers: Final = [
    (r"/publish", PublishPage),
    (r"/publish/check", CheckPage),
    (r"/versions/([^/]+)/([^/]+)", VersionsPage),
]
