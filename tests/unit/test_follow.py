"""How often the provider is asked, and what is said when it does not answer. With real parts these
are minutes of waiting; what the follower does with an answer is in tests/integration."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from jupyterhub import orm
from sqlalchemy.exc import OperationalError
from tornado import web

from hub_extensions import audit, grants
from hub_extensions.access import follow
from hub_extensions.access.directory import Directory, DirectoryRefused, Known, TooManyCalls
from hub_extensions.access.follow import CALLS_A_MINUTE, Follower
from hub_extensions.access.provider_state import Provider
from hub_extensions.queries import let_go_of_deleted
from hub_extensions.signing_in import sessions, sign_out
from hub_extensions.signing_in.provider import ProviderUnreachable


class FakeDirectory(Directory):
    """Answers as told, and counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None

    def people(self, subjects: Any) -> dict[str, Known]:
        self.calls += -(-len(subjects) // 100)
        if self.error:
            raise self.error
        return {name: Known(subject=name, confirmed=True, tenants={}) for name in subjects}


def sign_in(db: Any, people: int, start: int = 1) -> None:
    moment, numbers = grants.now(), range(start, start + people)
    db.add_all(orm.User(id=number, name=f"p{number}@a.test") for number in numbers)
    db.flush()
    for number in numbers:
        who: dict[str, Any] = {"user_id": number, "issuer": "P", "subject": f"U{number}"}
        session = {"user_id": number, "tenant": "acme", "seen": sessions.digest({})}
        db.add(grants.Identity(**who, confirmed_at=moment))
        db.add(
            sessions.Session(**session, signed_in_at=moment, refreshed_at=moment, asked_at=moment)
        )
    db.commit()


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


def follower(db: Any, directory: Directory | None, seconds: float = 30) -> Follower:
    app = SimpleNamespace(db=db, users={})
    authenticator: Any = SimpleNamespace(log=logging.getLogger("test"))
    return Follower(app, authenticator, seconds, directory)


@pytest.mark.parametrize("people", [1, 20, 600, 3000])
@pytest.mark.parametrize("has_key", [True, False])
def test_the_provider_is_asked_at_most_sixty_times_a_minute(
    db: Any, directory: FakeDirectory, people: int, has_key: bool
) -> None:
    sign_in(db, people)
    following = follower(db, directory if has_key else None)
    sweeps = -(-people // 100) * 60 / following._sweep_every if has_key else 0
    refreshes = (1 if has_key else 2) * 60 / following._refresh_every
    assert sweeps + refreshes <= CALLS_A_MINUTE


@pytest.mark.parametrize(("people", "seconds"), [(20, 30), (600, 30), (1000, 30), (100, 5)])
def test_everybody_is_looked_at_within_the_promised_time(
    db: Any, directory: FakeDirectory, people: int, seconds: float
) -> None:
    sign_in(db, people)
    assert follower(db, directory, seconds)._sweep_every < 0.8 * seconds


def test_each_refresh_token_of_a_team_is_looked_at_within_the_promised_time(
    db: Any, directory: FakeDirectory
) -> None:
    sign_in(db, 20)
    assert 20 * follower(db, directory)._refresh_every < 30


async def test_a_pause_is_no_longer_than_those_who_are_signed_in_by_now_allow(db: Any) -> None:
    sign_in(db, 1)
    following = follower(db, FakeDirectory())
    await following._refresh_next()  # nobody is there to be asked, but it counts
    pause = asyncio.create_task(following._between_refreshes())
    await asyncio.sleep(0)
    assert 60 * following._refresh_every > 1000
    sign_in(db, 20, start=2)
    async with asyncio.timeout(5):
        await pause


async def test_one_sweep_asks_once_for_a_hundred_people(db: Any, directory: FakeDirectory) -> None:
    sign_in(db, 600)
    await follower(db, directory)._sweep()
    assert directory.calls == 6


async def test_somebody_deleted_while_the_provider_is_asked_holds_up_no_other(db: Any) -> None:
    class Deletes(FakeDirectory):
        def people(self, subjects: Any) -> dict[str, Known]:
            db.delete(db.get(orm.User, 1))
            db.commit()
            return super().people(subjects)

    let_go_of_deleted(db)
    sign_in(db, 2)
    following = follower(db, Deletes())
    following.app.users = {2: SimpleNamespace(id=2, name="p2@a.test")}
    db.get(grants.Identity, 2).confirmed_at = before = grants.now() - timedelta(minutes=1)
    await following._sweep()
    assert db.get(grants.Identity, 2).confirmed_at > before


async def test_after_a_restart_the_refreshes_of_a_thousand_people_are_spread(db: Any) -> None:
    sign_in(db, 1000)
    following = follower(db, FakeDirectory())
    asked: list[str] = []

    async def confirm(user: Any, *, ask_roles: bool) -> bool:
        asked.append(user.name)
        return True

    following.authenticator.confirm = confirm
    following.app.users = {u.id: u for u in db.query(orm.User)}
    for _ in range(30):
        await following._refresh_next()
    assert len(set(asked)) == 30  # one after the other, and nobody twice
    assert 60 / following._refresh_every < CALLS_A_MINUTE


def test_the_pauses_grow_and_are_never_the_same() -> None:
    provider, waits = Provider(log=logging.getLogger("test"), seconds=30), []
    for _ in range(8):
        provider.failed()
        waits.append(provider.waits)
    assert waits[0] < 3
    assert max(waits) <= 75
    assert waits[-1] > 40
    assert len(set(waits)) == 8
    provider.failed(retry_after=100)
    assert provider.waits > 99


@pytest.fixture
def trail(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(audit, "record", lambda action, **_: said.append(action))
    return said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ProviderUnreachable(), "provider-away"),
        (TooManyCalls(1), "promise-missed"),
        (DirectoryRefused(), "promise-missed"),
    ],
)
async def test_admins_are_told_once_what_is_wrong_and_when_it_is_over(
    db: Any, directory: FakeDirectory, trail: list[str], error: Exception, said: str
) -> None:
    sign_in(db, 3)
    following = follower(db, directory)
    following.authenticator.grace = timedelta(hours=1)
    assert following.notice == ""
    directory.error = error
    following.provider.last_sweep = time.monotonic() - 31
    for _ in range(3):
        await following._sweep()
    assert trail.count(said) == 1
    directory.error = None
    await following._sweep()
    assert following.notice == ""


