"""A guarded folder lets in who is wanted, and keeps what the operator has given."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from hub_extensions.accounts import access_lists
from hub_extensions.accounts.access_lists import NOTHING, READ, group, guard, let_in, read, user

OURS = range(70_000, 70_100)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux keeps lists this way")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "finance"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def named(folder: Path) -> dict[tuple[int, int], int]:
    """The entries of accounts and groups."""
    return {who: rights for who, rights in read(folder).items() if who[1] != 0xFFFFFFFF}


def test_others_are_shut_out_and_the_owner_stays(folder: Path) -> None:
    guard(folder, {}, OURS)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_who_is_wanted_gets_in_beside_those_who_were_there(folder: Path) -> None:
    guard(folder, {group(70_001): READ}, OURS)
    guard(folder, {user(70_002): NOTHING}, OURS)
    guard(folder, {group(70_001): READ, user(70_003): READ}, OURS)
    assert named(folder) == {group(70_001): READ, user(70_002): NOTHING, user(70_003): READ}
    guard(folder, {group(70_001): READ, user(70_003): None}, OURS)
    assert user(70_003) not in named(folder)
    assert stat.S_IMODE(folder.stat().st_mode) & 0o007 == 0


def test_a_copy_of_another_folder_does_not_bring_its_readers(folder: Path) -> None:
    guard(folder, {group(70_001): READ, group(12): READ}, OURS)
    guard(folder, {group(70_009): READ}, OURS)
    assert named(folder) == {group(70_009): READ, group(12): READ}


def test_a_place_lets_in_our_ids_to_read_and_nobody_else(folder: Path, tmp_path: Path) -> None:
    guard(folder, {group(70_001): 0o7, user(70_002): NOTHING, user(12): 0o7}, OURS)
    place = tmp_path / "place"
    place.mkdir()
    let_in(place, read(folder), OURS)
    assert named(place) == {group(70_001): READ, user(70_002): NOTHING}
    assert stat.S_IMODE(place.stat().st_mode) == 0o750  # the group's part shows the mask
    let_in(place, {}, OURS)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_folder_that_somebody_opens_again_is_shut_again(folder: Path) -> None:
    guard(folder, {group(70_001): READ}, OURS)
    folder.chmod(0o777)
    guard(folder, {group(70_001): READ}, OURS)
    assert stat.S_IMODE(folder.stat().st_mode) & 0o007 == 0


def test_nothing_is_written_where_nothing_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard(folder, {group(70_001): READ}, OURS)
    monkeypatch.setattr(access_lists, "write", lambda *_: pytest.fail("written"))
    guard(folder, {group(70_001): READ}, OURS)


def test_a_link_in_place_of_a_folder_is_not_followed(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    link = folder / "link"
    link.symlink_to(elsewhere)
    with pytest.raises(OSError, match="link"):
        guard(link, {user(70_001): READ}, OURS)
    assert named(elsewhere) == {}


def test_the_list_is_as_the_kernel_reads_it(folder: Path) -> None:
    guard(folder, {user(os.getuid() or 70_001): READ, group(70_001): READ}, OURS)
    assert os.listxattr(folder) == ["system.posix_acl_access"]
