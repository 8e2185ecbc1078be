"""A notebook file -> cells that can be run, one after the other."""

from __future__ import annotations

import ast
import hashlib
import json
import linecache
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType
from typing import Any

SHARED = "shared"
"""The tag of cells that run once for all viewers of a folder."""

SHOW = "__show_cell_output__"
"""The name under which a cell finds the function that takes its last value."""

_MAGIC_LINE = re.compile(r"^[ \t]*(?:%{1,2}|!|\?)[^\n]*|^[^\n#'\"]*\?{1,2}[ \t]*$", re.M)
_OWN_ADDRESS = re.compile(r"\bsession_args\b|\.location\b|\bquery_params\b")
_OWN_TEMPLATE = re.compile(r"\btemplate\s*=|\.template\b|\bTemplate\(|pn\.template\.")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell with its place in the notebook, counted from 1. `place` names it in tracebacks."""

    place: str
    is_code: bool
    source: str
    is_shared: bool = False

    @cached_property
    def imports(self) -> CodeType:
        """The import lines of the cell alone, those within blocks left out. Raises SyntaxError."""
        tree = ast.parse(self.source, self.place)
        tree.body = [one for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
        return compile(tree, self.place, "exec", dont_inherit=True)

    @cached_property
    def code(self) -> CodeType:
        """The cell, compiled so that its last value is shown unless it ends in a semicolon.

        Raises SyntaxError.
        """
        tree = ast.parse(self.source, self.place)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr) and not self.source.rstrip().endswith(";"):
            show = ast.Name(SHOW, ast.Load())
            last.value = ast.copy_location(ast.Call(show, [last.value], []), last.value)
            ast.fix_missing_locations(tree)
        return compile(tree, self.place, "exec", dont_inherit=True)


@dataclass(frozen=True, kw_only=True)
class Content:
    """A notebook without its saved outputs. `digest` names what it and its file's name are."""

    cells: tuple[Cell, ...]
    metadata: object
    digest: str


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
    metadata = content.metadata
    own = metadata.get("atrium") if isinstance(metadata, dict) else None
    if isinstance(own, dict) and own.get("address") is False:
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
        metadata=notebook.get("metadata"),
        digest=digest_of(name, file),
    )


def digest_of(name: str, file: bytes) -> str:
    """Names what a notebook and its file's name are, for the Python that runs it; the hub makes the
    same (`hub_extensions.compiled_notebooks`)."""
    return hashlib.sha256(b"\0".join((MAGIC_NUMBER, os.fsencode(name), file))).hexdigest()


def names_used(cells: Iterable[Cell]) -> set[str]:
    """The names that cells speak of. Cells that are no Python speak of none."""
    found: set[str] = set()
    for cell in cells:
        try:
            tree = ast.parse(cell.source) if cell.is_code else None
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
            source=_without_magics(source) if is_code else source,
            is_shared=is_code and SHARED in _tags_of(cell),
        )


def _tags_of(cell: dict[str, Any]) -> list[object]:
    """The tags that an author has given to a cell of a notebook file."""
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tags if isinstance(tags, list) else []


def _without_magics(source: str) -> str:
    """The cell as Python: lines that only IPython understands become empty ones."""
    first = source.lstrip().partition("\n")[0]
    if re.match(r"%%(?!time\b|timeit\b|capture\b)", first):
        return ""  # the whole cell is in another language
    if not _MAGIC_LINE.search(source):
        return source
    try:
        ast.parse(source)
    except SyntaxError:
        return _MAGIC_LINE.sub("", source)
    return source
