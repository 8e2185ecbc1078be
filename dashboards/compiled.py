"""The code of notebooks, compiled once for all who open them, and found again by its content.

`python -I -m dashboards.compiled NOTEBOOKS SHARED` keeps the code of all notebooks, each folder's
in `SHARED/<folder>/code`, for folders that are there: the hub makes them, and says who may enter.
A process of its own: a file that is too much for the compiler ends only this one. It runs no
notebook, and nobody else can write there, as what is kept runs in each viewer's process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import marshal
import os
import resource
import stat
import sys
from collections.abc import Iterable
from dataclasses import asdict
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

from dashboards.catalog import Dashboard, dashboards_of
from dashboards.cells import Cell, cells_in
from dashboards.this_process import be_ended_before, set_limits

CODE = "code"
"""The name of the folder in which a folder's code is."""

_MEMORY = 1 << 30  # bytes that compiling may take
_SECONDS = 60  # of processor time
_OOM_SCORE = 1000

Code = list[dict[str, CodeType]]
"""For each cell the attributes of `Cell` that are code; none for what is no Python."""


def use_kept(cells: tuple[Cell, ...], place: Path) -> bool:
    """Give cells the code that is kept for them; returns whether there is any.

    place: a folder in which only this program keeps something.
    """
    try:
        kept: Code = marshal.loads((place / _name(cells)).read_bytes())
    except (OSError, EOFError, ValueError, TypeError):
        return False
    for cell, found in zip(cells, kept, strict=True):
        vars(cell).update(found)
    return True


def keep_all(notebooks: Path, shared: Path) -> None:
    """Keep the code of all notebooks as they are now, and no other."""
    for folder in os.scandir(shared):
        place = Path(folder.path, CODE)
        if place.is_dir():
            kept = {_keep(found, place) for found in dashboards_of(notebooks / folder.name)}
            for file in place.iterdir():
                if file.name not in kept:
                    file.unlink()


def _keep(dashboard: Dashboard, place: Path) -> str:
    """Keep the code of a notebook; returns its file's name, "" if that cannot be."""
    try:
        text, mode = _read(dashboard.path)
        cells = cells_in(dashboard.path.name, text)
        name = _name(cells)
        if not (place / name).exists():
            _write(place / name, marshal.dumps(list(map(_compiled, cells))))
        (place / name).chmod(mode)
    except (OSError, ValueError, RecursionError):
        return ""
    return name


def _read(path: Path) -> tuple[str, int]:
    """A notebook's text, and who may read it. Raises OSError, or ValueError if it is no text."""
    # Its author may just now make a link of it, to what only we can read.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, encoding="utf-8") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError("no file")
        return file.read(), stat.S_IMODE(mode) & 0o444


def _compiled(cell: Cell) -> dict[str, CodeType]:
    try:
        if cell.is_shared:
            return {"code": cell.code, "imports": cell.imports}
        return {"code": cell.code} if cell.is_code else {}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}  # as whoever opens it is told


def _write(path: Path, text: bytes) -> None:
    """Write a file, whole or not at all. Raises OSError."""
    unfinished = path.with_name("unfinished")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
    unfinished.rename(path)


def _name(cells: Iterable[Cell]) -> str:
    """Names what compiling these cells, by this version of Python, comes to."""
    told = json.dumps([asdict(cell) for cell in cells])
    return hashlib.sha256(MAGIC_NUMBER + told.encode()).hexdigest()


if __name__ == "__main__":
    be_ended_before(_OOM_SCORE)
    with contextlib.suppress(OSError):
        os.nice(10)  # nobody waits for it
    set_limits([(resource.RLIMIT_DATA, _MEMORY), (resource.RLIMIT_CPU, _SECONDS)])
    keep_all(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
