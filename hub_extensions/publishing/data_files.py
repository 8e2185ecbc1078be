"""Data files beside a notebook: what one can be called, how much there can be, and what would
change in the folder if they were put there.

A file is a dashboard's own once its publishing has put it there; another dashboard that brings the
same content has it in common with that. What somebody has put there by hand stays theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ..folders import is_plain_name
from . import files

#: Bytes of one data file,
LARGEST: Final = 16 * 1024 * 1024
#: of all those of a dashboard,
IN_ALL: Final = 32 * 1024 * 1024
#: and their number.
MOST: Final = 50

_LONGEST_PART: Final = 255  # bytes, as of every file system
_LONGEST: Final = 300  # signs
_DEEPEST: Final = 8
_CACHE: Final = "__pycache__"  # Python would run what lies there
_GIT: Final = "git~"  # short for .git on some systems: who clones the versions gets no such file


class NoDataFile(Exception):
    """It cannot be published as a data file; says why."""


@dataclass(frozen=True, kw_only=True)
class DataChange:
    """What becomes of one file of a folder.

    Attributes:
        name: its path below the folder.
        before, after: its bytes, 0 where there is none.
    """

    name: str
    kind: Literal["added", "changed", "unchanged", "removed"]
    before: int = 0
    after: int = 0


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A file as a dashboard has brought it; `content`: as git names it."""

    dashboard: str
    content: str


def check_name(name: str) -> None:
    """Raises NoDataFile: a data file cannot have this path below the notebook's folder."""
    parts = name.split("/")
    if len(name) > _LONGEST or len(parts) > _DEEPEST or not all(map(_can_be_part, parts)):
        raise NoDataFile(
            f"{_shown(name)} is no name for a data file: it is a path below the notebook's folder,"
            ' with no dot first, no "..", no backslash and no sign that cannot be seen.'
        )
    if any(files.alike(part).endswith(".ipynb") for part in parts):
        raise NoDataFile(f"{_shown(name)} is a notebook: publish it as one.")


def _can_be_part(part: str) -> bool:
    return (
        is_plain_name(part, _LONGEST_PART)
        and len(part.encode()) <= _LONGEST_PART
        and files.alike(part) != _CACHE
        and not files.alike(part).startswith(_GIT)
    )


def _shown(name: str) -> str:
    plain = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name)
    return plain if len(plain) <= 100 else f"{plain[:100]}…"


def check_sizes(sizes: Mapping[str, int]) -> None:
    """Raises NoDataFile: these files, by their names, are too large or too many."""
    for name, size in sizes.items():
        if size > LARGEST:
            raise NoDataFile(
                f"{_shown(name)} has {size / 1e6:.1f} MB; a data file may have"
                f" {LARGEST // 1024**2} MB. Ask whoever runs this site to put it into the folder."
            )
    if len(sizes) > MOST:
        raise NoDataFile(f"These are {len(sizes)} data files; a dashboard may have {MOST}.")
    if (in_all := sum(sizes.values())) > IN_ALL:
        raise NoDataFile(
            f"The data files have {in_all / 1e6:.1f} MB in all; those of a dashboard may have"
            f" {IN_ALL // 1024**2} MB."
        )


def check_together(names: Iterable[str]) -> None:
    """Raises NoDataFile: two of these cannot be in one folder."""
    known: dict[str, str] = {}
    for name in names:
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            place = "/".join(parts[:depth])
            kind = place if depth == len(parts) else f"{place}/"
            if known.setdefault(files.alike(place), kind) != kind:
                other = known[files.alike(place)].rstrip("/")
                raise NoDataFile(f"{_shown(name)} and {_shown(other)} cannot be in one folder.")


def compare(
    folder: int | None,
    given: Mapping[str, bytes],
    ours: Mapping[str, str],
    others: Mapping[str, Brought],
    content_id: Callable[[bytes], str],
    has_accounts: bool = False,
) -> tuple[list[DataChange], dict[str, str]]:
    """What becomes of a folder if these files are put into it.

    Args:
        folder: None: there is none yet.
        given: contents by their names, which are checked.
        ours: what the same dashboard has brought before, as git names it.
        others: what other dashboards of the folder have brought.

    Returns the changes, and which of the files are the dashboard's own then, as git names them.

    Raises:
        NoDataFile: something else is there that may not be replaced.
        NotAFile: there is a link, a folder or the like.
    """
    changes: list[DataChange] = []
    own: dict[str, str] = {}
    for name, content in sorted(given.items()):
        there = None
        if folder is not None:
            if twin := files.twin(folder, name):
                raise NoDataFile(
                    f"{name}: the folder has {_shown(twin)}, which is nearly the same."
                )
            there = files.read_file(folder, name, LARGEST, has_accounts)
        before, after = None if there is None else content_id(there), content_id(content)
        other = others.get(name)
        if before != after:
            _check_may_put(name, before, after, ours.get(name), other)
        if before != after or after in {ours.get(name), other and other.content}:
            own[name] = after
        kind = "added" if before is None else "unchanged" if before == after else "changed"
        size = len(there or b"")
        changes.append(DataChange(name=name, kind=kind, before=size, after=len(content)))
    return changes, own


def _check_may_put(
    name: str, before: str | None, after: str, own: str | None, other: Brought | None
) -> None:
    if other is not None and other.content != after:
        raise NoDataFile(
            f"{name} came with {other.dashboard}, with other content. Give yours another name, or"
            " publish it there."
        )
    if before not in {None, own}:
        since = ", since it was published from here" if own else ""
        raise NoDataFile(
            f"The folder has another {name}, which somebody has put there by hand{since}. Give"
            " yours another name, or ask whoever runs this site."
        )


def between(
    before: Mapping[str, str], after: Mapping[str, str], size: Callable[[str], int]
) -> tuple[DataChange, ...]:
    """How the data of one version becomes that of another: contents by name, as git names them."""
    return tuple(
        DataChange(
            name=name,
            kind="added" if name not in before else "removed" if name not in after else "changed",
            before=size(before[name]) if name in before else 0,
            after=size(after[name]) if name in after else 0,
        )
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )
