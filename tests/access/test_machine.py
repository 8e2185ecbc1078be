"""What is served is never more than what the two sources allow now, minus the stated delay.

A machine does at random what people, admins, the provider and the machine room do, in any order,
to the hub's own rules (`world.py`), and keeps beside it what is allowed, in its own words.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from jupyterhub import orm
from sqlalchemy import select
from tornado import web

from hub_extensions import grants
from hub_extensions.access import servers
from hub_extensions.access.follow import Follower
from hub_extensions.access.servers import Told
from hub_extensions.signing_in import sessions, sign_out
from tests.access.world import (
    GRACE,
    HOURS,
    SECONDS,
    Account,
    Crash,
    World,
    copied,
    prepared_folder,
)

pytestmark = pytest.mark.long

ROLES = {"Analyst": "analysts", "Tenant Admin": "admin"}
GROUPS = ("user", "analysts", "admin", "finance")
#: Seconds within which something is followed: what the hub itself knows, what the directory tells,
#: what each one's refresh token tells, and that where the directory refuses the hub's key.
AT_ONCE, BY_DIRECTORY, BY_TOKEN, WITHOUT_KEY = 2.5, SECONDS + 1.0, 12.0, 40.0
#: What a provider adds that takes its time for each token,
SLOW = 15.0
#: and what a server that blocks adds: its time to answer, and to be ended.
BLOCKED = 25.0

PROMISES = ("hub", "roles", "tokens")
MOST = 3
PEOPLE = st.integers(0, MOST - 1)


@dataclass
class Person:
    """Somebody, and what is allowed to them by the words of those who decide."""

    account: Account
    user_id: int = 0
    signed_in: bool = False
    signed_in_at: float = 0.0
    #: The provider has had a reason to end this session, or was away for long.
    in_doubt: bool = True
    granted: dict[str, float | None] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    #: How much of each promise has gone by since the beginning,
    gone: dict[str, float] = field(
        default_factory=lambda: {"hub": 0.0, "roles": 0.0, "tokens": 0.0}
    )
    #: and when each thing was last true, in that measure.
    last_true: dict[Any, float] = field(default_factory=dict)

    def gives(self, group: str) -> bool:
        """Whether a role gives the group."""
        return group == "user" or any(ROLES[role] == group for role in self.account.roles)

    def facts(self, now: float) -> dict[Any, tuple[str, bool]]:
        """What makes something allowed: which promise it is under, and whether it is true."""
        young = now - self.signed_in_at < HOURS * 3600
        found: dict[Any, tuple[str, bool]] = {
            "session": ("hub", self.signed_in and young),
            "enabled": ("roles", self.account.enabled),
            "token": ("tokens", bool(self.account.tokens)),
        }
        for group in GROUPS:
            until = self.granted.get(group, 0.0)
            found["admin", group] = ("hub", until is None or now < until)
            found["role", group] = ("roles", self.gives(group))
            found["not denied", group] = ("hub", group not in self.denied)
        return found

    def allowed(self, now: float) -> set[str]:
        """The groups that both sources allow at this moment."""
        true = {fact for fact, (_, holds) in self.facts(now).items() if holds}
        if not {"session", "enabled", "token"} <= true:
            return set()
        return {
            group
            for group in GROUPS
            if ("admin", group) in true or {("role", group), ("not denied", group)} <= true
        }


class Machine(RuleBasedStateMachine):
    """Everything that changes who may see what."""

    prepared: Path
    #: How many people there are.
    size = MOST

    @initialize(
        by_directory=st.booleans(),
        roles=st.tuples(*[st.sets(st.sampled_from(sorted(ROLES)))] * MOST),
    )
    def begin(self, by_directory: bool, roles: tuple[set[str], ...]) -> None:
        """Everybody is signed in, and looks at their dashboards."""
        self.people = [
            Person(Account(f"U{number}", f"p{number}@acme.test", set(held)))
            for number, held in enumerate(roles[: self.size])
        ]
        self._folder = tempfile.TemporaryDirectory()
        self.world = World(
            copied(self.prepared, Path(self._folder.name) / "hub"),
            [person.account for person in self.people],
            by_directory,
        )
        self.unheard_since: float | None = None
        self._seen_at = self.now
        self._names = 0
        for who in range(self.size):
            self.sign_in(who, None)
            self.open_dashboards(who)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()
            self._folder.cleanup()

    def person(self, who: int) -> Person:
        return self.people[who % self.size]

    @property
    def now(self) -> float:
        return self.world.clock.seconds

    @property
    def provider(self) -> Any:
        return self.world.provider

    # -- the promise

    @invariant()
    def what_is_served_is_allowed(self) -> None:
        if not hasattr(self, "world"):
            return
        self.look_at_the_clock()
        for person in self.people:
            for group in self.world.served(person.user_id):
                self.check_allowed(person, group)
            self.check_grace(person)
            self.check_not_thrown_out(person)

    def check_allowed(self, person: Person, group: str) -> None:
        def lately(*facts: Any) -> bool:
            promises = person.facts(self.now)
            return all(
                person.gone[promises[fact][0]] - person.last_true.get(fact, -1e9) <= 1
                for fact in facts
            )

        assert lately("session"), f"{group} is served to somebody who is not signed in"
        assert lately("enabled", "token"), f"{group} is served to somebody who was dismissed"
        assert lately(("admin", group)) or lately(("role", group), ("not denied", group)), (
            f"{group} is served, and nobody gives it"
        )

    def check_grace(self, person: Person) -> None:
        if self.unheard_since is None or person.signed_in_at > self.unheard_since:
            return
        patience = AT_ONCE + (BLOCKED if self.blocks(person) else 0)
        if self.now - self.unheard_since > GRACE + patience:
            assert not self.world.served(person.user_id), "the grace has no end"

    def check_not_thrown_out(self, person: Person) -> None:
        """Who signed in, and whom the provider never had a reason to end, stays."""
        near_the_end = self.now - person.signed_in_at > HOURS * 3600 - 5
        if person.signed_in and not person.in_doubt and not near_the_end:
            assert self.world.is_signed_in(person.user_id), "thrown out for nothing"

    def look_at_the_clock(self) -> None:
        """Count how much of each promise has gone by, and what is true now."""
        passed, self._seen_at = self.now - self._seen_at, self.now
        if self.provider.heard:
            self.unheard_since = None
        answers = self.provider.up and self.provider.heard and not self.world.on_the_way.slow
        for person in self.people:
            more = BLOCKED if self.blocks(person) else 0.0
            person.gone["hub"] += passed / (AT_ONCE + more)
            for promise in ("roles", "tokens") if answers else ():
                person.gone[promise] += passed / (self.seconds_for(promise) + more)
            for fact, (promise, holds) in person.facts(self.now).items():
                if holds:
                    person.last_true[fact] = person.gone[promise]
            grace_ends = self.unheard_since and self.now - self.unheard_since > GRACE - 20
            if grace_ends or not (person.account.enabled and person.account.tokens):
                person.in_doubt = True

    def seconds_for(self, promise: str) -> float:
        by_token = BY_TOKEN + (SLOW if self.provider.seconds > 1 else 0)
        if not self.world.by_directory:
            return by_token
        if not (self.provider.key_counts and self.provider.key_was_good):
            return WITHOUT_KEY
        return BY_DIRECTORY if promise == "roles" else by_token

    def blocks(self, person: Person) -> bool:
        server = self.world.servers.get(person.user_id)
        return bool(server and server.active and server.blocks)

    # -- the hub's process

    @contextmanager
    def the_hub(self) -> Iterator[None]:
        """What the hub does, which may end in a crash: then it is started again."""
        try:
            yield
        except Crash:
            self.restart()

    def restart(self) -> None:
        self.look_at_the_clock()
        self.world.crash()
        self.world.start()

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end - 1e-3:
            with self.the_hub():
                self.world.pass_time(min(1.0, end - self.now))
            self.what_is_served_is_allowed()

    @rule()
    def crash(self) -> None:
        self.restart()

    @rule(commits=st.integers(1, 6))
    def will_crash_after(self, commits: int) -> None:
        """Between a commit and what comes after it."""
        self.world.crash_after = commits

    @rule(seconds=st.sampled_from([0.3, 1.0, 3.0, 8.0, 25.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule()
    def all_is_quiet_for_the_stated_delay(self) -> None:
        """Then what is served, and given, is what both sources allow, and nothing else."""
        self.world.on_the_way.let_through()
        self.provider.up = self.provider.key_counts = True
        self.provider.seconds = 0.05
        self.world.crash_after = None
        for _ in range(20):
            if self.provider.heard or not any(
                self.world.is_signed_in(p.user_id) for p in self.people
            ):
                break
            self.pass_time(5)
        else:
            raise AssertionError("the provider is not asked again after an outage")
        more = BLOCKED if any(map(self.blocks, self.people)) else 0
        self.pass_time(max(map(self.seconds_for, PROMISES)) + 1 + more)
        for person in self.people:
            allowed = person.allowed(self.now)
            assert self.world.served(person.user_id) <= allowed
            user = self.world.user(person.user_id)
            if user and person.signed_in and not person.in_doubt and allowed:
                assert {str(group.name) for group in user.groups} == allowed

    # -- people

    @rule(who=PEOPLE, meets_answer=st.none() | st.integers(0, 12))
    def sign_in(self, who: int, meets_answer: int | None) -> None:
        """Also while an answer of the directory arrives that is older than the sign-in."""
        person = self.person(who)
        refused = not (self.provider.up and person.account.enabled)
        user = None
        before, crashed = person.signed_in, True
        with self.the_hub():
            try:
                user = self.world.run(self._signing_in(person.account, meets_answer))
                crashed = False
            except web.HTTPError:
                crashed = False
                assert refused, "somebody who may sign in was refused"
            else:
                assert not refused, "somebody has signed in who may not"
        if user is not None:
            person.user_id, person.signed_in, person.in_doubt = user.id, True, False
            person.signed_in_at = self.now
        elif crashed:
            self.read_session(person)
            person.in_doubt = True
            if person.signed_in and not before:
                person.signed_in_at = self.now

    async def _signing_in(self, account: Account, meets_answer: int | None) -> Any:
        task = asyncio.ensure_future(self.world.sign_in(account))
        if meets_answer is not None and self.world.on_the_way.held:
            await asyncio.sleep(0.1)  # the provider has answered twice
            for _ in range(meets_answer):
                await asyncio.sleep(0)
            self.world.on_the_way.let_through()
        return await task

    def read_session(self, person: Person) -> None:
        """After a crash: what came before it has happened, or not."""
        identity = self.world.db.scalar(
            select(grants.Identity).filter_by(subject=person.account.subject)
        )
        person.user_id = identity.user_id if identity else person.user_id
        person.signed_in = self.world.is_signed_in(person.user_id)

    @rule(who=PEOPLE)
    def sign_out(self, who: int) -> None:
        person = self.person(who)
        user = self.world.user(person.user_id)
        if user is None or not person.signed_in:
            return
        crashed = True
        with self.the_hub():
            self.world.run(sign_out.sign_out_everywhere(self.world.app, user))
            crashed = False
        person.signed_in = crashed and self.world.is_signed_in(person.user_id)
        person.in_doubt = True

    @rule(who=PEOPLE)
    def open_dashboards(self, who: int) -> None:
        """Start the server, or open one more page of it: it asks the hub."""
        person = self.person(who)
        user = self.world.user(person.user_id)
        if user is None or not self.world.run(self.world.authenticator.refresh_user(user)):
            return
        server = self.world.servers.get(person.user_id)
        if not (server and server.active):
            self.world.start_server(user)
        elif not server.blocks:
            server.groups = frozenset(str(group.name) for group in user.groups)

    @rule(who=PEOPLE, blocks=st.booleans())
    def a_notebook_blocks(self, who: int, blocks: bool) -> None:
        server = self.world.servers.get(self.person(who).user_id)
        if server and server.active:
            server.blocks = blocks

    # -- admins of the hub

    @rule(who=PEOPLE, group=st.sampled_from(GROUPS), seconds=st.none() | st.sampled_from([2, 15]))
    def grant(self, who: int, group: str, seconds: int | None) -> None:
        person = self.person(who)
        user = self.world.user(person.user_id)
        if user is None:
            return
        until = None if seconds is None else grants.now() + timedelta(seconds=seconds)
        person.granted[group] = None if seconds is None else self.now + seconds
        if seconds is None:  # who lends something has not taken back the removal
            person.denied.discard(group)
        with self.the_hub():
            grants.grant(self.world.db, user.orm_user, group, "boss", until)
            self.world.db.commit()

    @rule(who=PEOPLE, group=st.sampled_from(GROUPS))
    def take(self, who: int, group: str) -> None:
        person = self.person(who)
        user = self.world.user(person.user_id)
        if user is None:
            return
        given = select(grants.Grant.group_name).filter_by(user_id=user.id, source=grants.PROVIDER)
        person.granted.pop(group, None)
        person.denied.discard(group)
        if group in self.world.db.scalars(given).all():
            person.denied.add(group)
        with self.the_hub():
            grants.take(self.world.db, user.orm_user, group, "boss")
            self.world.db.commit()

    @rule()
    def delete_group(self) -> None:
        group = orm.Group.find(self.world.db, "finance")
        if group is None:
            return
        for person in self.people:
            person.granted.pop("finance", None)
        with self.the_hub():
            grants.forget_group(self.world.db, "finance", "boss")
            self.world.db.delete(group)
            self.world.db.commit()

    @rule(who=PEOPLE)
    def rename(self, who: int) -> None:
        user = self.world.user(self.person(who).user_id)
        if user is not None:
            self._names += 1
            with self.the_hub():
                user.name = f"renamed-{self._names}@acme.test"
                self.world.db.commit()

    # -- the provider

    @rule(who=PEOPLE, role=st.sampled_from(sorted(ROLES)))
    def give_role(self, who: int, role: str) -> None:
        self.person(who).account.roles.add(role)

    @rule(who=PEOPLE, role=st.sampled_from(sorted(ROLES)))
    def take_role(self, who: int, role: str) -> None:
        self.person(who).account.roles.discard(role)

    @rule(who=PEOPLE, enabled=st.booleans())
    def enable(self, who: int, enabled: bool) -> None:
        self.person(who).account.enabled = enabled

    @rule(who=PEOPLE)
    def revoke_refresh_tokens(self, who: int) -> None:
        self.person(who).account.tokens.clear()

    @rule(who=PEOPLE)
    def change_address(self, who: int) -> None:
        self._names += 1
        self.person(who).account.email = f"address-{self._names}@acme.test"

    @rule()
    def outage_begins(self) -> None:
        if self.provider.up:
            self.provider.up = self.provider.heard = False
            if self.unheard_since is None:
                self.unheard_since = self.now

    @rule()
    def outage_ends(self) -> None:
        self.provider.up = True

    @rule(counts=st.booleans())
    def management_key(self, counts: bool) -> None:
        self.provider.key_counts = counts

    @rule(seconds=st.sampled_from([0.05, 3.0]))
    def tokens_take(self, seconds: float) -> None:
        self.provider.seconds = seconds

    @rule()
    def the_directory_is_slow(self) -> None:
        if self.provider.up:
            self.world.on_the_way.slow = True

    @rule()
    def slow_answers_arrive(self) -> None:
        self.world.on_the_way.let_through()


def run(examples: int, steps: int = 40) -> None:
    """Let the machine work."""
    profile = settings(
        phases=[Phase.generate],  # a failure is told as it is, not made shorter for minutes
        report_multiple_bugs=False,
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=profile)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_folder(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def machine(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "prepared", prepared, raising=False)


@pytest.mark.slow
def test_what_is_served_is_what_both_sources_allow() -> None:
    run(examples=25)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_is_served_is_what_both_sources_allow_in_many_more_ways() -> None:
    run(examples=100, steps=80)


# -- with a guard taken out, the machine finds what is served too much --------------------------


class _BelievedToKnow:
    """What a server is taken to know: what its owner has when it is first seen."""

    known: frozenset[str] | None = None

    def __ne__(self, groups: object) -> bool:
        self.known = groups if self.known is None else self.known  # type: ignore[assignment]
        return self.known != groups

    def __sub__(self, groups: frozenset[str]) -> frozenset[str]:
        return (self.known or frozenset()) - groups


class _Everybody:
    def __contains__(self, _user_id: object) -> bool:
        return True


async def _nothing(*_args: Any, **_kwargs: Any) -> None:
    pass


def without_recomputing(db: Any, user: Any, groups: Any, by: str, reasons: Any = None) -> None:
    """The table of grants changes, and the membership does not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grants, "apply", lambda *_: None)
        _SET_PROVIDER_GROUPS(db, user, groups, by, reasons or {})


