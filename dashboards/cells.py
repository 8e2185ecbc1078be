"""A notebook file -> cells that can be run, one after the other."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import linecache
import os
import re
from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType
from typing import Any

SHARED = "shared"
"""The tag of cells that run once for all viewers of a folder."""

PARAMETERS = "parameters"
"""The tag of the cell whose assignments people may choose other values for."""

SHOW = "__show_cell_output__"
"""The name under which a cell finds the function that takes its last value."""

_KIND_OF_CODE = b"2"
"""Changes when other code is made of a cell. The hub makes the same digest, with the same value
(`hub_extensions.compiled_notebooks`)."""

_MAGIC = re.compile(r"^[ \t]*(?:%|!|\?)|\?[ \t]*$|=[ \t]*[%!]", re.M)
_TIME = re.compile(r"^([ \t]*(?:\w+[ \t]*=[ \t]*)?)%time[ \t]+(?=\S)", re.M)
_OF_THE_CELL = re.compile(r"\s*%%(time|capture|prun|memit)\b([^\n]*)")
_OWN_ADDRESS = re.compile(r"\bsession_args\b|\.location\b|\bquery_params\b")
_OWN_TEMPLATE = re.compile(r"\btemplate\s*=|\.template\b|\bTemplate\(|pn\.template\.")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell with its place in the notebook, counted from 1. `place` names it in tracebacks."""

    place: str
    is_code: bool
    source: str
    is_shared: bool = False
    has_parameters: bool = False

    @cached_property
    def python(self) -> str:
        """The cell as Python: what only IPython understands asks `get_ipython()` for it."""
        source = self.source
        if of_cell := _OF_THE_CELL.match(source):
            source = "#\n" + source[of_cell.end() :].partition("\n")[2]
        if not _MAGIC.search(source):
            return source
        try:
            ast.parse(source)
        except SyntaxError:
            return _without_magics(_TIME.sub(r"\1", source))
        except (ValueError, RecursionError, MemoryError):
            pass
        return source

    @property
    def captured(self) -> str | None:
        """The name under which `%%capture` keeps what the cell shows, instead of showing it; "" for
        none, None where it is shown."""
        of_cell = _OF_THE_CELL.match(self.source)
        if of_cell is None or of_cell[1] != "capture":
            return None
        return next((word for word in of_cell[2].split() if word.isidentifier()), "")

    @cached_property
    def imports(self) -> CodeType:
        """The import lines of the cell alone, those within blocks left out. Raises SyntaxError."""
        tree = ast.parse(self.python, self.place)
        tree.body = [one for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
        return compile(tree, self.place, "exec", dont_inherit=True)

    @cached_property
    def code(self) -> CodeType:
        """The cell, compiled so that its last value is shown unless it ends in a semicolon.

        `evaluated` runs it, as it may await. Raises SyntaxError.
        """
        tree = ast.parse(self.python, self.place)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr) and not self.source.rstrip().endswith(";"):
            show = ast.Name(SHOW, ast.Load())
            last.value = ast.copy_location(ast.Call(show, [last.value], []), last.value)
            ast.fix_missing_locations(tree)
        return compile(tree, self.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)

    @property
    def awaits(self) -> bool:
        """Whether it awaits something at its top level. Raises SyntaxError."""
        return bool(self.code.co_flags & inspect.CO_COROUTINE)


def evaluated(code: CodeType, space: dict[str, Any]) -> Awaitable[Any] | None:
    """Run the code of a cell; what is still to be awaited, where it awaits at its top level."""
    found = eval(code, space)
    return found if code.co_flags & inspect.CO_COROUTINE else None


@dataclass(frozen=True, kw_only=True)
class Content:
    """A notebook without its saved outputs. `own`: see `own_metadata`; `digest` names what it and
    its file's name are."""

    cells: tuple[Cell, ...]
    own: dict[str, Any]
    digest: str


def own_metadata(metadata: object) -> dict[str, Any]:
    """What a notebook's metadata has for us, as `atrium`; {} where it has nothing of that shape."""
    own = metadata.get("atrium") if isinstance(metadata, dict) else None
    return own if isinstance(own, dict) else {}


def content_of(path: Path) -> Content:
    """What is in a notebook; of one version of a file it is read once.

    Raises OSError, or ValueError when the file is no notebook.
    """
    info = path.stat()
    return _content_of_version(path, info.st_mtime_ns, info.st_size)


def cells_of(path: Path) -> tuple[Cell, ...]:
    """The cells of a notebook. Raises as `content_of`."""
    return content_of(path).cells


def leaves_address_to_us(content: Content) -> bool:
    """Whether the address of this dashboard follows its widgets.

    Not if its metadata has `atrium: {address: false}`, nor if it seems to use the address itself.
    """
    if content.own.get("address") is False:
        return False
    return not any(cell.is_code and _OWN_ADDRESS.search(cell.source) for cell in content.cells)


@lru_cache(maxsize=64)
def _content_of_version(path: Path, modified_ns: int, size: int) -> Content:
    return content_in(path.name, path.read_bytes())


def content_in(name: str, file: bytes) -> Content:
    """What is in a notebook of this file name. Raises ValueError when it is none."""
    notebook = json.loads(file.decode())
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("This file is no notebook: it has no list of cells.")
    return Content(
        cells=tuple(_cells(name, notebook["cells"])),
        own=own_metadata(notebook.get("metadata")),
        digest=digest_of(name, file),
    )


def digest_of(name: str, file: bytes) -> str:
    """Names what a notebook and its file's name are, for the Python that runs it; the hub makes the
    same (`hub_extensions.compiled_notebooks`)."""
    named = b"\0".join((_KIND_OF_CODE, MAGIC_NUMBER, os.fsencode(name), file))
    return hashlib.sha256(named).hexdigest()


def names_used(cells: Iterable[Cell]) -> set[str]:
    """The names that cells speak of. Cells that are no Python speak of none."""
    found: set[str] = set()
    for cell in cells:
        try:
            tree = ast.parse(cell.python) if cell.is_code else None
        except (SyntaxError, RecursionError):
            continue
        if tree:
            found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found


def remember_lines(cells: Iterable[Cell]) -> None:
    """Let a traceback show the lines of cells; without a time of change they stay."""
    for cell in cells:
        lines = cell.source.splitlines(keepends=True)
        linecache.cache[cell.place] = (len(cell.source), None, lines, cell.place)


def makes_own_page(cells: tuple[Cell, ...]) -> bool:
    """Whether the notebook seems to use a page template of its own; a guess, from its text."""
    return any(cell.is_code and _OWN_TEMPLATE.search(cell.source) for cell in cells)


def _cells(name: str, cells: list[object]) -> Iterator[Cell]:
    for number, cell in enumerate(cells, start=1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in {"code", "markdown"}:
            continue
        source = cell.get("source", "")
        if isinstance(source, list):
            source = "".join(str(line) for line in source)
        is_code = cell["cell_type"] == "code"
        if not isinstance(source, str) or not source.strip():
            continue
        yield Cell(
            place=f"{name}, cell {number}",
            is_code=is_code,
            source=source,
            is_shared=is_code and SHARED in _tags_of(cell),
            has_parameters=is_code and PARAMETERS in _tags_of(cell),
        )


def _tags_of(cell: dict[str, Any]) -> list[object]:
    """The tags that an author has given to a cell of a notebook file."""
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tags if isinstance(tags, list) else []


def _without_magics(source: str) -> str:
    """The cell with its magics as calls, by IPython's own rules; as it is, where these fail."""
    # Imported where it is needed: it is not small, and few cells have magics.
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return TransformerManager().transform_cell(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
