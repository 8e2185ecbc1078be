"""Data files beside a notebook: what they can be called, and what is done to the folder."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub_extensions.publishing import data_files, files
from hub_extensions.publishing.data_files import NoDataFile
from hub_extensions.publishing.publishing import CannotPublish, Conflict, Publishing
from hub_extensions.publishing.versions import NONE, Place, Versions

ADA, BOB = "ada@acme.test", "bob@acme.test"
COSTS, SALES = Place(folder="finance", name="costs"), Place(folder="finance", name="sales")
ONE, TWO, THREE = b'{"cells": [1]}', b'{"cells": [2]}', b'{"cells": [3]}'
HOSTILE = {
    "nothing": "",
    "absolute": "/etc/passwd",
    "above": "../costs.csv",
    "above, within": "a/../../costs.csv",
    "here": "./a.csv",
    "doubled": "a//b.csv",
    "a folder": "a/",
    "hidden": ".env",
    "hidden folder": ".versions.git/config",
    "hidden, below": "a/.publishing-0123",
    "backslash": "..\\costs.csv",
    "NUL": "a.csv\0.txt",
    "line": "a\nb.csv",
    "turned round": "a\u202evsc.csv",
    "zero width": "a\u200b.csv",
    "no text": "a\udcff.csv",
    "blank first": " a.csv",
    "long": "x" * 256,
    "long, in bytes": "\N{SNOWMAN}" * 86,
    "long in all": "/".join(["x" * 60] * 6),
    "deep": "/".join("abcdefghi"),
    "a notebook": "other.ipynb",
    "a notebook, written otherwise": "OTHER.IPYN\uff22",
    "in a notebook": "other.ipynb/a.csv",
    "compiled code": "__pycache__/helpers.cpython-312.pyc",
    "compiled code, below": "a/__PYCACHE__/x.pyc",
    "git's own, in short": "GIT~1/config",
}


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    (tmp_path / "notebooks" / "finance").mkdir(parents=True)
    return tmp_path / "notebooks"


@pytest.fixture
def folder(notebooks: Path) -> Path:
    return notebooks / "finance"


@pytest.fixture
def publishing(notebooks: Path) -> Publishing:
    return Publishing(notebooks)


async def publish(
    publishing: Publishing,
    content: bytes,
    data: dict[str, bytes],
    place: Place = COSTS,
    **more: str,
) -> str:
    """Publish over what is there."""
    present = (await publishing.shown(place)).present
    given: dict[str, Any] = {"by": ADA, "note": "", "replaces": present, "data": data} | more
    return (await publishing.publish(place, content, **given)).version


async def kinds(publishing: Publishing, data: dict[str, bytes]) -> dict[str, str]:
    compared = await publishing.compared(COSTS, data)
    assert compared.problem == ""
    return {change.name: change.kind for change in compared.data}


def what_is_in(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if not path.is_dir()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize("which", HOSTILE)
def test_what_is_no_name_of_a_data_file_is_refused(which: str) -> None:
    with pytest.raises(NoDataFile) as refused:
        data_files.check_name(HOSTILE[which])
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", ["a.csv", "lookup/regions 2026 (é).json", "helpers.py", "a.b/c"])
def test_other_names_are_names(name: str) -> None:
    data_files.check_name(name)


@pytest.mark.parametrize(
    "names",
    [
        ("a", "a/b"),
        ("a/b", "a"),
        ("Data.csv", "data.csv"),
        ("A/x", "a/y"),
        ("é.csv", "e\u0301.csv"),
    ],
)
def test_what_cannot_be_in_one_folder_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(NoDataFile, match="cannot be in one folder"):
        data_files.check_together(names)
    data_files.check_together(["a/b", "a/c", "b"])


def test_so_many_and_so_large() -> None:
    data_files.check_sizes({"a": data_files.LARGEST, "b": data_files.IN_ALL - data_files.LARGEST})
    for sizes, said in (
        ({"a.csv": data_files.LARGEST + 1}, r"a\.csv has 16\.8 MB; a data file may have 16 MB"),
        (dict.fromkeys("abc", 12_000_000), r"36\.0 MB in all; those of a dashboard may have 32"),
        ({str(number): 0 for number in range(51)}, "51 data files; a dashboard may have 50"),
    ):
        with pytest.raises(NoDataFile, match=said):
            data_files.check_sizes(sizes)


async def test_data_belongs_to_its_version_and_comes_back_with_it(
    publishing: Publishing, folder: Path, notebooks: Path
) -> None:
    early, late = {"a.csv": b"early", "lookup/r.json": b"{}"}, {"a.csv": b"late", "b.csv": b"b"}
    plain = await publish(publishing, ONE, {})
    first = await publish(publishing, ONE, early)
    assert what_is_in(folder) == {"costs.ipynb": ONE} | early
    assert await kinds(publishing, late) == {"a.csv": "changed", "b.csv": "added"}
    await publish(publishing, TWO, late, by=BOB)
    assert what_is_in(folder) == {"costs.ipynb": TWO} | early | late  # what is not given stays
    shown = await publishing.shown(COSTS)
    assert shown.version
    assert shown.data == ("a.csv", "b.csv", "lookup/r.json")
    changes = await publishing.data(COSTS, shown.version.id, first)
    told = [(change.name, change.kind, change.before, change.after) for change in changes]
    assert told == [("a.csv", "changed", 5, 4), ("b.csv", "added", 0, 1)]
    git = ["git", "--git-dir", str(notebooks / ".versions.git")]
    path = "main:finance/costs.data/lookup/r.json"
    assert subprocess.run([*git, "show", path], capture_output=True).stdout == b"{}"
    assert subprocess.run([*git, "fsck", "--strict"], capture_output=True).returncode == 0

    back = await publishing.roll_back(COSTS, first, replaces=shown.present, by=ADA)
    assert back.files == ("a.csv", "b.csv")  # the one as it was, the other gone
    assert what_is_in(folder) == {"costs.ipynb": ONE} | early
    present = (await publishing.shown(COSTS)).present
    await publishing.roll_back(COSTS, plain, replaces=present, by=ADA)
    assert os.listdir(folder) == ["costs.ipynb"]  # nor a folder that is empty
    present = (await publishing.shown(COSTS)).present
    await publishing.roll_back(COSTS, first, replaces=present, by=ADA)
    present = (await publishing.shown(COSTS)).present
    gone = await publishing.remove(COSTS, replaces=present, by=ADA)
    assert gone.files == ("a.csv", "lookup/r.json")
    assert os.listdir(folder) == []
    await publishing.roll_back(COSTS, first, replaces=NONE, by=ADA)
    assert what_is_in(folder) == {"costs.ipynb": ONE} | early
    versions = (await publishing.shown(COSTS)).versions
    assert [version.action for version in versions].count("rolled back") == 4
    mode = (folder / "lookup").stat().st_mode & 0o777
    assert (mode, (folder / "a.csv").stat().st_mode & 0o777) == (0o755, 0o644)


async def test_of_two_who_change_nothing_but_data_the_second_is_told(
    publishing: Publishing, folder: Path
) -> None:
    await publish(publishing, ONE, {"a.csv": b"1"})
    known = (await publishing.shown(COSTS)).present
    with pytest.raises(CannotPublish, match="nothing would change"):
        await publish(publishing, ONE, {"a.csv": b"1"})
    await publish(publishing, ONE, {"a.csv": b"2"}, by=BOB)
    with pytest.raises(Conflict, match=f"{BOB} has published"):
        await publish(publishing, ONE, {"a.csv": b"3"}, replaces=known)
    assert (folder / "a.csv").read_bytes() == b"2"


async def test_what_somebody_has_put_there_is_not_overwritten_and_stays_theirs(
    publishing: Publishing, folder: Path
) -> None:
    (folder / "a.csv").write_bytes(b"by hand")
    before = what_is_in(folder)
    said = "another a.csv, which somebody has put there by hand. Give"
    assert said in (await publishing.compared(COSTS, {"a.csv": b"mine"})).problem
    with pytest.raises(CannotPublish, match="somebody has put there by hand"):
        await publish(publishing, ONE, {"a.csv": b"mine"})
    assert what_is_in(folder) == before
    assert await kinds(publishing, {"a.csv": b"by hand"}) == {"a.csv": "unchanged"}
    await publish(publishing, ONE, {"a.csv": b"by hand"})
    with pytest.raises(CannotPublish, match="by hand"):  # the same content makes it nobody's own
        await publish(publishing, ONE, {"a.csv": b"mine"})
    present = (await publishing.shown(COSTS)).present
    await publishing.remove(COSTS, replaces=present, by=ADA)
    assert what_is_in(folder) == before


async def test_what_was_changed_by_hand_since_is_left_alone(
    publishing: Publishing, folder: Path
) -> None:
    first = await publish(publishing, ONE, {"a.csv": b"1"})
    await publish(publishing, TWO, {"a.csv": b"2"})
    (folder / "a.csv").write_bytes(b"nightly")
    present = (await publishing.shown(COSTS)).present
    with pytest.raises(CannotPublish, match="by hand, since it was published from here"):
        await publish(publishing, THREE, {"a.csv": b"3"})
    with pytest.raises(CannotPublish, match="by hand, since"):
        await publishing.roll_back(COSTS, first, replaces=present, by=ADA)
    await publish(publishing, THREE, {})
    present = (await publishing.shown(COSTS)).present
    await publishing.remove(COSTS, replaces=present, by=ADA)
    assert what_is_in(folder) == {"a.csv": b"nightly"}


async def test_what_came_with_another_dashboard_is_not_overwritten_or_taken_away(
    publishing: Publishing, folder: Path
) -> None:
    await publish(publishing, ONE, {"a.csv": b"shared"})
    with pytest.raises(CannotPublish, match=r"a\.csv came with costs, with other content"):
        await publish(publishing, ONE, {"a.csv": b"mine"}, SALES)
    await publish(publishing, ONE, {"a.csv": b"shared"}, SALES)
    with pytest.raises(CannotPublish, match=r"a\.csv came with sales"):
        await publish(publishing, TWO, {"a.csv": b"mine"})
    (folder / "a.csv").unlink()  # by hand: what the others need must not become another
    with pytest.raises(CannotPublish, match=r"a\.csv came with sales"):
        await publish(publishing, TWO, {"a.csv": b"mine"})
    await publish(publishing, TWO, {"a.csv": b"shared"})
    present = (await publishing.shown(COSTS)).present
    await publishing.remove(COSTS, replaces=present, by=ADA)
    assert (folder / "a.csv").read_bytes() == b"shared"
    await publish(publishing, TWO, {"a.csv": b"mine"}, SALES)  # it is theirs alone now
    assert (folder / "a.csv").read_bytes() == b"mine"


@pytest.mark.parametrize("planted", ["link", "link to a folder", "folder", "file", "pipe", "case"])
async def test_nothing_is_written_through_or_over_what_is_no_file(
    planted: str, publishing: Publishing, folder: Path
) -> None:
    outside = folder.parent.parent / "outside"
    outside.mkdir()
    secret = outside / "a.csv"
    secret.write_bytes(b"of the hub")
    name, said = "a.csv", "a link or something else"
    match planted:
        case "link":
            (folder / "a.csv").symlink_to(secret)
        case "link to a folder":
            (folder / "lookup").symlink_to(outside)
            name, said = "lookup/a.csv", "What is called lookup there is no folder"
        case "folder":
            (folder / "a.csv").mkdir()
        case "file":
            (folder / "lookup").write_bytes(b"")
            name, said = "lookup/a.csv", "What is called lookup there is no folder"
        case "pipe":
            os.mkfifo(folder / "a.csv")
        case _:
            (folder / "A.csv").write_bytes(b"another")
            said = "A.csv, which is nearly the same"
    for content in (b"mine", secret.read_bytes()):
        assert said in (await publishing.compared(COSTS, {name: content})).problem
        with pytest.raises(CannotPublish, match=said):
            await publish(publishing, ONE, {name: content})
    assert secret.read_bytes() == b"of the hub"
    assert os.listdir(outside) == ["a.csv"]
    assert not (folder / "costs.ipynb").exists()


@pytest.mark.parametrize("how", ["not for all", "another name", "folder"])
async def test_with_accounts_what_is_not_for_all_is_neither_compared_nor_replaced(
    how: str, notebooks: Path, folder: Path
) -> None:
    """Else the answer would say whether somebody knows what is in it."""
    place = folder / "lookup" / "a.csv"
    place.parent.mkdir()
    place.write_bytes(b"of another")
    if how == "not for all":
        place.chmod(0o640)
    elif how == "another name":
        os.link(place, notebooks.parent / "another")
    else:
        place.parent.chmod(0o750)
    publishing = Publishing(notebooks, has_accounts=True)
    problems = [
        (await publishing.compared(COSTS, {"lookup/a.csv": content})).problem
        for content in (b"of another", b"mine")
    ]
    assert "not for all who see the folder" in problems[0]
    assert problems[0] == problems[1]


async def test_what_stays_counts_among_what_there_may_be(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "IN_ALL", 10)
    await publish(publishing, ONE, {"a.csv": b"x" * 6})
    with pytest.raises(CannotPublish, match="in all"):
        await publish(publishing, ONE, {"b.csv": b"x" * 6})
    with pytest.raises(CannotPublish, match="cannot be in one folder"):
        await publish(publishing, ONE, {"a.csv/b": b"x"})
    await publish(publishing, ONE, {"a.csv": b"x" * 5, "b.csv": b"x" * 5})


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("where", ["written", "renamed"])
async def test_a_disk_that_is_full_in_the_middle_changes_nothing(
    where: str,
    at: int,
    number: int,
    publishing: Publishing,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await publish(publishing, ONE, {"a.csv": b"1"})
    before = what_is_in(folder)
    module, name = (files, "_give_away") if where == "written" else (files.os, "rename")
    real, calls = getattr(module, name), iter(range(100))

    def full(*given: Any, **more: Any) -> Any:
        if next(calls) == at:
            raise OSError(number, "no")
        return real(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, full)
        with pytest.raises(CannotPublish, match=r"no room left|cannot be written"):
            await publish(publishing, TWO, {"a.csv": b"2", "lookup/b.csv": b"b"})
    assert what_is_in(folder) == before
    assert sorted(os.listdir(folder)) == ["a.csv", "costs.ipynb"]
    assert len((await publishing.shown(COSTS)).versions) == 1
    await publish(publishing, TWO, {"a.csv": b"2", "lookup/b.csv": b"b"})


KILLED_HUB = """
import asyncio, os, signal, sys
from pathlib import Path
from hub_extensions.publishing import files
from hub_extensions.publishing.publishing import Publishing
from hub_extensions.publishing.versions import Place, Versions
rename, calls = os.rename, iter(range(9))
def end(*given, **more):
    if next(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*given, **more)
