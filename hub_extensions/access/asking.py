"""`/hub/ask`, where somebody asks for access, and `/hub/requests`, where it is given.

Asking never says whether what is asked for exists: no look at it is taken.
"""

from __future__ import annotations

from typing import Any, Final

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import url_concat

from .. import grants
from ..folders import ADMIN, dashboard_named
from ..refusals import Refused, plain
from . import requests as access_requests
from .request_queue import RequestQueue
from .requests import AccessRequest

#: How long a grant may be, as a manager chooses it; "day" is a date of their own.
TERMS: Final = {
    "": "For good",
    "7": "For a week",
    "30": "For a month",
    "90": "For three months",
    "day": "Until a date",
}


class _AskingPage(BaseHandler):
    """What the pages of somebody who asks share."""

    @property
    def path(self) -> str:
        return url_path_join(self.hub.base_url, "ask")

    async def show(self, asked: tuple[str, str] | None, **more: Any) -> None:
        """The page: the form for what is asked for, and the requests made so far."""
        person = self.current_user.orm_user
        groups = grants.groups_of(self.db, person)
        mine = access_requests.open_of(self.db, person)
        html = await self.render_template(
            "ask.html",
            **{
                "asked": asked,
                "sent": False,
                "problem": "",
                "reason": "",
                "longest": access_requests.LONGEST_REASON,
                "has_it": asked is not None and bool(groups & {asked[0], ADMIN}),
                "waits": asked is not None and any(one.group_name == asked[0] for one in mine),
                "mine": mine,
                "answers": access_requests.decided_of(self.db, person),
                "action": self.path,
                **more,
            },
        )
        self.finish(html)

    def asked(self) -> tuple[str, str] | None:
        """What is asked for, None where the address names nothing.

        Raises:
            web.HTTPError: 400 for what can be no dashboard's name.
        """
        text = self.get_argument("dashboard", "")
        asked = dashboard_named(text)
        if text and asked is None:
            raise web.HTTPError(400, "This is not the address of a dashboard.")
        return asked


class AskHandler(_AskingPage):
    """`/hub/ask?dashboard=<group>/<notebook>`; JupyterHub checks the XSRF token."""

    @web.authenticated
    async def get(self) -> None:
        await self.show(self.asked(), sent="sent" in self.request.query_arguments)

    @web.authenticated
    async def post(self) -> None:
        asked = self.asked()
        if asked is None:
            raise web.HTTPError(400, "This is not the address of a dashboard.")
        reason = self.get_body_argument("reason", "")
        try:
            access_requests.ask(self.db, self.current_user.orm_user, asked, reason)
        except Refused as refused:
            self.set_status(refused.status)
            await self.show(asked, problem=str(refused), reason=reason)
        else:
            self.redirect(url_concat(self.path, {"sent": "1"}), status=303)


class WithdrawHandler(_AskingPage):
    """`POST /hub/ask/withdraw`: somebody takes their own request back."""

    @web.authenticated
    async def post(self) -> None:
        try:
            access_requests.withdraw(
                self.db, self.current_user.orm_user, self.get_body_argument("request", "")
            )
        except Refused as refused:
            self.set_status(refused.status)
            await self.show(None, problem=str(refused))
        else:
            self.redirect(self.path, status=303)


class RequestsHandler(BaseHandler):
    """`/hub/requests`: those who manage a group answer who asks for it."""

    @web.authenticated
    async def get(self) -> None:
        queue = self._queue()
        done = access_requests.find(self.db, self.get_argument("done", ""))
        await self._show(queue, done=done if done and queue.sees(done) else None)

    @web.authenticated
    async def post(self) -> None:
        queue = self._queue()
        try:
            request = self._answer(queue)
        except Refused as refused:
            self.set_status(refused.status)
            await self._show(queue, problem=str(refused))
        else:
            path = url_path_join(self.hub.base_url, "requests")
            self.redirect(url_concat(path, {"done": str(request.id)}), status=303)

    def _queue(self) -> RequestQueue:
        queue = RequestQueue.of(self.current_user)
        if not queue.is_there:
            raise web.HTTPError(403, "This page is for those who look after a group.")
        return queue

    def _answer(self, queue: RequestQueue) -> AccessRequest:
        """Do what the form says. Never awaits: of two managers at once one is told of the other."""
        request = queue.take(self.get_body_argument("request", ""))
        note = self.get_body_argument("note", "")
        note = plain(note, access_requests.LONGEST_NOTE, "Your note")
        answer = self.get_body_argument("answer", "")
        if answer == "grant":
            term = self.get_body_argument("term", "")
            until = access_requests.end_of(term, self.get_body_argument("day", ""))
            queue.grant(request, until, note)
        elif answer == "decline":
            access_requests.decline(self.db, request, self.current_user.name, note)
        else:
            raise Refused("Please grant or decline the request.")
        return request

    async def _show(
        self, queue: RequestQueue, problem: str = "", done: AccessRequest | None = None
    ) -> None:
        html = await self.render_template(
            "requests.html",
            requests=queue.requests(),
            exists=queue.exists,
            follows_provider=queue.follows_provider,
            terms=TERMS,
            today=grants.now().date(),
            longest=access_requests.LONGEST_NOTE,
            problem=problem,
            done=done,
        )
        self.finish(html)


handlers: Final = [
    (r"/ask", AskHandler),
    (r"/ask/withdraw", WithdrawHandler),
    (r"/requests", RequestsHandler),
]
