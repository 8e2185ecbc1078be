"""What one person may have done at once, in an hour and in a day; and what ends with a right."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from hub_extensions.own_server import is_of_server
from hub_extensions.publishing import author as module
from hub_extensions.publishing import data_files
from hub_extensions.publishing.author import Author
from hub_extensions.publishing.checks import Check, Checks, Found
from hub_extensions.publishing.publishing import CannotPublish, Compared
from hub_extensions.publishing.versions import Place
from hub_extensions.trial_runs import Trial

COSTS = Place(folder="finance", name="costs")


class Ada(Author):
    """Somebody of whom only what the test needs is there."""

    def __init__(self, publishing: Any, notebooks: Path) -> None:
        user: Any = SimpleNamespace(id=1, db=None)
        spawner: Any = SimpleNamespace(ids=range(0))
        self.user, self.spawner, self.name = user, spawner, "ada@acme.test"
        self._publishing, self._notebooks = publishing, notebooks
        self.may = True

    def _may(self, folder: str) -> bool:
        return self.may

    def _changed(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        pass


class Folder:
    """Stands for `Publishing`: asks again, then does what it is to do."""

    def __init__(self) -> None:
        self.done = 0
        self.go_on = asyncio.Event()

    async def _change(self, *_: Any, ask_again: Any, **__: Any) -> str:
        ask_again()
        self.done += 1
        return "0123"

    publish = roll_back = remove = _change

    async def shown(self, _: Place) -> None:
        await self.go_on.wait()

    async def present(self, _: Place) -> bytes:
        await self.go_on.wait()
        return b""

    async def compared(self, *_: Any) -> Compared:
        await self.go_on.wait()
        return Compared(present="none", notebook=None)

    async def content(self, *_: Any) -> tuple[None, bytes]:
        await self.go_on.wait()
        return None, b""


@pytest.fixture
def folder() -> Folder:
    return Folder()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Checks:
    kept = Checks()
    monkeypatch.setattr(module, "checks", kept)
    return kept


@pytest.fixture
def ada(monkeypatch: pytest.MonkeyPatch, folder: Folder, tmp_path: Path) -> Ada:
    limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
    monkeypatch.setattr(module, "_limiter", limiter)
    (tmp_path / COSTS.folder).mkdir()
    return Ada(folder, tmp_path)


def tried(kept: Checks, notebook: bytes = b"{}") -> Check:
    check = kept.add(1, "costs", Found(), notebook)
    check.place, check.trial = COSTS, Trial()
    return check


async def test_thirty_changes_in_an_hour_of_whatever_kind(
    ada: Ada, folder: Folder, kept: Checks
) -> None:
    for number in range(30):
        if number % 3 == 0:
            await ada.publish(tried(kept))
        elif number % 3 == 1:
            await ada.roll_back(COSTS, "0", "none")
        else:
            await ada.remove(COSTS, "none")
    for one_more in (
        ada.publish(tried(kept)),
        ada.roll_back(COSTS, "0", "none"),
        ada.remove(COSTS, "none"),
    ):
        with pytest.raises(CannotPublish, match="30 times in an hour") as refused:
            await one_more
        assert refused.value.status == 429
    assert folder.done == 30


async def test_so_many_bytes_in_a_day(ada: Ada, folder: Folder, kept: Checks) -> None:
    size = 16 * 1024 * 1024
    large = tried(kept, b"x" * size)
    for number in range(30):
        if (number + 1) * size > 500_000_000:
            break
        kept._kept[large.id] = large
        await ada.publish(large)
    kept._kept[large.id] = large
    with pytest.raises(CannotPublish, match="500 MB in a day"):
        await ada.publish(large)
    assert folder.done == 29
    await ada.remove(COSTS, "none")


async def test_sixty_notebooks_in_a_minute(ada: Ada) -> None:
    for _ in range(60):
        async with ada._turn():
            pass
    with pytest.raises(CannotPublish, match="Wait a minute"):
        async with ada._turn():
            pass


async def test_data_comes_before_its_place_is_known_and_within_bounds(
    ada: Ada, folder: Folder, kept: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(*_: Any) -> tuple[Found, bytes]:
        return Found(), b"{}"

    monkeypatch.setattr(module, "read", read)
    monkeypatch.setattr(kept, "try_out", lambda *_: None)
    check = kept.add(1, "costs", Found(), b"{}")
    ada.add_data(check, "a.csv", b"1")
    ada.add_data(check, "a.csv", b"2")
    for name in ("../b.csv", "A.csv", "a.csv/b", "x.ipynb"):
        with pytest.raises(CannotPublish) as refused:
            ada.add_data(check, name, b"")
        assert refused.value.status == 400
    with pytest.raises(CannotPublish, match="may have 16 MB"):
        ada.add_data(check, "b.csv", bytes(data_files.LARGEST + 1))
    assert check.data == {"a.csv": b"2"}
    aimed = asyncio.create_task(ada.aim(check, COSTS))
    await asyncio.sleep(0)
    ada.add_data(check, "b.csv", b"late")  # its author has not seen it when it was aimed
    folder.go_on.set()
    with pytest.raises(CannotPublish, match="came this moment"):
        await aimed
    assert check.place is None
    await ada.aim(check, COSTS)
    with pytest.raises(CannotPublish, match="looked at already"):
        ada.add_data(check, "c.csv", b"")
    for _ in range(200):
        with pytest.raises(CannotPublish):
            ada.add_data(check, "c.csv", b"")
    with pytest.raises(CannotPublish, match="many files") as refused:
        ada.add_data(check, "c.csv", b"")
    assert refused.value.status == 429


async def test_versions_are_looked_for_once_at_a_time(ada: Ada, folder: Folder) -> None:
    first = asyncio.create_task(ada.shown(COSTS))
    await asyncio.sleep(0)
    with pytest.raises(CannotPublish, match="Versions are being looked for"):
        await ada.shown(COSTS)
    folder.go_on.set()
    await first
    await ada.shown(COSTS)


async def test_with_a_right_its_check_is_gone(ada: Ada, folder: Folder, kept: Checks) -> None:
    check = tried(kept)
    assert ada.check(check.id) is check
    ada.may = False
    for work in (
        ada.publish(check),
        ada.roll_back(COSTS, "0", "none"),
        ada.remove(COSTS, "none"),
    ):
        with pytest.raises(CannotPublish, match="may not publish to this folder"):
            await work
    assert folder.done == 0
    with pytest.raises(CannotPublish) as refused:
        ada.check(check.id)
    assert refused.value.status == 404
    ada.may = True
    assert kept.get(1, check.id) is None


@pytest.mark.parametrize("lost", ["the right", "the folder"])
@pytest.mark.parametrize("what", ["hand in", "aim", "look"])
async def test_who_may_not_any_more_when_their_turn_is_over_learns_nothing(
    lost: str, what: str, ada: Ada, folder: Folder, kept: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(*_: Any) -> tuple[Found, bytes]:
        return Found(title="what is there"), b"{}"

    monkeypatch.setattr(module, "read", read)
    monkeypatch.setattr(module.orm.Group, "find", lambda *_, **__: None)
    check = kept.add(1, "costs", Found(), b"{}")
    if what == "hand in":
        work = asyncio.create_task(ada.hand_in("costs", b"{}", COSTS))
    elif what == "aim":
        work = asyncio.create_task(ada.aim(check, COSTS))
    else:
        work = asyncio.create_task(ada.changed_by(COSTS, "1", None))
    await asyncio.sleep(0)
    if lost == "the right":
        ada.may = False
    else:
        (ada._notebooks / COSTS.folder).rmdir()
    folder.go_on.set()
    with pytest.raises(CannotPublish, match=r"may not publish|no folder"):
        await work
    assert list(kept._kept.values()) == [check]
    assert (check.place, check.found) == (None, Found())


async def test_who_was_signed_out_while_it_waited_publishes_nothing(
    ada: Ada, folder: Folder, kept: Checks
) -> None:
    check = tried(kept)
    kept.drop_all_of(1)
    with pytest.raises(CannotPublish, match="not kept here any more"):
        await ada.publish(check)
    assert folder.done == 0


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["users:activity!user=a", "access:servers!server=a/lab", "custom:atrium:publish"], True),
        (["access:servers!server=a/"], True),
        (["inherit"], False),
        (["custom:atrium:publish"], False),
        ([], False),
    ],
)
def test_the_token_of_a_server_is_known_by_its_scope(scopes: list[str], expected: bool) -> None:
    token: Any = SimpleNamespace(scopes=scopes)
    assert is_of_server(token) is expected
