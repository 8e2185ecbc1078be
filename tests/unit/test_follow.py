"""How often the provider is asked, and what is said when it does not answer. With real parts these
are minutes of waiting; what the follower does with an answer is in tests/integration."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm

from hub_extensions import audit, grants
from hub_extensions.access.directory import Directory, DirectoryRefused, Known, TooManyCalls
from hub_extensions.access.follow import CALLS_A_MINUTE, Follower, Provider
from hub_extensions.signing_in import sessions
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


@pytest.fixture
def db() -> Iterator[Any]:
    session = orm.new_session_factory("sqlite://")()
    grants.create_tables(session)
    sessions.create_tables(session)
    yield session
    session.close()
    session.get_bind().dispose()


def sign_in(db: Any, people: int) -> None:
    moment = grants.now()
    db.add_all(orm.User(id=number, name=f"p{number}@a.test") for number in range(1, people + 1))
    db.flush()
    for number in range(1, people + 1):
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


async def test_one_sweep_asks_once_for_a_hundred_people(db: Any, directory: FakeDirectory) -> None:
    sign_in(db, 600)
    await follower(db, directory)._sweep()
    assert directory.calls == 6


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
    provider, waits = Provider(), []
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
        following._is_away()
    waits = [asyncio.create_task(following._between_sweeps()) for _ in range(2)]
    await asyncio.sleep(0)
    following._is_back()
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
