"""A Unix account for each person's server, where the hub runs as root and can give one.

An account is a number from a range that is the hub's alone: it needs no line in /etc/passwd, has
nothing but its home, and is never given twice.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from jupyterhub import orm
from sqlalchemy import Unicode, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from ..folders import audiences
from ..settings import Settings
from . import access_lists

#: What an account can use up; memory is the spawner's `mem_limit`.
LIMITS: Final = {
    resource.RLIMIT_NPROC: 512,  # processes and threads, of all that this account runs
    resource.RLIMIT_NOFILE: 4096,
    resource.RLIMIT_FSIZE: 4 * 1024**3,
}
#: Where this machine's own accounts stand.
ACCOUNTS: Final = Path("/etc")
_PROBE: Final = """
import os, sys
from importlib.util import find_spec
for name in ("dashboards", "jupyterhub", "panel"):
    if find_spec(name) is None:
        sys.exit(f"cannot read the package {name}")
for path in sys.argv[1:]:
    if not os.access(path, os.X_OK if os.path.isdir(path) else os.R_OK):
        sys.exit(f"cannot read {path}")
"""
_PROBE_SECONDS: Final = 10


class UnixId(orm.Base):
    """A Unix id and whom it was given to. Rows stay when the person goes."""

    __tablename__ = "atrium_unix_ids"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    owner: Mapped[str] = mapped_column(Unicode(300), index=True)


class NoIdLeft(Exception):
    """Every id of the range has been given away."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Under what a server runs. `groups`: those of the folders that it could read at its start."""

    uid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """Whether people's servers get accounts: the range of them, or why there is none."""

    ids: range | None = None
    obstacle: str = ""

    @property
    def line(self) -> str:
        """What the terminal says about it."""
        if self.ids:
            return f"Isolated: each server has a Unix account of its own, from {self.ids[0]} on"
        return (
            f"Not isolated: people's servers run under the hub's own account, as {self.obstacle};"
            " so let nobody write notebooks whom you would not give it"
        )


def isolation(given: Settings, homes: Path) -> Isolation:
    """Find out, by trying, whether this machine lets each server have an account of its own.

    Where it does, the homes below the state folder can be reached from now on, and the folders of
    notebooks cannot be read by others. Nothing fails where it does not.

    Args:
        homes: the folder of homes, in the state folder.
    """
    ids = given.unix_ids
    if ids is None:
        return Isolation(obstacle="ATRIUM_UNIX_UIDS is off")
    if not sys.platform.startswith("linux"):
        return Isolation(obstacle="only Linux can do that")
    if os.geteuid() != 0:
        return Isolation(obstacle="the hub was not started by root")
    if name := _holder(ids):
        return Isolation(obstacle=f"ATRIUM_UNIX_UIDS has ids that are {name}'s")
    try:
        _make_way(homes)
        access_lists.write(given.notebooks, access_lists.read(given.notebooks))  # whether it could
        for folder in audiences(given.notebooks):
            access_lists.guard(folder, {})
    except OSError as error:
        return Isolation(obstacle=f"the rights of {error.filename} cannot be set")
    read_by_all = [given.notebooks, homes, *([given.data] if given.data else [])]
    if obstacle := _try_account(ids[0], read_by_all):
        return Isolation(obstacle=obstacle)
    return Isolation(ids=ids)


def id_of(db: Session, owner: str, ids: range, homes: Path) -> int:
    """The Unix id of a server or a folder; the next one that was never given, at first. Commits.

    A database that was put back from a backup has forgotten some; the homes still show them.

    Raises:
        NoIdLeft: the range is used up.
    """
    ours = UnixId.id.between(ids[0], ids[-1])
    known = db.scalar(select(func.max(UnixId.id)).where(UnixId.owner == owner, ours))
    if known is not None:
        return known
    owners = {entry.stat(follow_symlinks=False).st_uid for entry in os.scandir(homes)}
    given = [db.scalar(select(func.max(UnixId.id)).where(ours)), *owners.intersection(ids)]
    number = max((one + 1 for one in given if one is not None), default=ids[0])
    if number not in ids:
        raise NoIdLeft
    db.add(UnixId(id=number, owner=owner))
    db.commit()
    return number


def create_table(db: Session) -> None:
    """Make the table of ids where it is missing."""
    orm.Base.metadata.create_all(db.get_bind(), tables=[UnixId.__table__])  # type: ignore[list-item]


def make_home(home: Path, uid: int | None) -> None:
    """Make a home that is this account's alone (None: the hub's own).

    One that was another's is put aside, not handed on: there may be links in it to what only its
    former owner could read.
    """
    if uid is not None and home.exists() and home.stat().st_uid != uid:
        home.rename(home.with_name(f"{home.name}.before-{uid}"))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if uid is not None:
        os.chown(home, uid, uid)


def set_limits(limits: Mapping[int, int]) -> None:
    """Limit what this process can use up of each resource. Runs in the child."""
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def become(account: Account) -> None:
    """Turn this process into the account's, for good. Runs in the child."""
    os.setgroups(account.groups)
    os.setresgid(account.uid, account.uid, account.uid)
    os.setresuid(account.uid, account.uid, account.uid)


def end_all(uid: int) -> None:
    """Kill what still runs under an account: a notebook may have left something behind.

    Its next server would share the account with it.
    """
    for _ in range(5):  # one that forks while it is looked for is found the next time
        left = [process for process in psutil.process_iter() if _runs_as(process, uid)]
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        if not left:
            return


def _runs_as(process: psutil.Process, uid: int) -> bool:
    try:
        return uid in process.uids() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _holder(ids: range) -> str:
    """An account of this machine that some of the ids belong to, "" if there is none.

    As its own number, or as a range that it may give out (subuid(5)).
    """
    for file, place in (("passwd", 2), ("group", 2), ("subuid", 1), ("subgid", 1)):
        for name, first, count in _lines(ACCOUNTS / file, place):
            if first <= ids[-1] and first + count > ids[0]:
                return name
    return ""


def _lines(file: Path, place: int) -> Iterable[tuple[str, int, int]]:
    if not file.exists():
        return
    for line in file.read_text(errors="replace").splitlines():
        fields = line.split(":")
        try:
            count = int(fields[2]) if file.name.startswith("sub") else 1
            yield fields[0], int(fields[place]), count
        except (IndexError, ValueError):
            continue


def _make_way(homes: Path) -> None:
    """Let accounts pass through the state folder to their homes, and see nothing on the way."""
    homes.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = homes.parent
    for entry in state.iterdir():
        if entry != homes and not entry.is_symlink():
            entry.chmod(entry.stat().st_mode & 0o700)
    homes.chmod(0o711)
    state.chmod(0o711)


def _try_account(uid: int, paths: Sequence[Path]) -> str:
    """What keeps an account from running a server, "" if nothing does."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _PROBE, *map(str, paths)],
            user=uid,
            group=uid,
            extra_groups=[],
            env={},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
        )
    except PermissionError:
        return f"another account cannot run {Path(sys.executable).resolve()}"
    except (OSError, subprocess.SubprocessError) as error:
        return f"another account cannot be used here ({error})"
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["cannot run Python"]
        return f"another account {said[-1]}"
    return ""
