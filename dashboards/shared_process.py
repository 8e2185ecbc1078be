"""`python -I -m dashboards.shared_process`: runs a notebook's shared cells, for all its viewers.

The hub starts it, under the folder's own account where there are such, and says on standard input,
as JSON: `notebook`, a path; `file`, an open descriptor that is all it can give back; `seconds` that
the cells may take; `limits`, pairs of resource and most.

The cells run in a child, and whatever they leave running ends with it. Exit status 0: the file
holds what they left (`dashboards.shared_file`). 1: it holds why not, as JSON: `sentence`, for
everybody; `summary` and `traceback`, for those who may know what is in the notebook.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import json
import os
import sys
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

from dashboards import identity
from dashboards.cells import SHOW, Cell, cells_of, evaluated, names_used, remember_lines
from dashboards.failure import give_secrets, traceback_of
from dashboards.magics import Shell
from dashboards.this_process import confine, end_all_but, end_with_parent, status_of

RAISED: Final = "A cell that loads its data failed."
TOO_LONG: Final = "Loading its data took longer than {:g} seconds."
TOO_MUCH: Final = "Loading its data took more memory than it may."
ENDED: Final = "Loading its data ended before it was done, perhaps for want of memory."
FOR_ALL: Final = "A shared cell runs for all viewers at once: it has no current user."
NO_ROOM: Final = "There is no room to keep its data."

_LONGEST: Final = 20_000  # characters of a traceback
_HINT: Final = (
    "A shared cell knows what shared cells before it have made, and what the import lines of all"
    " cells before it name; nothing else."
)


def main() -> int:
    """Have the cells run; returns the exit status."""
    order = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    confine(order["limits"])
    give_secrets(order["secrets"])
    parent, file = os.getpid(), order["file"]
    child = os.fork()
    if not child:
        end_with_parent(parent)
        _run_in_child(Path(order["notebook"]), file)
    status = status_of(child, order["seconds"])
    end_all_but([])
    if status is None:
        _explain(file, TOO_LONG.format(order["seconds"]))
    elif status not in {0, 1} or not os.fstat(file).st_size:
        _explain(file, ENDED, f"exit status {status}")
    else:
        return status
    return 1


def _explain(file: int, sentence: str, summary: str = "", traceback: str = "") -> None:
    """Put into the file why there is nothing in it."""
    why = {"sentence": sentence, "summary": summary[:200], "traceback": traceback[-_LONGEST:]}
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(why).encode(), 0)


def _run_in_child(notebook: Path, descriptor: int) -> NoReturn:
    """Run the cells, keep what they leave, and end with every thread that they have begun."""
    try:
        cells = cells_of(notebook)
        left = run_shared(cells, notebook)
        # Not before: with little memory the cells' own error is the one to tell.
        shared_file = importlib.import_module("dashboards.shared_file")
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            shared_file.write(left, file, needed=_used_elsewhere(cells))
        os._exit(0)
    except BaseException as error:
        with contextlib.suppress(OSError):
            _explain(descriptor, _sentence(error), type(error).__name__, traceback_of(error))
    finally:
        os._exit(1)


def run_shared(cells: tuple[Cell, ...], notebook: Path) -> dict[str, Any]:
    """Run the shared cells, and the import lines of those before them; returns what they leave.

    What import lines name is left out, as is what begins with an underscore and is used in no
    other cell. Raises whatever a cell raises.
    """
    remember_lines(cells)
    identity.belong_to_nobody(FOR_ALL)
    os.chdir(notebook.parent)
    sys.path.insert(0, os.fspath(notebook.parent))
    module = ModuleType("shared_cells")
    module.__file__ = os.fspath(notebook)
    sys.modules[module.__name__] = module
    space = module.__dict__
    given = {SHOW: lambda _: None, "display": lambda *_, **__: None}
    given["get_ipython"] = partial(Shell, space, given[SHOW])
    space |= given
    imported: dict[str, Any] = {}
    last = max(place for place, cell in enumerate(cells) if cell.is_shared)
    for cell in cells[: last + 1]:
        if cell.is_shared:
            _run_cell(cell, space)
        elif cell.is_code:
            with contextlib.suppress(SyntaxError):  # that cell's own error, to be seen later
                exec(cell.imports, space)
        with contextlib.suppress(SyntaxError):
            exec(cell.imports if cell.is_code else "", imported)
    kept = _used_elsewhere(cells)
    return {
        name: value
        for name, value in space.items()
        if name not in given
        and not (name in imported and imported[name] is value)
        and not name.startswith("__")
        and (name in kept or not name.startswith("_"))
    }


def _run_cell(cell: Cell, space: dict[str, Any]) -> None:
    try:
        if waits := evaluated(cell.code, space):
            asyncio.run(_awaited(waits))
    except NameError as error:
        error.add_note(_HINT)
        raise


async def _awaited(waits: Awaitable[Any]) -> None:
    await waits


def _used_elsewhere(cells: tuple[Cell, ...]) -> set[str]:
    return names_used(cell for cell in cells if not cell.is_shared)


def _sentence(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return TOO_MUCH
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return NO_ROOM if isinstance(error, OSError) and error.errno in full else RAISED


if __name__ == "__main__":
    sys.exit(main())
