"""Access that follows the two sources: what is taken away there ends here, within seconds.

Two loops, which no page has to wait for. One asks the provider about everybody who is signed in,
within a budget of calls. The other compares each running server's groups with the table of grants,
and tells the server; one that does not answer is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final, Literal

from jupyterhub.user import User
from sqlalchemy.exc import SQLAlchemyError

from .. import audit, grants
from ..signing_in import sessions, sign_out
from ..signing_in.confirming import ConfirmingAuthenticator
from ..signing_in.provider import ProviderUnreachable
from .directory import PAGE, Directory, DirectoryRefused, Known, TooManyCalls
from .provider_state import Provider
from .servers import Servers

#: Calls to the provider in a minute, at most.
CALLS_A_MINUTE: Final = 60
#: Seconds between two looks at all servers; a change of the table of grants is looked at at once.
_LOOK_EVERY: Final = 1.0
#: Sessions at the provider that are ended in a minute because they are too old, at most.
_ENDS_A_MINUTE: Final = 5
#: Seconds after which a management key that was refused is tried again.
_KEY_AGAIN: Final = 60.0

#: Why somebody's session ended.
Reason = Literal["dismissed", "too old", "provider away"]


class Follower:
    """Keeps what is served within what the two sources allow.

    Args:
        seconds: within which a right that is taken away at the provider has ended here.
        directory: tells of many people with one call; None asks each one's refresh token only.
    """

    def __init__(
        self,
        app: Any,
        authenticator: ConfirmingAuthenticator,
        seconds: float,
        directory: Directory | None,
    ) -> None:
        self.app, self.authenticator, self.seconds = app, authenticator, seconds
        self.directory = directory
        self.log = authenticator.log
        self.provider = Provider(log=self.log, seconds=seconds)
        self._refreshed_at = time.monotonic()
        self.servers = Servers(app, authenticator, seconds, self._beside)
        self._ending: set[int] = set()
        self._asking = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()
        grants.when_changed(self._changed.set)

    async def run(self) -> None:
        """Follow, until cancelled."""
        while getattr(self.app, "http_server", None) is None:
            await asyncio.sleep(0.1)  # people's servers are known again once the hub listens
        await asyncio.gather(
            self._again_and_again(self.enforce, self._until_changed),
            self._again_and_again(self._sweep, self._between_sweeps),
            self._again_and_again(self._refresh_next, self._between_refreshes),
        )

    async def _again_and_again(self, work: Callable[[], Any], pause: Callable[[], Any]) -> None:
        while True:
            for step in (work, pause):  # a pause asks the database how many people there are
                try:
                    await step()
                except Exception:
                    # Whatever went wrong with one must not leave all others unwatched.
                    self.log.exception("Following the roles failed; trying again")
                    with contextlib.suppress(SQLAlchemyError):
                        self.app.db.rollback()
                    await asyncio.sleep(_LOOK_EVERY)

    # -- what the hub's own tables say, to the servers ---------------------------------------

    async def _until_changed(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), _LOOK_EVERY)
        self._changed.clear()

    async def enforce(self) -> None:
        """End what is over, and tell every server of which the groups have changed."""
        grants.expire(self.app.db)
        self._end_what_is_over()
        self.servers.look()

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that must not hold up the rest; asyncio itself keeps no hold of a task."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._is_done)

    def _is_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.log.error("Following the roles failed for one; trying again", exc_info=error)
            with contextlib.suppress(SQLAlchemyError):
                self.app.db.rollback()

    def _end_what_is_over(self) -> None:
        """Sessions that are too old, and those that the provider has not confirmed for too long."""
        for session in sessions.over(self.app.db, self.authenticator.session_hours):
            self._end_beside(session.user_id, session.signed_in_at, "too old")
        since = grants.now() - self.authenticator.grace
        for session in sessions.unconfirmed(self.app.db, since):
            self._end_beside(session.user_id, session.signed_in_at, "provider away")

    def _end_beside(self, user_id: int, began: datetime, reason: Reason) -> None:
        """End the session that began then, while others are looked at: a server takes a second to
        stop, and one that does not answer takes many."""
        if user_id not in self._ending:
            self._ending.add(user_id)
            self._beside(self._end_session(user_id, began, reason))

    async def _end_session(self, user_id: int, began: datetime, reason: Reason) -> None:
        try:
            user = self.app.users.get(user_id)
            if user is None:
                return
            async with self.authenticator.lock(user.name):
                session = self.app.db.get(sessions.Session, user_id)
                is_over = session is not None and session.signed_in_at == began
                subject = grants.subject_of(self.app.db, user.orm_user)
                if is_over:
                    await self.end(user_id, reason)
        finally:
            self._ending.discard(user_id)
        if is_over and reason == "too old":
            await self._have_asked(user, subject)

    async def _have_asked(self, user: User, subject: str) -> None:
        """Have the provider ask somebody who they are when they come again: its own session would
        let them in without that, and their company would never be asked."""
        async with self._asking:  # of many at once, one after the other: each is a call
            if not await self._was_asked(user):
                await sign_out.end_at_provider(self.authenticator, user.name, subject)
                await asyncio.sleep(60 / _ENDS_A_MINUTE)

    async def _was_asked(self, user: User) -> bool:
        """Whether they have come again while others had their turn, and the provider said when it
        asked them: a sign-in refuses one that is too old."""
        if self.app.db.get(sessions.Session, user.id) is None:
            return False
        return self.authenticator.tells_when_asked(await user.get_auth_state() or {})

    async def end(self, user_id: int, reason: Reason) -> None:
        """End everything of a person; their groups and their lab too, if the provider has
        dismissed them."""
        user = self.app.users.get(user_id)
        if user is None:
            return
        self.log.info("The session of %s ends: %s", user.name, reason)
        by = "provider" if reason == "dismissed" else "hub"
        audit.record("session-ended", user=user.name, by=by, reason=reason)
        if reason == "dismissed":  # in one transaction: the hub may end at any moment after it
            sessions.end(user.db, user.orm_user)
            grants.set_provider_groups(user.db, user.orm_user, (), by=by)
        await sign_out.end_everything(self.app, user, lab=reason == "dismissed")

    # -- what the provider says ----------------------------------------------------------------

    @property
    def _sweep_every(self) -> float:
        """Seconds from one sweep to the next: three in the promised time, within the budget."""
        return self._sweep_seconds(sessions.count(self.app.db))

    def _sweep_seconds(self, people: int) -> float:
        return max(self.seconds / 3, 1.0, 60 * _calls(people) / (CALLS_A_MINUTE * 0.8))

    async def _between_sweeps(self) -> None:
        until_key = self.provider.next_sweep - time.monotonic()
        await self.provider.leave_alone(max(self._sweep_every, until_key))

    async def _sweep(self) -> None:
        """Ask the provider about everybody who is signed in, with a call for each hundred."""
        # The database session knows these again below, without asking for each, as they are held.
        held = sessions.everybody(self.app.db)
        whose = {identity.subject: session.user_id for session, identity in held}
        if self.directory is None or not whose:
            self.provider.last_sweep = time.monotonic()
            return
        began = grants.now()
        try:
            known = await asyncio.to_thread(self.directory.people, list(whose))
        except TooManyCalls as error:
            self.provider.failed(error.retry_after)
        except ProviderUnreachable:
            self.provider.is_away()
        except DirectoryRefused:
            self.log.error(
                "DESCOPE_MANAGEMENT_KEY is refused: what is taken away at Descope counts late"
            )
            self.provider.next_sweep = time.monotonic() + _KEY_AGAIN
        else:
            self.provider.is_back()
            self.provider.last_sweep = time.monotonic()
            for subject, user_id in whose.items():
                if subject in known:
                    self._heard(known[subject], user_id, began)
            self.app.db.commit()
        self.provider.watch_promise()

    def _heard(self, known: Known, user_id: int, asked_at: datetime) -> None:
        """Act on what the provider said of a person, unless it is of what is over; beside the rest
        where that may take long, or go wrong."""
        user = self.app.users.get(user_id)
        if user is None:
            return
        session = self._session_before(user_id, asked_at)
        if session is None:
            return
        identity = self.app.db.get(grants.Identity, user_id)
        if not known.confirmed:
            self._end_beside(user_id, session.signed_in_at, "dismissed")
        elif session.seen != sessions.digest(known.tenants):
            self._beside(self.authenticator.take_over(user, known.tenants, asked_at))
        elif identity is not None:
            identity.confirmed_at = grants.now()

    def _session_before(self, user_id: int, asked_at: datetime) -> sessions.Session | None:
        """Somebody's session, if an answer to what was asked then is about it."""
        session = self.app.db.get(sessions.Session, user_id)
        return session if session and session.refreshed_at <= asked_at else None

    # -- each one's refresh token ----------------------------------------------------------------

    @property
    def _refresh_every(self) -> float:
        """Seconds between two refreshes, of whomever: each one's in the promised time, if that
        is within the budget."""
        people = sessions.count(self.app.db)
        sweeps = 60 * _calls(people) / self._sweep_seconds(people) if self.directory else 0
        calls = 2 if self._tokens_tell_roles else 1
        least = 60 * calls / max(CALLS_A_MINUTE - 5 - sweeps, 5)
        return max(least, 0.7 * self.seconds / max(people, 1))

    @property
    def _tokens_tell_roles(self) -> bool:
        """Whether a refresh asks for the roles too: a directory that does not answer, or not us,
        must not keep roles for good."""
        key_is_refused = time.monotonic() < self.provider.next_sweep
        return self.directory is None or key_is_refused or not self.provider.promise_kept

    async def _between_refreshes(self) -> None:
        """Wait from the beginning of the last refresh on: its own time, and a pause that began
        while fewer were signed in, must not make the round of all longer than promised."""
        spread = random.uniform(1.0, 1.1)
        while (left := self._refreshed_at + self._refresh_every * spread - time.monotonic()) > 0.01:
            await asyncio.sleep(min(left, _LOOK_EVERY))
        if self.provider.waits:
            await self.provider.leave_alone(0)

    async def _refresh_next(self) -> None:
        """Exchange the refresh token of whoever's was tried longest ago."""
        self._refreshed_at = time.monotonic()
        if self.directory is not None:
            self.provider.watch_promise()
        session = sessions.next_to_ask(self.app.db)
        if session is None:
            return
        session.asked_at = grants.now()  # one who is not answered for holds up nobody
        began, user_id = session.signed_in_at, session.user_id
        self.app.db.commit()
        user = self.app.users.get(user_id)
        if user is None:
            return
        try:
            confirmed = await self.authenticator.confirm(user, ask_roles=self._tokens_tell_roles)
        except ProviderUnreachable:
            self.provider.is_away()
        else:
            self.provider.is_back()
            if not confirmed:
                self._end_beside(user_id, began, "dismissed")

    @property
    def notice(self) -> str:
        """A sentence for admins on what is wrong just now, "" if nothing is."""
        return self.provider.notice(self.authenticator.grace)


def _calls(people: int) -> int:
    """Calls of one sweep over so many."""
    return -(-people // PAGE)