def lifting_the_removal(
    db: Any, user: Any, group: str, by: str, until: Any = None, *, given: Any = grants.grant
) -> None:
    grants._drop(db, user, {group}, grants.DENIED)
    given(db, user, group, by, until)


_SET_PROVIDER_GROUPS = grants.set_provider_groups
Step = tuple[Any, ...]
#: The guard, what stands in its place, and what the machine did when it found that.
GUARDS: dict[str, tuple[tuple[Any, str, Any], list[Step]]] = {
    "the end of dated grants": (
        (grants, "expire", lambda _db: None),
        [("outage_begins",), ("grant", 0, "finance", 2), ("time_passes", 1), ("time_passes", 8)],
    ),
    "the membership recomputed": (
        (grants, "set_provider_groups", without_recomputing),
        [
            ("grant", 0, "finance", None),
            ("time_passes", 3),
            ("open_dashboards", 0),
            ("take_role", 0, "Analyst"),
            ("time_passes", 25),
        ],
    ),
    "the end of refused sessions": (
        (Follower, "end", _nothing),
        [("enable", 0, False), ("time_passes", 25)],
    ),
    "servers told after a restart": (
        (
            servers,
            "Told",
            lambda answers_by, groups: Told(answers_by, groups=_BelievedToKnow()),  # type: ignore[arg-type]
        ),
        [("take", 0, "analysts"), ("crash",), ("time_passes", 8)],
    ),
    "answers older than a sign-in": (
        (
            Follower,
            "_session_before",
            lambda self, user_id, _asked_at: self.app.db.get(sessions.Session, user_id),
        ),
        [
            ("the_directory_is_slow",),
            ("enable", 0, False),
            ("time_passes", 3),
            ("enable", 0, True),
            ("sign_in", 0, None),
            ("slow_answers_arrive",),
            ("time_passes", 1),
        ],
    ),
    "the end of the grace": (
        (sessions, "unconfirmed", lambda *_: []),
        [("outage_begins",), ("time_passes", 25), ("time_passes", 25)],
    ),
    "the age of a session": (
        (sessions, "over", lambda *_: []),
        [("time_passes", 25)] * 6,
    ),
    "the end of servers of nobody": (
        (sessions, "whose", lambda _db: _Everybody()),
        [("will_crash_after", 1), ("sign_out", 0), ("time_passes", 8)],
    ),
    "the patience with servers not heard of": (
        (servers, "_PUSH", -1e9),
        [
            ("a_notebook_blocks", 0, True),
            ("take", 0, "analysts"),
            ("crash",),
            *[("time_passes", 25)] * 2,
        ],
    ),
    "removals that outlast a loan": (
        (grants, "grant", lifting_the_removal),
        [
            ("take", 0, "analysts"),
            ("time_passes", 1),
            ("grant", 0, "analysts", 2),
            ("time_passes", 8),
        ],
    ),
}


