"""People's running servers, and the groups that each has been told: none knows more than it may."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyterhub.user import User

from .. import audit
from ..folders import ADMIN, ANALYSTS, DASHBOARD_SERVERS, LAB, folders_for
from ..signing_in import sessions, sign_out
from ..signing_in.confirming import ConfirmingAuthenticator

#: Pushes that a server of which nothing was taken may leave without an answer.
_PATIENCE: Final = 10
#: Seconds from one push that is left without an answer to the end of the next.
_PUSH: Final = 6.0
#: Seconds that a server which has just started gets in any case: the machine may be busy.
_FIRST_ANSWER: Final = 20.0

#: One run of one server: its owner, its name, when it was started.
Key = tuple[int, str, Any]


@dataclass
class Told:
    """What a running server knows.

    Attributes:
        answers_by: when it must have answered for the first time, by `time.monotonic`: until then
            it may show more than its owner has now, above all after a restart of the hub.
        groups: what it was started with or has taken over; None as long as that is not known.
        failures: pushes in a row that it has left without an answer.
        unheard: the groups in them; it may have learned of those in another way.
    """

    answers_by: float
    groups: frozenset[str] | None = None
    failures: int = 0
    unheard: frozenset[str] = frozenset()


class Servers:
    """Tells each running server its owner's groups, and ends one that cannot follow.

    Args:
        seconds: within which what is taken away has ended.
        beside: runs something that must not hold up the rest.
    """

    def __init__(
        self,
        app: Any,
        authenticator: ConfirmingAuthenticator,
        seconds: float,
        beside: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.app, self.authenticator, self.seconds = app, authenticator, seconds
        self.log = authenticator.log
        self._beside = beside
        self._told: dict[Key, Told] = {}
        #: Seconds within which a server must answer once; those of the first look are older.
        self._first_answer = seconds
        self.busy: set[Key] = set()

    def look(self) -> None:
        """Tell every server of which the groups have changed, and end those of nobody."""
        signed_in = sessions.whose(self.app.db)
        running = {}
        for user in list(self.app.users.values()):
            groups = frozenset(str(group.name) for group in user.groups)
            for name, spawner in list(user.spawners.items()):
                if spawner.ready and not spawner.pending:
                    started = spawner.orm_spawner and spawner.orm_spawner.started
                    running[user.id, name, started] = (user, spawner, groups)
        self._told = {key: told for key, told in self._told.items() if key in running}
        answers_by = time.monotonic() + self._first_answer
        self._first_answer = max(self.seconds, _FIRST_ANSWER)
        for key, (user, spawner, groups) in running.items():
            began_with = getattr(spawner, "groups_told", None) or None  # with none it is to end
            told = self._told.setdefault(key, Told(answers_by=answers_by, groups=began_with))
            if key in self.busy:
                continue
            if user.id not in signed_in and spawner.name in DASHBOARD_SERVERS:
                self.busy.add(key)
                self._beside(self._leave(key, user, spawner.name))
            elif told.groups != groups or told.unheard - groups:
                self.busy.add(key)
                self._beside(self._tell(key, told, user, spawner, groups))

    async def _leave(self, key: Key, user: User, name: str) -> None:
        """End a server of somebody who is not signed in: one that was still starting when they
        were signed out, or that the hub could not end then."""
        try:
            async with self.authenticator.lock(user.name):  # a sign-out that is under way ends it
                spawner = user.spawners.get(name)
                is_over = self.app.db.get(sessions.Session, user.id) is None
                if is_over and spawner is not None and spawner.ready and not spawner.pending:
                    self.log.info("Nobody is signed in as %s; their server is ended", user.name)
                    await sign_out.say_farewell(user, name)
                    await sign_out.stop_server(self.app, user, name)
        finally:
            self.busy.discard(key)

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
            heard = await self._hears(spawner, groups)
            told.failures += 0 if heard else 1
            if told.groups is None:
                lost_patience = time.monotonic() + _PUSH > told.answers_by
            else:
                is_taken = bool((told.groups | told.unheard) - groups)
                lost_patience = is_taken or told.failures > _PATIENCE
            told.unheard = frozenset() if heard else told.unheard | groups
            if not heard and lost_patience:
                self.log.warning("%s does not let go of its dashboards; it is ended", user.name)
                audit.record("server-stopped", user=user.name, by="hub", reason="no answer")
                await sign_out.stop_server(self.app, user, spawner.name)
            elif heard:
                told.groups, told.failures = groups, 0
                if not self._has_dashboards(spawner, groups):
                    await sign_out.stop_server(self.app, user, spawner.name)
        finally:
            self.busy.discard(key)

    async def _hears(self, spawner: Any, groups: frozenset[str]) -> bool:
        """Whether a server takes its owner's groups over. Whatever goes wrong on the way to it is
        its own refusal: it must not go on with what was taken."""
        try:
            if hasattr(spawner, "open_folders"):
                spawner.open_folders()
            return not hasattr(spawner, "tell_groups") or await spawner.tell_groups(groups)
        except Exception:
            self.log.exception("%s could not be told its groups", spawner._log_name)
            return False

    @staticmethod
    def _has_dashboards(spawner: Any, groups: frozenset[str]) -> bool:
        if spawner.name == ADMIN:
            return ADMIN in groups
        if spawner.name == LAB:
            return ANALYSTS in groups
        return bool(folders_for(Path(spawner.notebooks), groups))