if sys.argv[2] == "3":
    Versions.done = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
os.rename = end
publishing, place = Publishing(Path(sys.argv[1])), Place(folder="finance", name="costs")
async def publish():
    present = (await publishing.shown(place)).present
    await publishing.publish(place, b'{"cells": [2]}', replaces=present, by="bob", note="",
        data={"a.csv": b"2", "lookup/b.csv": b"b"})
asyncio.run(publish())
"""


@pytest.mark.long
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_a_hub_that_is_killed_has_published_all_or_nothing(
    at: int, publishing: Publishing, folder: Path, notebooks: Path
) -> None:
    await publish(publishing, ONE, {"a.csv": b"1"})
    before = what_is_in(folder)
    command = [sys.executable, "-c", KILLED_HUB, str(notebooks), str(at)]
    assert subprocess.run(command, capture_output=True).returncode == -signal.SIGKILL
    after = Publishing(notebooks)
    shown = await after.shown(COSTS)
    assert shown.version
    if at == 3:
        assert (shown.version.by, len(shown.versions)) == ("bob", 2)
    else:
        assert (shown.version.by, len(shown.versions)) == (ADA, 1)
    await publish(after, THREE, {"a.csv": b"3"})
    more = {"lookup/b.csv": b"b"} if at == 3 else {}
    assert what_is_in(folder) == before | {"costs.ipynb": THREE, "a.csv": b"3"} | more
    assert sorted(os.listdir(folder)) == ["a.csv", "costs.ipynb", *(["lookup"] if more else [])]


async def test_what_was_to_go_goes_when_the_hub_comes_back(
    publishing: Publishing, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed when the notebook was in its place, and before the rest was gone."""
    await publish(publishing, ONE, {})
    await publish(publishing, TWO, {"lookup/a.csv": b"1"})
    present = (await publishing.shown(COSTS)).present

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Versions, "done", killed)
        patch.setattr("hub_extensions.publishing.data_of.DataOf.take_away", killed)
        with pytest.raises(KeyboardInterrupt):
            publishing._settled(
                lambda: publishing._change(COSTS, ONE, "rolled back", present, ADA, "")
            )
    assert (folder / "lookup" / "a.csv").exists()
    shown = await publishing.shown(COSTS)
    assert shown.version
    assert (shown.version.action, shown.data) == ("rolled back", ())
    assert os.listdir(folder) == ["costs.ipynb"]