async def test_when_the_provider_answers_one_question_the_others_wait_no_longer(db: Any) -> None:
    following = follower(db, FakeDirectory())
    for _ in range(8):
        following.provider.is_away()
    waits = [asyncio.create_task(following._between_sweeps()) for _ in range(2)]
    await asyncio.sleep(0)
    following.provider.is_back()
    await asyncio.wait_for(asyncio.gather(*waits), 1)
    assert following.provider.waits == 0


async def test_a_mistake_with_one_does_not_end_the_following(db: Any) -> None:
    following = follower(db, None)
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        raise RuntimeError("odd")

    async def at_once() -> None:
        await asyncio.sleep(0)

    task = asyncio.create_task(following._again_and_again(look, at_once))
    while looks < 2:
        await asyncio.sleep(0.01)
    task.cancel()


async def test_a_database_that_was_away_does_not_end_the_following(db: Any) -> None:
    """A pause asks the database too, and so may fail as well as the work before it."""
    following = follower(db, None)
    pauses = 0

    async def work() -> None:
        return None

    async def pause() -> None:
        nonlocal pauses
        pauses += 1
        await asyncio.sleep(0)
        if pauses == 1:
            raise OperationalError("select count(*)", {}, Exception("database is locked"))

    task = asyncio.create_task(following._again_and_again(work, pause))
    while pauses < 3:
        assert not task.done()
        await asyncio.sleep(0.01)
    task.cancel()


class FakeUser:
    """Somebody with one server, which notes what it is told."""

    def __init__(self, orm_user: orm.User, folder: Path, *groups: str) -> None:
        self.id, self.name, self.orm_user = orm_user.id, orm_user.name, orm_user
        self.groups = [SimpleNamespace(name=group) for group in groups]
        self.told: list[frozenset[str]] = []
        self.answers = True
        self.server = SimpleNamespace(
            name="",
            _log_name=self.name,
            notebooks=folder,
            orm_spawner=None,
            ready=True,
            pending=None,
        )
        self.server.tell_groups = self.tell_groups
        self.spawners = {"": self.server}

    async def tell_groups(self, groups: frozenset[str], *, ended: bool = False) -> bool:
        self.told.append(groups)
        return self.answers


def with_servers(following: Follower, db: Any, folder: Path, *groups: str) -> list[FakeUser]:
    for group in groups:
        (folder / group).mkdir()
    users = [FakeUser(user, folder, *groups) for user in db.query(orm.User).order_by(orm.User.id)]
    following.app.users = {user.id: user for user in users}
    locks: dict[str, asyncio.Lock] = {}
    following.authenticator.lock = lambda name: locks.setdefault(name, asyncio.Lock())
    following.authenticator.session_hours = {"": 12.0}
    following.authenticator.grace = timedelta(hours=1)
    return users


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    async def stop_server(_app: Any, user: FakeUser, _name: str) -> None:
        names.append(user.name)
        user.server.ready = False

    monkeypatch.setattr(sign_out, "stop_server", stop_server)
    return names


