"""When the hub has a picture made, and when it does not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub_extensions import thumbnails as module
from hub_extensions.shared_places import SharedPlaces
from hub_extensions.start_queue import StartQueue
from hub_extensions.thumbnails import Thumbnails
from hub_extensions.trial_runs import NO_ROOM, Trial
from tests.dashboards.notebooks import code, write_notebook

BOTH = {"light": b"one", "dark": b"two"}


class World:
    """A folder of notebooks, and a hub whose trials are a list of what was tried."""

    def __init__(self, folder: Path) -> None:
        self.thumbnails = Thumbnails()
        self.tried: list[str] = []
        self.outcome = Trial(pictures=dict(BOTH))
        self.folder = folder / "notebooks" / "user"
        self.spawner: Any = SimpleNamespace(
            notebooks=str(folder / "notebooks"),
            shared=str(folder / "shared"),
            ids=range(0),
            thumbnails=True,
            queue=StartQueue(),
            readable=lambda: {"user", "admin"},
        )
        self.write("a", "1")

    def write(self, name: str, text: str, group: str = "user") -> Path:
        return write_notebook(self.folder.parent / group / f"{name}.ipynb", code(text))

    async def trial(self, _: Any, group: str, name: str, __: bytes, **options: Any) -> Trial:
        assert options == {"for_card": True}
        self.tried.append(f"{group}/{name}")
        return self.outcome

    async def shown(self) -> None:
        await self.thumbnails.shown(self.spawner)
        await self.rest()

    async def rest(self) -> None:
        if self.thumbnails._work:
            await self.thumbnails._work

    @property
    def kept(self) -> list[bytes]:
        return sorted(
            path.read_bytes() for path in (self.folder.parents[1] / "shared").rglob("*.png")
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    monkeypatch.setattr(module, "trial", world.trial)
    monkeypatch.setattr(module, "places", SharedPlaces())
    return world


async def test_each_is_tried_once_and_again_when_it_changes(world: World) -> None:
    world.write("b", "2")
    world.write("secret", "3", "admin")
    await world.shown()
    await world.shown()
    assert world.tried == ["user/a", "user/b"]
    assert world.kept == [b"one", b"one", b"two", b"two"]
    world.write("a", "11")
    world.outcome = Trial(pictures={"light": b"new", "dark": b"new"})
    world.thumbnails.opened(world.spawner, "user", "a")
    await world.rest()
    assert world.tried == ["user/a", "user/b", "user/a"]
    assert world.kept == [b"new", b"new", b"one", b"two"]


async def test_what_has_none_is_not_tried_again_until_it_changes(world: World) -> None:
    for outcome in (Trial(problem="It fails."), Trial(needs_viewer=True), Trial()):
        world.tried.clear()
        world.outcome = outcome
        world.write("a", f"{outcome}")
        await world.shown()
        await world.shown()
        assert world.tried == ["user/a"]
        assert world.kept == []


async def test_another_file_counts_once_a_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.shown()
    (world.folder / "data.csv").write_text("1")
    await world.shown()
    assert len(world.tried) == 1
    monkeypatch.setattr(module, "_DAY", 0.0)
    await world.shown()
    assert len(world.tried) == 2
    await world.shown()  # nothing has changed since
    assert len(world.tried) == 2
    (world.folder / "data.csv").write_text("12")
    world.outcome = Trial(needs_viewer=True)
    await world.shown()
    assert world.kept == []


async def test_what_is_gone_leaves_no_picture_and_what_was_lost_is_made_anew(world: World) -> None:
    await world.shown()
    for path in (world.folder.parents[1] / "shared").rglob("*-dark.png"):
        path.unlink()
    await world.shown()
    assert len(world.tried) == 2
    (world.folder / "a.ipynb").unlink()
    await world.shown()
    assert world.kept == []


async def test_nothing_is_tried_while_a_server_starts(world: World) -> None:
    ended = asyncio.Event()

    async def start() -> None:
        await world.spawner.queue.turn("somebody", is_further=False)
        await ended.wait()

    starting = asyncio.create_task(start())
    await asyncio.sleep(0)
    await world.thumbnails.shown(world.spawner)
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.tried == []
    ended.set()
    await starting
    await world.rest()
    assert world.tried == ["user/a"]


async def test_it_can_be_switched_off_and_other_names_are_no_notebooks(world: World) -> None:
    for group, name in (("user", "no"), ("..", "user/a"), ("user", "../user/a"), ("admin", "a")):
        world.thumbnails.opened(world.spawner, group, name)
    world.spawner.thumbnails = False
    await world.shown()
    assert world.tried == []


async def test_one_that_goes_wrong_keeps_none_of_the_others_from_theirs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("b", "2")
    trial = world.trial

    async def wrong(spawner: Any, group: str, name: str, *more: Any, **options: Any) -> Trial:
        if name == "a":
            raise RecursionError
        return await trial(spawner, group, name, *more, **options)

    monkeypatch.setattr(module, "trial", wrong)
    await world.shown()
    assert world.kept == [b"one", b"two"]
    assert not world.thumbnails._line


async def test_of_a_folder_the_first_ones_have_pictures(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_OF_FOLDER", 2)
    for name in "cb":
        world.write(name, name)
    await world.shown()
    assert world.tried == ["user/a", "user/b"]


async def test_nothing_that_a_notebook_says_is_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    said = "Traceback:\nx.y.KeyError: 'CANARY'"
    world.outcome = Trial(problem="CANARY", cell="cell 3", traceback=said)
    await world.shown()
    assert "user/a.ipynb: cell 3, KeyError" in caplog.text
    assert "CANARY" not in caplog.text


async def test_what_does_not_run_is_told_until_it_is_another(world: World) -> None:
    failing = world.thumbnails.failing
    world.outcome = Trial(problem="Cell 1 fails.", cell="cell 1")
    await world.shown()
    assert failing(lambda folder: folder == "user") == [("user", "a", "Cell 1 fails.")]
    assert failing(lambda folder: folder == "finance") == []
    world.write("a", "11")
    assert failing(lambda _: True) == []  # not tried yet
    for outcome in (Trial(), Trial(problem="P", needs_viewer=True), Trial(problem=NO_ROOM)):
        world.write("a", f"{outcome}")
        world.outcome = outcome
        await world.shown()
        assert failing(lambda _: True) == []


async def test_what_does_not_run_is_tried_again_once_a_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.outcome = Trial(problem="Its database is away.")
    await world.shown()
    await world.shown()
    assert len(world.tried) == 1
    monkeypatch.setattr(module, "_DAY", 0.0)
    world.outcome = Trial()
    await world.shown()
    assert len(world.tried) == 2
    assert world.thumbnails.failing(lambda _: True) == []


async def test_a_full_disk_is_told_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_keep", full)
        await world.shown()
    assert world.kept == []
    await world.shown()
    assert world.tried == ["user/a", "user/a"]
    assert world.kept == [b"one", b"two"]
