"""The code of notebooks, compiled once for all who open them, and found again by its content.

`python -I -m dashboards.compiled NAME` reads the file NAME, a notebook, on standard input and
writes its code to standard output, which is a file of the hub's. The hub keeps it where those can
read it who see the folder, and only the hub can write. It runs no notebook.
"""

from __future__ import annotations

import marshal
import os
import resource
import sys
import warnings
from pathlib import Path
from types import CodeType

from dashboards.cells import Cell, Content, content_in
from dashboards.this_process import be_ended_before, confine

_LIMITS = {
    resource.RLIMIT_DATA: 512 << 20,
    resource.RLIMIT_FSIZE: 4 << 20,
    resource.RLIMIT_CPU: 5,  # seconds
    resource.RLIMIT_NPROC: 0,
    resource.RLIMIT_CORE: 0,
}
_OOM_SCORE = 1000

Code = list[dict[str, CodeType]]
"""For each cell the attributes of `Cell` that are code; none for what is no Python."""


def use_kept(content: Content, place: Path) -> None:
    """Give a notebook's cells the code that is kept for them, if there is any.

    place: where the hub keeps what the viewers of the notebook's folder share.
    """
    try:
        kept: Code = marshal.loads((place / f"code-{content.digest}").read_bytes())
        for cell, found in zip(content.cells, kept, strict=True):
            vars(cell).update(found)
    except (OSError, EOFError, ValueError, TypeError):
        pass  # each cell is compiled as it is run


def code_of(name: str, notebook: bytes) -> bytes:
    """The code of a notebook of this file name, for `use_kept`. Raises ValueError."""
    return marshal.dumps(list(map(_compiled, content_in(name, notebook).cells)))


def _compiled(cell: Cell) -> dict[str, CodeType]:
    try:
        if cell.is_shared:
            return {"code": cell.code, "imports": cell.imports}
        return {"code": cell.code} if cell.is_code else {}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}  # as whoever opens it is told


if __name__ == "__main__":
    be_ended_before(_OOM_SCORE)
    os.nice(19)  # nobody waits for it
    confine(_LIMITS.items())
    warnings.simplefilter("ignore")  # they are for the author
    sys.stdout.buffer.write(code_of(sys.argv[1], sys.stdin.buffer.read()))
