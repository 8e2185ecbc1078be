"""Publishing changes a folder and its versions together, or neither."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dulwich.repo import Repo

from hub_extensions.publishing import files
from hub_extensions.publishing import publishing as publishing_module
from hub_extensions.publishing import versions as versions_module
from hub_extensions.publishing.publishing import CannotPublish, Conflict, Publishing
from hub_extensions.publishing.versions import NONE, Place, Versions, content_id

ADA, BOB = "ada@acme.test", "bob@acme.test"
COSTS = Place(folder="finance", name="costs")
ONE, TWO, THREE = b'{"cells": [1]}', b'{"cells": [2]}', b'{"cells": [3]}'


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    (tmp_path / "notebooks" / "finance").mkdir(parents=True)
    return tmp_path / "notebooks"


@pytest.fixture
def publishing(notebooks: Path) -> Publishing:
    return Publishing(notebooks)


def content_of(notebooks: Path, place: Place = COSTS) -> bytes | None:
    file = notebooks / place.folder / f"{place.name}.ipynb"
    return file.read_bytes() if file.exists() else None


async def publish(
    publishing: Publishing, content: bytes, replaces: bytes | None, **more: str
) -> str:
    given: dict[str, Any] = {"by": ADA, "note": ""} | more
    written = await publishing.publish(COSTS, content, replaces=content_id(replaces), **given)
    return written.version


async def history(publishing: Publishing) -> list[tuple[str, str, str]]:
    shown = await publishing.shown(COSTS)
    return [(version.by, version.action, version.note) for version in shown.versions]


async def test_each_version_is_kept_and_comes_back(publishing: Publishing, notebooks: Path) -> None:
    first = await publish(publishing, ONE, None, note="Costs of\n\nthis year")
    await publish(publishing, TWO, ONE, by=BOB)
    assert content_of(notebooks) == TWO
    assert await history(publishing) == [
        (BOB, "published", ""),
        (ADA, "published", "Costs of\n\nthis year"),
    ]
    back = await publishing.roll_back(COSTS, first, replaces=content_id(TWO), by=BOB)
    assert content_of(notebooks) == ONE
    shown = await publishing.shown(COSTS)
    assert shown.version is not None
    assert shown.version.id == back.version
    assert shown.version.action == "rolled back"
    await publishing.remove(COSTS, replaces=content_id(ONE), by=ADA)
    assert content_of(notebooks) is None
    assert (await publishing.content(COSTS, first))[1] == ONE
    await publishing.roll_back(COSTS, back.version, replaces=NONE, by=ADA)
    assert content_of(notebooks) == ONE
    mode = (notebooks / "finance" / "costs.ipynb").stat().st_mode & 0o777
    assert (mode, (notebooks / ".versions.git").stat().st_mode & 0o777) == (0o644, 0o700)


async def test_git_itself_reads_the_repository(publishing: Publishing, notebooks: Path) -> None:
    await publish(publishing, ONE, None, by="ada <x@y>\n@acme.test", note="First: \N{SNOWMAN}")
    await publish(publishing, TWO, ONE)
    git = ["git", "--git-dir", str(notebooks / ".versions.git")]
    log = subprocess.run([*git, "log", "--format=%an %s"], capture_output=True, text=True)
    assert log.stdout.splitlines() == [
        f"{ADA} finance/costs: published",
        "ada x@y@acme.test First: \N{SNOWMAN}",
    ]
    trailers = [*git, "log", "-1", "--format=%(trailers:key=Dashboard,valueonly)"]
    assert subprocess.run(trailers, capture_output=True, text=True).stdout.strip() == "costs"
    assert subprocess.run([*git, "fsck", "--strict"], capture_output=True).returncode == 0
    # An operator who packs it loses nothing.
    assert subprocess.run([*git, "gc", "-q"], capture_output=True).returncode == 0
    await publish(publishing, THREE, TWO)
    assert len(await history(publishing)) == 3
    assert subprocess.run([*git, "fsck", "--strict"], capture_output=True).returncode == 0


async def test_what_was_put_there_by_hand_is_kept_first(
    publishing: Publishing, notebooks: Path
) -> None:
    (notebooks / "finance" / "costs.ipynb").write_bytes(ONE)
    await publish(publishing, TWO, ONE)
    (notebooks / "finance" / "costs.ipynb").write_bytes(THREE)
    assert (await publishing.shown(COSTS)).version is None
    await publishing.remove(COSTS, replaces=content_id(THREE), by=BOB)
    assert [action for _, action, _ in await history(publishing)] == [
        "removed",
        "found in the folder",
        "published",
        "found in the folder",
    ]
    found = (await publishing.shown(COSTS)).versions[1]
    assert (await publishing.content(COSTS, found.id))[1] == THREE


async def test_of_two_at_once_the_second_is_told_of_the_first(
    publishing: Publishing, notebooks: Path
) -> None:
    outcomes = await asyncio.gather(
        publish(publishing, ONE, None, by=ADA),
        publish(publishing, TWO, None, by=BOB),
        return_exceptions=True,
    )
    (conflict,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert isinstance(conflict, Conflict)
    winner, content = (ADA, ONE) if outcomes[1] is conflict else (BOB, TWO)
    assert str(conflict).startswith(f"{winner} has published finance/costs meanwhile")
    assert (conflict.status, conflict.present) == (409, content_id(content))
    assert content_of(notebooks) == content
    assert len(await history(publishing)) == 1


async def test_what_somebody_put_there_meanwhile_is_not_replaced(
    publishing: Publishing, notebooks: Path
) -> None:
    await publish(publishing, ONE, None)
    (notebooks / "finance" / "costs.ipynb").write_bytes(TWO)
    with pytest.raises(Conflict, match="by hand"):
        await publish(publishing, THREE, ONE)
    with pytest.raises(CannotPublish, match="nothing would change"):
        await publish(publishing, TWO, TWO)
    assert content_of(notebooks) == TWO
    (notebooks / "finance" / "costs.ipynb").unlink()
    with pytest.raises(Conflict, match="taken it away by hand"):
        await publish(publishing, THREE, TWO)
    await publish(publishing, THREE, None)
    assert content_of(notebooks) == THREE


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("where", ["file", "commit", "announcement"])
async def test_a_full_disk_changes_nothing(
    number: int,
    where: str,
    publishing: Publishing,
    notebooks: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await publish(publishing, ONE, None)

    def full(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    with monkeypatch.context() as patch:
        if where == "file":
            patch.setattr(files, "_give_away", full)
        else:
            patch.setattr(Versions, {"commit": "keep", "announcement": "begin"}[where], full)
        said = "cannot be written" if number == errno.EIO else "no room left"
        with pytest.raises(CannotPublish, match=said):
            await publish(publishing, TWO, ONE)
    assert content_of(notebooks) == ONE
    assert os.listdir(notebooks / "finance") == ["costs.ipynb"]
    assert len(await history(publishing)) == 1
    await publish(publishing, TWO, ONE)
    assert len(await history(publishing)) == 2


async def test_a_file_that_grows_too_large_for_the_system_changes_nothing(
    publishing: Publishing, notebooks: Path
) -> None:
    """A real limit of the system's, as a quota is: it is met in the middle of a file."""
    await publish(publishing, ONE, None)
    large = json.dumps({"cells": [os.urandom(200_000).hex()]}).encode()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for most in (100_000, 300_000):  # in the repository, and after it in the folder
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
            with pytest.raises(CannotPublish, match="no room left"):
                await publish(publishing, large, ONE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert content_of(notebooks) == ONE
    assert os.listdir(notebooks / "finance") == ["costs.ipynb"]
    await publish(publishing, large, ONE)
    git = ["git", "--git-dir", str(notebooks / ".versions.git"), "fsck", "--strict"]
    assert subprocess.run(git, capture_output=True).returncode == 0
    assert len(await history(publishing)) == 2


KILLED_HUB = """
import asyncio, os, signal, sys
from pathlib import Path
from hub_extensions.publishing import files
from hub_extensions.publishing.publishing import Publishing
from hub_extensions.publishing.versions import Place, Versions, content_id
def end(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
where = {"rename": (files, "_give_away"), "done": (Versions, "done")}[sys.argv[2]]
setattr(*where, end)
asyncio.run(Publishing(Path(sys.argv[1])).publish(
    Place(folder="finance", name="costs"), b'{"cells": [2]}',
    replaces=content_id(b'{"cells": [1]}'), by="bob@acme.test", note=""))
"""


@pytest.mark.long
@pytest.mark.parametrize(("where", "shown"), [("rename", ONE), ("done", TWO)])
async def test_a_hub_that_is_killed_has_published_or_has_not(
    where: str, shown: bytes, publishing: Publishing, notebooks: Path
) -> None:
    await publish(publishing, ONE, None)
    command = [sys.executable, "-c", KILLED_HUB, str(notebooks), where]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    assert content_of(notebooks) == shown
    after = Publishing(notebooks)
    now = await after.shown(COSTS)
    assert now.version is not None
    assert (now.version.content, now.version.by) == (
        content_id(shown),
        ADA if shown == ONE else BOB,
    )
    await publish(after, THREE, shown)
    assert len(await history(after)) == len(now.versions) + 1
    assert os.listdir(notebooks / "finance") == ["costs.ipynb"]


async def test_a_version_that_cannot_be_counted_is_counted_later(
    publishing: Publishing, notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub ends, or its disk is full, when the folder has the notebook already."""
    await publish(publishing, ONE, None)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Versions, "done", full)
        commit = await publish(publishing, TWO, ONE, by=BOB)
    assert content_of(notebooks) == TWO
    (notebooks / ".versions.git" / "refs" / "heads" / "main.lock").touch()  # killed in the middle
    shown = await Publishing(notebooks).shown(COSTS)
    assert shown.version is not None
    assert (shown.version.id, shown.version.by) == (commit, BOB)


async def test_a_hub_that_is_killed_before_the_rename_has_published_nothing(
    publishing: Publishing, notebooks: Path
) -> None:
    await publish(publishing, ONE, None)
    versions = Versions(notebooks)
    versions.begin(versions.keep(COSTS, TWO, "published", BOB))
    versions.close()
    (notebooks / "finance" / ".publishing-0123").write_bytes(TWO[:5])
    costs = notebooks / "finance" / "costs.ipynb"
    costs.rename(costs.with_name("kept"))
    costs.symlink_to("/etc/passwd")  # which keeps nobody from anything but this dashboard
    other = Place(folder="finance", name="other")
    after = Publishing(notebooks)
    await after.publish(other, ONE, replaces=NONE, by=ADA, note="")
    await after.remove(other, replaces=content_id(ONE), by=ADA)
    costs.with_name("kept").replace(costs)
    assert (await after.shown(COSTS)).present == content_id(ONE)
    assert len(await history(after)) == 1
    await publish(after, THREE, ONE)
    assert [by for by, _, _ in await history(after)] == [ADA, ADA]
    assert os.listdir(notebooks / "finance") == ["costs.ipynb"]
    with Repo(notebooks / ".versions.git") as repo:
        assert b"refs/atrium/pending" not in repo.refs.allkeys()


async def test_a_lock_of_an_operators_git_is_left_alone(
    publishing: Publishing, notebooks: Path
) -> None:
    await publish(publishing, ONE, None)
    await publish(publishing, TWO, ONE)
    lock = notebooks / ".versions.git" / "refs" / "heads" / "main.lock"
    lock.touch()
    await publish(publishing, THREE, TWO)
    assert lock.exists()
    lock.unlink()
    assert len(await history(publishing)) == 3


@pytest.mark.parametrize("planted", ["link to a file", "link to nothing", "folder", "pipe"])
async def test_nothing_but_a_file_is_read_or_replaced(
    planted: str, publishing: Publishing, notebooks: Path
) -> None:
    secret = notebooks.parent / "secret"
    secret.write_bytes(b"of the hub")
    place = notebooks / "finance" / "costs.ipynb"
    match planted:
        case "link to a file":
            place.symlink_to(secret)
        case "link to nothing":
            place.symlink_to(notebooks.parent / "new")
        case "folder":
            place.mkdir()
        case _:
            os.mkfifo(place)
    with pytest.raises(CannotPublish, match="no notebook, but a link or something else"):
        await publish(publishing, ONE, None)
    with pytest.raises(CannotPublish, match="no notebook"):
        await publishing.shown(COSTS)
    assert secret.read_bytes() == b"of the hub"
    assert not (notebooks.parent / "new").exists()


async def test_what_is_too_large_to_be_kept_is_not_replaced(
    publishing: Publishing, notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(publishing, ONE, None)
    monkeypatch.setattr(files, "_LARGEST", len(ONE) - 1)
    with pytest.raises(CannotPublish, match="has more than 0 MB"):
        await publish(publishing, TWO, ONE)
    assert content_of(notebooks) == ONE


@pytest.mark.parametrize("how", ["not for all", "another name"])
async def test_with_accounts_what_is_not_for_all_is_neither_shown_nor_taken_over(
    how: str, notebooks: Path
) -> None:
    """The hub may read what who put it there may not: it would be in the versions for good."""
    place = notebooks / "finance" / "costs.ipynb"
    place.write_bytes(ONE)
    if how == "not for all":
        place.chmod(0o640)
    else:
        os.link(place, notebooks.parent / "another")
    publishing = Publishing(notebooks, has_accounts=True)
    for work in (
        publishing.present(COSTS),
        publishing.shown(COSTS),
        publish(publishing, TWO, ONE),
        publishing.remove(COSTS, replaces=content_id(ONE), by=ADA),
    ):
        with pytest.raises(CannotPublish, match="not for all who see the folder"):
            await work
    assert content_of(notebooks) == ONE
    assert not (notebooks / ".versions.git").exists()
    await publish(Publishing(notebooks), TWO, ONE)  # one account: who writes it could read it
    await publish(publishing, THREE, TWO)  # and what was published is for all


async def test_a_right_that_is_gone_when_the_turn_comes_changes_nothing(
    publishing: Publishing, notebooks: Path
) -> None:
    await publish(publishing, ONE, None)
    first = (await publishing.shown(COSTS)).versions[0].id

    def gone() -> None:
        raise CannotPublish("Not any more.", 403)

    more = {"replaces": content_id(ONE), "by": ADA, "ask_again": gone}
    for work in (
        publishing.publish(COSTS, TWO, note="", **more),
        publishing.roll_back(COSTS, first, **more),
        publishing.remove(COSTS, **more),
    ):
        with pytest.raises(CannotPublish, match="Not any more"):
            await work
    assert content_of(notebooks) == ONE
    assert len(await history(publishing)) == 1


async def test_who_waits_for_a_folder_keeps_nobody_from_the_common_threads(
    publishing: Publishing,
) -> None:
    go_on = threading.Event()
    waiting = [asyncio.create_task(publishing._alone(go_on.wait)) for _ in range(100)]
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 5) == "free"
    finally:
        go_on.set()
        await asyncio.gather(*waiting)


async def test_on_a_disk_that_is_almost_full_nothing_is_published(
    publishing: Publishing, notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(publishing, ONE, None)
    for total, free in ((10**9, 199_000_000), (10**11, 1_900_000_000)):
        with monkeypatch.context() as patch:
            usage = SimpleNamespace(total=total, free=free)
            patch.setattr(publishing_module.shutil, "disk_usage", lambda _, usage=usage: usage)
            with pytest.raises(CannotPublish, match="Too little of the disk") as refused:
                await publish(publishing, TWO, ONE)
            assert refused.value.status == 507
    assert content_of(notebooks) == ONE
    await publish(publishing, TWO, ONE)


async def test_versions_are_looked_for_among_the_newest(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(publishing, ONE, None)
    await publish(publishing, TWO, ONE)
    other = Place(folder="finance", name="other")
    await publishing.publish(other, ONE, replaces=NONE, by=ADA, note="")
    assert len(await history(publishing)) == 2
    monkeypatch.setattr(versions_module, "_FURTHEST", 2)
    assert len(await history(publishing)) == 1
    monkeypatch.setattr(versions_module, "_FURTHEST", 1)
    assert await history(publishing) == []
    await publish(publishing, THREE, TWO)


async def test_a_folder_that_is_a_link_is_not_written_through(
    publishing: Publishing, notebooks: Path
) -> None:
    outside = notebooks.parent / "outside"
    outside.mkdir()
    (notebooks / "sales").symlink_to(outside)
    with pytest.raises(CannotPublish, match="The folder sales is a link"):
        await publishing.publish(
            Place(folder="sales", name="x"), ONE, replaces=NONE, by=ADA, note=""
        )
    assert os.listdir(outside) == []


async def test_a_repository_that_is_not_the_hubs_is_not_used(
    publishing: Publishing, notebooks: Path
) -> None:
    (notebooks / ".versions.git").symlink_to(notebooks.parent)
    with pytest.raises(CannotPublish, match="cannot be written"):
        await publish(publishing, ONE, None)
    assert content_of(notebooks) is None


async def test_a_folder_is_made_and_a_name_may_be_any(
    publishing: Publishing, notebooks: Path
) -> None:
    place = Place(folder="Größe & Co", name="<b>x ü' \"%2e")
    await publishing.publish(place, ONE, replaces=NONE, by=ADA, note="Folder: x\nAction: y")
    assert content_of(notebooks, place) == ONE
    (version,) = (await publishing.shown(place)).versions
    assert (version.action, version.note) == ("published", "Folder: x\nAction: y")
    assert (notebooks / place.folder).stat().st_mode & 0o007 == 0
    too_long = Place(folder="finance", name="ü" * 200)
    with pytest.raises(CannotPublish, match="too long"):
        await publishing.publish(too_long, ONE, replaces=NONE, by=ADA, note="")