async def until(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


async def look(following: Follower) -> None:
    """Look at all servers once, until what comes of that is done."""
    await following.enforce()
    await until(lambda: not following.servers.busy)


@pytest.mark.parametrize(
    ("is_back", "tells_when", "ends"),
    [(False, True, ["U1"]), (True, False, ["U1"]), (True, True, [])],
)
async def test_whoever_was_asked_again_while_others_had_their_turn_stays_signed_in(
    db: Any, monkeypatch: pytest.MonkeyPatch, is_back: bool, tells_when: bool, ends: list[str]
) -> None:
    monkeypatch.setattr(follow, "_ENDS_A_MINUTE", 1e9)
    ended: list[str] = []
    directory = FakeDirectory()
    monkeypatch.setattr(directory, "sign_out", ended.append)
    following = follower(db, directory)
    following.authenticator.follower = following
    following.authenticator.tells_when_asked = lambda _state: tells_when
    sign_in(db, 1)
    user: Any = SimpleNamespace(id=1, name="p1@a.test", get_auth_state=AsyncMock(return_value={}))
    if not is_back:
        sessions.end(db, db.get(orm.User, 1))
        db.commit()
    await following._have_asked(user, "U1")
    assert ended == ends


async def test_a_session_that_does_not_end_holds_up_no_other(
    db: Any, stopped: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that does not answer takes many seconds; with some of them nobody would be told."""
    sign_in(db, 4)
    following = follower(db, None)
    first, second, third, other = with_servers(following, db, tmp_path, "user")
    ended: list[str] = []

    async def end_everything(_app: Any, user: FakeUser, **_lab: bool) -> None:
        ended.append(user.name)
        if user is second:
            raise RuntimeError("odd")
        await asyncio.Event().wait()

    monkeypatch.setattr(sign_out, "end_everything", end_everything)
    for session in db.query(sessions.Session).filter(sessions.Session.user_id < 4):
        session.signed_in_at -= timedelta(hours=13)
    db.commit()
    await asyncio.wait_for(following.enforce(), 5)
    await until(lambda: set(ended) == {first.name, second.name, third.name} and other.told)
    await following.enforce()
    await until(lambda: ended.count(second.name) == 2)  # what went wrong is tried again
    assert ended.count(first.name) == 1
    for task in following._tasks:
        task.cancel()


@pytest.mark.parametrize(
    ("reason", "lab"), [("dismissed", True), ("too old", False), ("provider away", False)]
)
async def test_only_a_dismissal_ends_the_lab_too(
    db: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trail: list[str],
    reason: Any,
    lab: bool,
) -> None:
    sign_in(db, 1)
    following = follower(db, None)
    (user,) = with_servers(following, db, tmp_path)
    user.db = db  # type: ignore[attr-defined]
    end_everything = AsyncMock()
    monkeypatch.setattr(sign_out, "end_everything", end_everything)
    await following.end(user.id, reason)
    end_everything.assert_awaited_once_with(following.app, user, lab=lab)


async def test_somebody_who_is_dismissed_does_not_hold_up_the_round_of_refreshes(
    db: Any, directory: FakeDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each server takes a second to stop: with some of them the promised time would be missed."""
    sign_in(db, 3)
    following = follower(db, directory)
    users = with_servers(following, db, tmp_path)
    asked: list[str] = []
    ended: list[str] = []

    async def confirm(user: FakeUser, **_: Any) -> bool:
        asked.append(user.name)
        if user is users[1]:  # who signs in anew while the provider is asked is not dismissed
            db.get(sessions.Session, user.id).signed_in_at += timedelta(seconds=1)
        return user is users[2]

    async def end(user_id: int, reason: str) -> None:
        ended.append(f"{user_id} {reason}")
        await asyncio.Event().wait()

    following.authenticator.confirm = confirm
    monkeypatch.setattr(following, "end", end)
    async with asyncio.timeout(5):
        for _ in users:
            await following._refresh_next()
    assert sorted(asked) == [user.name for user in users]
    await until(lambda: 2 not in following._ending)
    assert ended == ["1 dismissed"]
    for task in following._tasks:
        task.cancel()


async def test_a_person_of_whom_odd_things_are_said_holds_up_no_other(
    db: Any, directory: FakeDirectory, tmp_path: Path
) -> None:
    sign_in(db, 3)
    following = follower(db, directory)
    with_servers(following, db, tmp_path)
    taken_over: list[str] = []

    async def take_over(user: FakeUser, *_: Any) -> None:
        taken_over.append(user.name)
        if user.id == 1:
            raise KeyError("sub")

    def people(subjects: Any) -> dict[str, Known]:
        tenants = {"acme": {"roles": ["Analyst"]}}
        return {n: Known(subject=n, confirmed=True, tenants=tenants) for n in subjects if n != "U2"}

    following.authenticator.take_over, directory.people = take_over, people  # type: ignore
    await following._sweep()
    await until(lambda: taken_over == ["p1@a.test", "p3@a.test"])


@pytest.mark.parametrize("odd", [{"userTenants": [None]}, {"userTenants": [{}]}, [1]])
def test_an_odd_person_in_an_answer_leaves_the_others(
    odd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = [{"userId": "U1", "userTenants": [{"tenantId": "acme"}]}]
    if isinstance(odd, dict):
        answer.append({"userId": "U2", **odd})
    users = SimpleNamespace(
        search_all=lambda **_: {"users": answer}, load_by_user_id=lambda _: {"user": odd}
    )
    monkeypatch.setattr(Directory, "_users", users)
    known = Directory("P", "http://127.0.0.1", "key").people(["U2", "U1"])
    assert known["U1"].tenants == {"acme": {"roles": [], "permissions": []}}
    assert "U2" not in known or not known["U2"].confirmed


async def test_a_server_of_somebody_who_is_not_signed_in_is_ended(
    db: Any, stopped: list[str], tmp_path: Path
) -> None:
    """It was starting when they were signed out, or the hub was ended before it had ended it."""
    sign_in(db, 2)
    following = follower(db, None)
    gone, stays = with_servers(following, db, tmp_path, "user")
    with_lock = following.authenticator.lock(gone.name)
    db.delete(db.get(sessions.Session, gone.id))
    db.commit()
    async with with_lock:  # a sign-out is under way
        await following.enforce()
        await until(lambda: stays.told)
        assert stopped == []
    await until(lambda: gone.name in stopped)
    assert gone.told == [frozenset()]


async def test_what_a_server_was_started_with_it_is_told_when_it_has_changed(
    db: Any, stopped: list[str], tmp_path: Path
) -> None:
    sign_in(db, 2)
    following = follower(db, None)
    same, changed = with_servers(following, db, tmp_path, "analysts", "finance")
    for user in (same, changed):
        user.server.groups_told = frozenset({"analysts", "finance"})
    del changed.groups[1]
    await look(following)
    assert changed.told == [frozenset({"analysts"})]
    assert same.told == stopped == []
    del same.groups[0]
    await look(following)
    assert same.told == [frozenset({"finance"})]


async def test_a_server_that_was_started_with_nothing_is_ended(
    db: Any, stopped: list[str], tmp_path: Path
) -> None:
    """The last group was taken while it waited for its process."""
    sign_in(db, 1)
    following = follower(db, None)
    (user,) = with_servers(following, db, tmp_path, "analysts")
    user.server.groups_told, user.groups = frozenset(), []
    await look(following)
    assert user.name in stopped


async def test_what_a_server_may_know_without_having_answered_is_taken_from_it(
    db: Any, stopped: list[str], tmp_path: Path
) -> None:
    """It did not take over that a group was given, and could ask the hub by itself."""
    sign_in(db, 1)
    following = follower(db, None)
    (user,) = with_servers(following, db, tmp_path, "analysts")
    user.server.groups_told = frozenset({"analysts"})
    user.answers = False
    user.groups.append(SimpleNamespace(name="finance"))
    await look(following)
    del user.groups[-1]
    user.answers = True
    await look(following)
    assert user.told == [frozenset({"analysts", "finance"}), frozenset({"analysts"})]
    assert not stopped
    user.answers = False
    user.groups.append(SimpleNamespace(name="finance"))
    await look(following)
    del user.groups[-1]
    await look(following)
    assert user.name in stopped


async def test_folders_that_cannot_be_shut_keep_no_server_from_being_told(
    db: Any, stopped: list[str], tmp_path: Path
) -> None:
    sign_in(db, 1)
    following = follower(db, None)
    (user,) = with_servers(following, db, tmp_path, "analysts")
    await look(following)
    user.groups = []

    def open_folders() -> None:
        raise web.HTTPError(503, "There is no room for one more here.")

    assert stopped == []
    user.server.open_folders = open_folders
    await look(following)
    assert user.name in stopped


async def test_without_an_answer_of_the_directory_each_one_is_asked_for_their_roles(
    db: Any, directory: FakeDirectory, trail: list[str], tmp_path: Path
) -> None:
    sign_in(db, 1)
    following = follower(db, directory)
    with_servers(following, db, tmp_path)
    asked: list[bool] = []

    async def confirm(_user: Any, *, ask_roles: bool) -> bool:
        asked.append(ask_roles)
        return True

    following.authenticator.confirm = confirm
    await following._refresh_next()
    directory.error = DirectoryRefused()
    following.provider.last_sweep = time.monotonic() - 31
    await following._sweep()
    await following._refresh_next()
    assert asked == [False, True]
