"""`/user/<name>/dashboards/<group>/<notebook>`: a notebook, live, in our frame."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from tornado.iostream import StreamClosedError

from dashboards.catalog import Dashboard, find, served_here, visible
from dashboards.failure import SessionEnded, sentence_of
from dashboards.files import usual_scripts
from dashboards.live.local_only import NO_ICON_FONT
from dashboards.running.cells import content_of, makes_own_page
from dashboards.settings import ADMIN
from dashboards.web.addresses import address, ask_url
from dashboards.web.frame import frame_of
from dashboards.web.pages import (
    DASHBOARD_POLICY,
    NOT_HERE,
    NOT_SIGNED_IN_HERE,
    Message,
    PersonHandler,
)

if TYPE_CHECKING:
    from dashboards.web.session import Session

log = logging.getLogger(__name__)

_BODY = re.compile(r"(?<=</head>)\s*<body[^>]*>")
"""Where the body of a page begins that a notebook lays out itself."""
_PATIENCE = 2  # seconds before a page tells how far its notebook is
_BETWEEN = 0.5  # seconds between two words about that
_AGAIN = 60  # seconds in which a page that is told to load once more does
_TELL = '((words)=>{document.querySelector("#waiting .words").textContent=words})'


class DashboardHandler(PersonHandler):
    """The frame goes out at once, with a skeleton; the rest when the notebook has run."""

    policy: ClassVar[str] = DASHBOARD_POLICY

    async def prepare(self) -> None:
        """As of every page; what the notebook is told of its viewer is asked for beside it, if a
        browser comes that has signed in here."""
        if self.get_signed_cookie(self.site.hub.auth.cookie_name):
            self.site.hub.ask_ahead()
        await super().prepare()

    def _send_to_sign_in(self) -> None:
        """A sign-in cannot be shown in a frame: it is in a tab of its own that it goes on."""
        if self.is_embedded and self.site.settings.embed_origins:
            self.show(replace(NOT_SIGNED_IN_HERE, next_url=self.request.uri or ""), 200)
        else:
            super()._send_to_sign_in()

    async def get(self, group: str, name: str) -> None:
        """Show a dashboard. What is forbidden and what is missing are answered alike."""
        shared = await self.site.shared_with(self.person, group, name)
        dashboard = find(shared, group, name)
        why_not = "" if dashboard else self.site.why_not_shown(self.person, group, name)
        if why_not:
            self._cannot_be_opened(why_not)
        elif dashboard is None or not self._is_served_or_sent_on(dashboard):
            self.show(replace(NOT_HERE, ask_url=ask_url(self.site.settings, group, name)), 404)
        elif not self._finished:
            await self._answer(dashboard)

    def _is_served_or_sent_on(self, dashboard: Dashboard) -> bool:
        settings = self.site.settings
        target = address(dashboard, settings, self.request.query)
        if served_here(dashboard, serves_admin=settings.serves_admin):
            if self.request.path != address(dashboard, settings):
                self.redirect(target)
            return True
        if dashboard.group == ADMIN:
            self.redirect(target)
            return True
        return False

    def _cannot_be_opened(self, why: str) -> None:
        self.show(Message(title="This dashboard cannot be opened", text=why), 404)

    async def _answer(self, dashboard: Dashboard) -> None:
        problem, content = dashboard.problem, None
        try:
            content = None if problem else content_of(dashboard.path)
        except (OSError, ValueError, RecursionError):
            problem = "The file cannot be read."
        if content is None:
            self._cannot_be_opened(problem or "")
            return
        own_page = makes_own_page(content.cells) or self.site.sessions.makes_own_page(dashboard)
        self._opened = self._opening_of(dashboard)
        self._shown = {
            "dashboard": dashboard,
            "person": self.person.name,
            "frame": frame_of(dashboard, self.person, self.site.settings, content),
            "announcement": self.site.hub.known_announcement,
            "opening": self._opened,
            "xsrf": self.xsrf_token.decode(),
        }
        head = self.page("dashboard_head.html", scripts=self._scripts, **self._shown)
        if not own_page:
            self.write(head)
            await self.flush()
        try:
            user = await self.site.hub.current_user(self.person)
            left = self.site.hub.left_of(self.person.groups)
            if not visible([dashboard], left):  # taken while the hub was asked
                self.finish((head if own_page else "") + self.page("dashboard_again.html"))
                return
            given = await self.site.hub.secrets_of(dashboard.group, dashboard.name)
            sessions, files = self.site.sessions, self.files_url
            order = sessions.order_of(dashboard, user, self.request, files, given)
            begun = (lambda _: None) if own_page else self._tell_progress
            self._opening = asyncio.ensure_future(sessions.open(dashboard, order, begun))
            session = await self._opening
            if await self._is_still_shared(dashboard):
                body = self._body(session, head, own_page=own_page)
            else:
                session.end()
                body = (head if own_page else "") + self.page("dashboard_again.html")
        except asyncio.CancelledError:
            return
        except Exception as error:
            # Half a page may be with the browser: it must not wait for the other half for ever.
            reference = secrets.token_hex(4)
            place = dashboard.group, dashboard.name
            log.exception("%s/%s failed, reference %s", *place, reference)
            failed = self._failed(reference, sentence=sentence_of(error))
            cause = error.cause if isinstance(error, SessionEnded) else ""
            self.site.hub.telling.opening_ended(self._opened, None)
            self.site.hub.telling.failed(*place, reference, cause)
            body = (head if own_page else "") + failed
        finally:
            if self._telling:
                self._telling.cancel()
        self.finish(body)

    _opening: asyncio.Future[Session] | None = None
    _opened: str  # by which more is said of this opening, see `dashboards.web.usage`
    _shown: Mapping[str, object]  # what all parts of the page tell
    _telling: asyncio.Task[None] | None = None

    def _opening_of(self, dashboard: Dashboard) -> str:
        """The key of this opening; a page that loads once more belongs to the one before."""
        place = dashboard.group, dashboard.name
        key, until = self.site.loading_again.pop(place, ("", 0.0))
        return key if time.monotonic() < until else self.site.hub.telling.opened(*place)

    def _tell_progress(self, session: Session) -> None:
        """From now on say in the skeleton how far the notebook is, unless it is done soon."""
        self._telling = asyncio.create_task(self._keep_telling(session))

    async def _keep_telling(self, session: Session) -> None:
        wait, told = _PATIENCE, ""
        with suppress(StreamClosedError):
            while True:
                await asyncio.sleep(wait)
                if session.progress != told:
                    told, wait = session.progress, _BETWEEN
                    self.write(f"<script>{_TELL}({json.dumps(told)})</script>\n")
                    await self.flush()

    def on_connection_close(self) -> None:
        """Called by Tornado: nobody is left to see what the notebook makes."""
        super().on_connection_close()
        if self._opening is not None:
            self._opening.cancel()

    async def _is_still_shared(self, dashboard: Dashboard) -> bool:
        """A notebook may run for long; whoever lost it meanwhile does not get its page."""
        visitor = await self.site.hub.visitor(self)
        return visitor is not None and bool(visible([dashboard], visitor.groups))

    def _failed(
        self,
        reference: str,
        *,
        sentence: str = "",
        summary: str = "",
        trace: str = "",
    ) -> str:
        """The message in the frame; what went wrong in detail is for admins."""
        return self.page(
            "dashboard_failed.html",
            reference=reference,
            sentence=sentence,
            summary=summary,
            trace=trace if self.person.is_admin else "",
        )

    def _body(self, session: Session, head: str, *, own_page: bool) -> str:
        """What is still to be sent: the rest of our frame, or all of the notebook's own page."""
        begin = head if own_page else ""
        if failure := session.failure:
            self.site.hub.telling.opening_ended(self._opened, None)
            session.has_failed(failure.reference)
            return begin + self._failed(
                failure.reference,
                sentence=failure.sentence,
                summary=failure.summary,
                trace=failure.traceback,
            )
        if session.own_page and not own_page:
            # The frame is under way already, and this page has one of its own: once more, whole.
            session.end()
            place = session.dashboard.group, session.dashboard.name
            self.site.loading_again[place] = self._opened, time.monotonic() + _AGAIN
            return self.page("dashboard_again.html")
        if not session.own_page:
            return begin + session.take_page()
        page = session.take_page()
        page = page.replace("<head>", "<head>" + self.page("own_files.html"), 1)
        page = page.replace("</head>", f"<script>{NO_ICON_FONT}</script></head>", 1)
        page = _BODY.sub(lambda tag: tag[0] + self.page("own_frame.html", **self._shown), page, 1)
        return page.replace(
            "</body>", self.page("dashboard_own.html", **self._shown) + "</body>", 1
        )

    @property
    def _scripts(self) -> list[str]:
        return [self.files_url + script for script in usual_scripts()]
