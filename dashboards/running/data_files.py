"""How fresh a notebook's data is: the files beside it that its code names."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

_MOST_NAMES = 50
_MOST_CODE = 1_000_000
"""Characters of a notebook's code that are looked through."""

_NAME = re.compile(r"""(['"])([^'"\\\n{}*?]{1,200}\.(\w{1,12}))\1""")
# What a dashboard is made of, and not what it shows.
_NO_DATA = frozenset(
    ("ipynb", "py", "css", "js", "html", "md", "png", "jpg", "jpeg", "gif", "svg", "webp", "ico")
)


def names_in(sources: Iterable[str]) -> tuple[str, ...]:
    """What cells of code name, in texts of their own, as a file may be named; each once."""
    found: dict[str, None] = {}
    left = _MOST_CODE
    for source in sources:
        for _, name, ending in _NAME.findall(source[: max(left, 0)]):
            if ending.lower() not in _NO_DATA and len(found) < _MOST_NAMES:
                found[name] = None
        left -= len(source)
    return tuple(found)


def changed_ns(folder: Path, names: Iterable[str]) -> int:
    """When the newest of these files changed, in nanoseconds since 1970; 0 if there is none.

    Only files in the folder and in folders within it; no link is followed.
    """
    return max((_changed_ns(folder, name) for name in names), default=0)


def _changed_ns(folder: Path, name: str) -> int:
    *above, last = [part for part in name.split("/") if part != "."]
    if any(part.startswith(".") or not part for part in (*above, last)):
        return 0  # ".." and "/…" too
    place = os.fspath(folder)
    try:
        for part in above:
            place = os.path.join(place, part)
            if not stat.S_ISDIR(os.lstat(place).st_mode):
                return 0
        info = os.lstat(os.path.join(place, last))
    except (OSError, ValueError):  # a name that no file can have
        return 0
    return info.st_mtime_ns if stat.S_ISREG(info.st_mode) else 0
