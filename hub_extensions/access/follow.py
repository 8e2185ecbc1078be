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
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from jupyterhub.user import User

from .. import audit, grants
from ..folders import ADMIN, folders_for
from ..signing_in import sessions, sign_out
from ..signing_in.provider import ProviderUnreachable
from .directory import PAGE, Directory, DirectoryRefused, Known, TooManyCalls

if TYPE_CHECKING:
    from ..authenticator import DescopeAuthenticator

#: Calls to the provider in a minute, at most.
CALLS_A_MINUTE: Final = 60
#: Seconds between two looks at all servers; a change of the table of grants is looked at at once.
_LOOK_EVERY: Final = 1.0
#: Seconds after which a provider that is away is asked again: the first and the longest pause.
_PAUSES: Final = (2.0, 60.0)
#: Pushes that a server of which nothing was taken may leave without an answer.
_PATIENCE: Final = 10
#: Seconds from one push that is left without an answer to the end of the next.
_PUSH: Final = 6.0
#: Seconds that a server which has just started gets in any case: its first page may keep it busy.
_FIRST_PAGE: Final = 20.0
#: Seconds after which a management key that was refused is tried again.
_KEY_AGAIN: Final = 60.0

#: One run of one server: its owner, its name, when it was started.
Key = tuple[int, str, Any]
#: Why somebody's session ended.
Reason = Literal["dismissed", "too old", "provider away"]


@dataclass
class Told:
    """What a running server knows.

    Attributes:
        answers_by: when it must have answered for the first time, by `time.monotonic`: until then
            it may show more than its owner has now, above all after a restart of the hub.
        groups: what it has taken over; None as long as it has answered nothing.
        failures: pushes in a row that it has left without an answer.
    """

    answers_by: float
    groups: frozenset[str] | None = None
    failures: int = 0


@dataclass
class Provider:
    """How the provider is doing. Moments are those of `time.monotonic`."""

    away_since: float | None = None
    pause: float = _PAUSES[0]
    next_try: float = 0.0
    promise_kept: bool = True
    last_sweep: float = field(default_factory=time.monotonic)
    #: Its directory is not asked before.
    next_sweep: float = 0.0
    #: Set when it answers again after an outage.
    back: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def waits(self) -> float:
        """Seconds until it may be asked."""
        return max(0.0, self.next_try - time.monotonic())

    def failed(self, retry_after: float = 0.0) -> None:
        """It did not answer: the next pause is twice as long, and never quite the same."""
        self.next_try = time.monotonic() + max(retry_after, self.pause * random.uniform(0.75, 1.25))
        self.pause = min(2 * self.pause, _PAUSES[1])


class Follower:
    """Keeps what is served within what the two sources allow.

    Args:
        seconds: within which a right that is taken away at the provider has ended here.
        directory: tells of many people with one call; None asks each one's refresh token only.
    """

    def __init__(
        self,
        app: Any,
        authenticator: DescopeAuthenticator,
        seconds: float,
        directory: Directory | None,
    ) -> None:
        self.app, self.authenticator, self.seconds = app, authenticator, seconds
        self.directory = directory
        self.log = authenticator.log
        self.provider = Provider()
        self._told: dict[Key, Told] = {}
        #: Seconds within which a server must answer once; those of the first look are older.
        self._first_answer = seconds
        self._busy: set[Key] = set()
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
            try:
                await work()
            except Exception:
                # Whatever went wrong with one must not leave all others unwatched.
                self.log.exception("Following the roles failed; trying again")
                self.app.db.rollback()
                await asyncio.sleep(_LOOK_EVERY)
            await pause()

    # -- what the hub's own tables say, to the servers ---------------------------------------

    async def _until_changed(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), _LOOK_EVERY)
        self._changed.clear()

    async def enforce(self) -> None:
        """End what is over, and tell every server of which the groups have changed."""
        grants.expire(self.app.db)
        self._end_what_is_over()
        signed_in = sessions.user_ids(self.app.db)
        running = {}
        for user in list(self.app.users.values()):
            groups = frozenset(str(group.name) for group in user.groups)
            for name, spawner in list(user.spawners.items()):
                if spawner.ready and not spawner.pending:
                    started = spawner.orm_spawner and spawner.orm_spawner.started
                    running[user.id, name, started] = (user, spawner, groups)
        self._told = {key: told for key, told in self._told.items() if key in running}
        answers_by = time.monotonic() + self._first_answer
        self._first_answer = max(self.seconds, _FIRST_PAGE)
        for key, (user, spawner, groups) in running.items():
            told = self._told.setdefault(key, Told(answers_by=answers_by))
            if key in self._busy:
                continue
            if user.id not in signed_in and spawner.name in sign_out.DASHBOARD_SERVERS:
                self._busy.add(key)
                self._beside(self._end_server(key, user, spawner))
            elif told.groups != groups:
                self._busy.add(key)
                self._beside(self._tell(key, told, user, spawner, groups))

    def _beside(self, work: Any) -> None:
        """Run something that must not hold up the rest; asyncio itself keeps no hold of a task."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.log.error("Following the roles failed for somebody", exc_info=error)

    async def _tell(
        self,
        key: Key,
        told: Told,
        user: User,
        spawner: Any,
        groups: frozenset[str],
    ) -> None:
        """Tell a server its owner's groups, and end it if it cannot follow or nothing is left."""
        try:
            if hasattr(spawner, "open_folders"):
                spawner.open_folders()
            heard = await spawner.tell_groups(groups) if hasattr(spawner, "tell_groups") else True
            told.failures += 0 if heard else 1
            if told.groups is None:
                lost_patience = time.monotonic() + _PUSH > told.answers_by
            else:
                lost_patience = bool(told.groups - groups) or told.failures > _PATIENCE
            if not heard and lost_patience:
                self.log.warning("%s does not let go of its dashboards; it is ended", user.name)
                audit.record("server-stopped", user=user.name, by="hub", reason="no answer")
                await sign_out.stop_server(self.app, user, spawner.name)
            elif heard:
                told.groups, told.failures = groups, 0
                if not self._has_dashboards(spawner, groups):
                    await sign_out.stop_server(self.app, user, spawner.name)
        finally:
            self._busy.discard(key)

    async def _end_server(self, key: Key, user: User, spawner: Any) -> None:
        """End a server of somebody who is not signed in: it was starting when they were signed
        out, or the hub ended between the end of their session and that of their server."""
        try:
            await sign_out.say_farewell(user, spawner.name)
            await sign_out.stop_server(self.app, user, spawner.name)
        finally:
            self._busy.discard(key)

    @staticmethod
    def _has_dashboards(spawner: Any, groups: frozenset[str]) -> bool:
        if spawner.name == ADMIN:
            return ADMIN in groups
        return bool(folders_for(Path(spawner.notebooks), groups))

    def _end_what_is_over(self) -> None:
        """Sessions that are too old, and those that the provider has not confirmed for too long.

        None of them waits for another's server, nor does anybody else.
        """
        for session in sessions.over(self.app.db, self.authenticator.session_hours):
            self._beside(self.end(session.user_id, "too old"))
        since = grants.now() - self.authenticator.grace
        for session in sessions.unconfirmed(self.app.db, since):
            self._beside(self.end(session.user_id, "provider away"))

    async def end(self, user_id: int, reason: Reason) -> None:
        """End everything of a person; their groups too, if the provider has dismissed them."""
        user = self.app.users.get(user_id)
        if user is None:
            return
        self.log.info("The session of %s ends: %s", user.name, reason)
        by = "provider" if reason == "dismissed" else "hub"
        audit.record("session-ended", user=user.name, by=by, reason=reason)
        if reason == "dismissed":  # in one transaction: the hub may end at any moment after it
            sessions.end(user.db, user.orm_user)
            grants.set_provider_groups(user.db, user.orm_user, (), by=by)
        await sign_out.end_everything(self.app, user)

    # -- what the provider says ----------------------------------------------------------------

    @property
    def _sweep_every(self) -> float:
        """Seconds from one sweep to the next: three in the promised time, within the budget."""
        return max(self.seconds / 3, 1.0, 60 * self._pages / (CALLS_A_MINUTE * 0.8))

    @property
    def _pages(self) -> int:
        """Calls of one sweep."""
        return -(-sessions.count(self.app.db) // PAGE)

    async def _between_sweeps(self) -> None:
        now = time.monotonic()
        await self._pause(max(self._sweep_every, self.provider.next_sweep - now))

    async def _sweep(self) -> None:
        """Ask the provider about everybody who is signed in, with a call for each hundred."""
        people = {
            identity.subject: session for session, identity in sessions.everybody(self.app.db)
        }
        if self.directory is None or not people:
            self.provider.last_sweep = time.monotonic()
            return
        began = grants.now()
        try:
            known = await asyncio.to_thread(self.directory.people, list(people))
        except TooManyCalls as error:
            self.provider.failed(error.retry_after)
        except ProviderUnreachable:
            self._is_away()
        except DirectoryRefused:
            self.log.error(
                "DESCOPE_MANAGEMENT_KEY is refused: what is taken away at Descope counts late"
            )
            self.provider.next_sweep = time.monotonic() + _KEY_AGAIN
        else:
            self._is_back()
            self.provider.last_sweep = time.monotonic()
            done = await asyncio.gather(  # nobody waits for the server of another
                *(self._heard(known[name], one.user_id, began) for name, one in people.items()),
                return_exceptions=True,
            )
            self.app.db.commit()
            for error in filter(None, done):
                raise error
        self._watch_promise()

    async def _heard(self, known: Known, user_id: int, asked_at: datetime) -> None:
        """Act on what the provider said of a person, unless it is of what is over."""
        user = self.app.users.get(user_id)
        if user is None:
            return
        session = self._session_before(user_id, asked_at)
        if session is None:
            return
        if not known.confirmed:
            async with self.authenticator.lock(user.name):
                if self._session_before(user_id, asked_at):  # nobody has signed in meanwhile
                    await self.end(user_id, "dismissed")
        elif session.seen != sessions.digest(known.tenants):
            await self.authenticator.take_over(user, known.tenants, asked_at)
        else:
            identity = self.app.db.get(grants.Identity, user_id)
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
        sweeps = 60 * self._pages / self._sweep_every if self.directory else 0
        calls = 2 if self._tokens_tell_roles else 1
        least = 60 * calls / max(CALLS_A_MINUTE - 5 - sweeps, 5)
        return max(least, 0.7 * self.seconds / max(sessions.count(self.app.db), 1))

    async def _between_refreshes(self) -> None:
        await self._pause(self._refresh_every * random.uniform(1.0, 1.1))

    async def _pause(self, seconds: float) -> None:
        """Leave the provider alone: longer while it is away, until it answers anybody again."""
        self.provider.back.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.provider.back.wait(), max(seconds, self.provider.waits))

    @property
    def _tokens_tell_roles(self) -> bool:
        """Whether a refresh asks for the roles too: no directory tells of them, just now."""
        return self.directory is None or not self.provider.promise_kept

    async def _refresh_next(self) -> None:
        """Exchange the refresh token of whoever's was tried longest ago."""
        if self.directory is not None:
            self._watch_promise()
        session = sessions.next_to_ask(self.app.db)
        if session is None:
            return
        session.asked_at = grants.now()  # one who is not answered for holds up nobody
        self.app.db.commit()
        user = self.app.users.get(session.user_id)
        if user is None:
            return
        try:
            confirmed = await self.authenticator.confirm(user, ask_roles=self._tokens_tell_roles)
        except ProviderUnreachable:
            self._is_away()
        else:
            self._is_back()
            if not confirmed:
                self.log.info("The provider no longer confirms %s", user.name)

    # -- how the provider is doing ----------------------------------------------------------------

    def _is_away(self) -> None:
        self.provider.failed()
        if self.provider.away_since is None:
            self.provider.away_since = time.monotonic()
            self.log.error("The sign-in service does not answer; people work on for the grace time")
            audit.record("provider-away", user="", by="hub")

    def _is_back(self) -> None:
        self.provider.pause = _PAUSES[0]
        if self.provider.away_since is not None:
            self.provider.away_since, self.provider.next_try = None, 0.0
            self.provider.back.set()
            self.log.warning("The sign-in service answers again")
            audit.record("provider-back", user="", by="hub")

    def _watch_promise(self) -> None:
        """Say when what is taken away may count later than promised; once, until it is kept."""
        kept = time.monotonic() - self.provider.last_sweep < self.seconds
        if self.provider.promise_kept and not kept:
            self.log.error("What is taken away at the provider counts later than promised now")
            audit.record("promise-missed", user="", by="hub", seconds=f"{self.seconds:.0f}")
        self.provider.promise_kept = kept

    @property
    def notice(self) -> str:
        """A sentence for admins on what is wrong just now, "" if nothing is."""
        if self.provider.away_since is not None:
            minutes = int((time.monotonic() - self.provider.away_since) // 60)
            return (
                f"The sign-in service has not answered for {minutes or 'less than one'} "
                f"minute{'' if minutes <= 1 else 's'}. Nobody new can sign in, and people work on "
                f"for at most {int(self.authenticator.grace.total_seconds() // 60)} minutes."
            )
        if not self.provider.promise_kept:
            return (
                "What is taken away at the sign-in service counts later here than the promised "
                f"{self.seconds:.0f} seconds: it is not answering fast enough."
            )
        return ""
