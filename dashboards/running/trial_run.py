"""`python -I -m dashboards.running.trial_run`: runs a whole notebook once; tells how it went.

The hub starts it, under an account that can read the folder and nothing else where there are such.
On standard input come a line of JSON, the order, the notebook as it is, and data files; none of
them need be in the folder yet. The order: `folder`, `name`; `size` of the notebook; `beside`, pairs
of a data file's path below the folder and its size; `file`, an open descriptor that is all it can
give back; `began`, when by `time.monotonic`; `seconds` that it may take; `secrets` of the folder;
`limits`, pairs of resource and most; `nice`.

The notebook runs in a child, and whatever it leaves running ends with it. The file then holds a
line of JSON, how it went (`Outcome`); and a second one, if what it shows can be drawn: pictures, by
colour scheme, a PNG in base64. All of it may be the notebook's word.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from dashboards.failure import give_secrets, traceback_of
from dashboards.forks.this_process import (
    be_ended_before,
    confine,
    end_all_but,
    end_with_parent,
    status_of,
)
from dashboards.running.cells import content_in

FOR_NOBODY: Final = "This run is a trial: nobody looks at it, so it has no current user."
NO_NOTEBOOK: Final = "This file is no notebook."
TOO_LONG: Final = "It was not there after {:g} seconds."
ENDED: Final = "It ended by itself before it was there, perhaps for want of memory."
FAILED: Final = "Its trial fails with {}."

LONGEST: Final = 20_000
"""Characters of a traceback."""

SAID: Final = 200
"""Characters of what an error says."""

DRAWING: Final = 30.0
"""Seconds that its pictures may take, beyond those that the notebook may."""

_OOM_SCORE: Final = 800  # before people's servers


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial run went, as `hub_extensions.trial_runs.Trial` has it."""

    problem: str = ""
    cell: str = ""
    traceback: str = ""
    seconds: float = 0.0
    memory: int = 0
    needs_viewer: bool = False
    missing: tuple[str, ...] = ()


def main() -> int:
    """Have the notebook run; returns the exit status, 0 if the file tells how that went."""
    order = json.loads(sys.stdin.buffer.readline())
    notebook = sys.stdin.buffer.read(order["size"])
    beside = {path: sys.stdin.buffer.read(size) for path, size in order["beside"]}
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    be_ended_before(_OOM_SCORE)
    os.nice(order["nice"])
    confine(order["limits"])
    if beside:
        order["folder"] = os.fspath(_folder_with(Path(order["folder"]), beside))
        beside.clear()
    give_secrets(order["secrets"])
    parent = os.getpid()
    child = os.fork()
    if not child:
        end_with_parent(parent)
        _run_in_child(order, notebook)
    status = _wait(child, order["file"], order["seconds"])
    end_all_but([])
    if os.fstat(order["file"]).st_size:
        return 0
    problem = TOO_LONG.format(order["seconds"]) if status is None else ENDED
    tell(order["file"], Outcome(problem=problem, seconds=time.monotonic() - order["began"]))
    return 0


def _folder_with(folder: Path, beside: Mapping[str, bytes]) -> Path:
    """A folder in which these files are beside what is in another, which it leads to by links."""
    there = list(os.scandir(folder))  # before the new one, which may be in it
    new = Path(tempfile.mkdtemp(), folder.name)
    _lead_to(there, new)
    for path, content in beside.items():
        *above, name = path.split("/")
        place, former = new, folder
        for part in above:
            place, former = place / part, former / part
            if place.is_symlink():
                place.unlink()
                _lead_to(os.scandir(former), place)
            place.mkdir(exist_ok=True)
        (place / name).unlink(missing_ok=True)
        (place / name).write_bytes(content)
    return new


def _lead_to(entries: Iterable[os.DirEntry[str]], folder: Path) -> None:
    folder.mkdir()
    for entry in entries:
        (folder / entry.name).symlink_to(entry.path)


def _wait(child: int, file: int, seconds: float) -> int | None:
    """As `status_of`; what has told how it went may go on for a while, and draw."""
    status = status_of(child, seconds)
    if status is None and os.fstat(file).st_size:
        status = status_of(child, DRAWING)
    return status


def tell(file: int, outcome: Outcome) -> None:
    """Put into the file how it went."""
    os.pwrite(file, json.dumps(asdict(outcome)).encode() + b"\n", 0)


def _run_in_child(order: dict[str, Any], notebook: bytes) -> NoReturn:
    """Run it and end, with every thread that it has begun."""
    own, path = os.getpid(), Path(order["folder"], f"{order['name']}.ipynb")
    try:
        try:
            content = content_in(path.name, notebook)
        except (ValueError, RecursionError):
            tell(order["file"], Outcome(problem=NO_NOTEBOOK))
            os._exit(0)
        # Panel, which the parent does without: it waits, and a small process does that best.
        importlib.import_module("dashboards.forks.warm").warm_up()
        trial = importlib.import_module("dashboards.running.trial")
        for line in trial.lines(path, content, order["began"]):
            if os.getpid() == own:  # not what a cell has forked, and has let go on
                os.write(order["file"], line)
    except BaseException as error:  # also what a notebook raises for nobody to catch
        if os.getpid() == own and not os.fstat(order["file"]).st_size:
            trace = traceback_of(error).encode(errors="replace").decode()
            outcome = Outcome(
                problem=FAILED.format(type(error).__name__)[:SAID],
                traceback=trace[-LONGEST:],
                seconds=time.monotonic() - order["began"],
            )
            tell(order["file"], outcome)
    finally:
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