def again(steps: list[Step], prepared: Path, size: int = 1) -> None:
    """Have the machine do what it did once, and look at all it looks at."""
    random.seed(1)
    machine = type("Machine", (Machine,), {"size": size, "prepared": prepared})()
    try:
        machine.begin(by_directory=True, roles=({"Analyst"},) * size)
        machine.time_passes(1)
        for name, *arguments in steps:
            getattr(machine, name)(*arguments)
            machine.what_is_served_is_allowed()
    finally:
        machine.teardown()


#: What went wrong once, and is not a guard of its own: for how many people, and how.
WENT_WRONG: dict[str, tuple[int, list[Step]]] = {
    "others waited for the servers of the dismissed": (
        4,
        [
            *[("a_notebook_blocks", who, True) for who in range(3)],
            *[("enable", who, False) for who in range(3)],
            ("take_role", 3, "Analyst"),
            ("time_passes", 25),
        ],
    ),
    "others waited for the servers of the too old": (
        4,
        [
            *[("time_passes", 25)] * 2,
            ("sign_in", 2, None),
            *[("time_passes", 25)] * 3,
            ("time_passes", 8),
            ("time_passes", 8),
            ("a_notebook_blocks", 0, True),
            ("a_notebook_blocks", 1, True),
            ("take", 2, "analysts"),
            ("time_passes", 3),
            ("time_passes", 3),
            ("take", 2, "user"),
            ("time_passes", 3),
        ],
    ),
    "the directory was asked late after an outage": (
        3,
        [
            ("outage_begins",),
            ("time_passes", 25),
            ("time_passes", 8),
            ("outage_ends",),
            ("take_role", 0, "Analyst"),
            *[("time_passes", 25)] * 2,
        ],
    ),
    "refresh tokens were left alone when the key was refused": (
        3,
        [
            ("management_key", False),
            ("time_passes", 3),
            ("revoke_refresh_tokens", 0),
            *[("time_passes", 25)] * 2,
        ],
    ),
    "a refresh brought back what the directory had taken meanwhile": (
        1,
        [
            ("tokens_take", 8.0),
            ("time_passes", 3),
            ("take_role", 0, "Analyst"),
            ("time_passes", 25),
        ],
    ),
    "refresh tokens told no roles when the key was refused": (
        3,
        [
            ("management_key", False),
            ("time_passes", 8),
            ("take_role", 0, "Analyst"),
            *[("time_passes", 25)] * 2,
        ],
    ),
}


@pytest.mark.parametrize("what", WENT_WRONG)
def test_what_went_wrong_once(what: str, prepared: Path) -> None:
    people, steps = WENT_WRONG[what]
    again(steps, prepared, people)


@pytest.mark.parametrize("turns", range(0, 16, 2))
def test_an_answer_that_comes_in_the_middle_of_a_sign_in_does_not_end_it(
    turns: int, prepared: Path
) -> None:
    steps = [("the_directory_is_slow",), ("enable", 0, False), ("time_passes", 3)]
    steps += [("enable", 0, True), ("sign_in", 0, turns), ("time_passes", 1)]
    again(steps, prepared)


FOUND = r"served|thrown out|grace"


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_the_machine_finds_it_again(
    guard: str, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without, steps = GUARDS[guard]
    again(steps, prepared)
    monkeypatch.setattr(*without)
    with pytest.raises(AssertionError, match=FOUND):
        again(steps, prepared)
