"""Unix ids are given once; the start says in one line why there are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from hub_extensions import settings
from hub_extensions.accounts import unix_accounts
from hub_extensions.accounts.unix_accounts import Isolation, NoIdLeft, id_of, isolation, make_home

IDS = range(70_000, 70_003)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    homes = tmp_path / "state" / "people"
    homes.mkdir(parents=True)
    return homes


def given(tmp_path: Path, ids: tuple[int, int] | None = (70_000, 70_010)) -> settings.Settings:
    return settings.Settings(unix_uids=ids, notebooks=tmp_path)


def test_each_owner_keeps_an_id_of_its_own(db: Session, homes: Path) -> None:
    assert id_of(db, "server 1-x", IDS, homes) == 70_000
    assert id_of(db, "server 1-x-admin", IDS, homes) == 70_001
    assert id_of(db, "server 1-x", IDS, homes) == 70_000


def test_an_id_is_not_given_twice_and_the_last_is_the_last(db: Session, homes: Path) -> None:
    for number in range(3):
        id_of(db, f"server {number}", IDS, homes)
    with pytest.raises(NoIdLeft):
        id_of(db, "server 3", IDS, homes)


def test_another_range_gives_another_id(db: Session, homes: Path) -> None:
    id_of(db, "server 1", IDS, homes)
    assert id_of(db, "server 1", range(80_000, 80_003), homes) == 80_000


@as_root
def test_an_id_that_a_home_shows_is_not_given_again(db: Session, homes: Path) -> None:
    (homes / "of a database before the backup").mkdir()
    os.chown(homes / "of a database before the backup", 70_001, 70_001)
    assert id_of(db, "server 1", IDS, homes) == 70_002


@as_root
def test_a_home_is_its_accounts_alone_and_is_not_handed_on(homes: Path) -> None:
    make_home(homes / "1", 70_000)
    (homes / "1" / "mine").touch()
    make_home(homes / "1", 70_000)
    assert (homes / "1" / "mine").exists()
    make_home(homes / "1", 70_001)
    status = (homes / "1").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (70_001, 70_001, 0o700)
    assert list((homes / "1").iterdir()) == []


def test_what_is_not_isolated_is_said_in_one_line(tmp_path: Path, homes: Path) -> None:
    line = isolation(given(tmp_path, None), homes).line
    assert line.startswith("Not isolated")
    assert "ATRIUM_UNIX_UIDS is off" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("line", "file"), [("ann:x:70005:70005::/:", "passwd"), ("bob:65536:65536", "subuid")]
)
def test_ids_that_are_somebodys_are_not_used(
    tmp_path: Path, homes: Path, monkeypatch: pytest.MonkeyPatch, line: str, file: str
) -> None:
    monkeypatch.setattr(unix_accounts, "ACCOUNTS", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / file).write_text(f"# a comment\n\n{line}\n")
    found = isolation(given(tmp_path), homes)
    assert found == Isolation(obstacle=f"ATRIUM_UNIX_UIDS has ids that are {line[:3]}'s")


def test_another_account_of_the_hub_is_no_root(
    tmp_path: Path, homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "not started by root" in isolation(given(tmp_path), homes).line
