"""The files beside a notebook of a lab that can be published with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dashboards.cells import cells_of
from dashboards.lab import viewers

LARGEST: Final = 16 * 1024 * 1024
"""Bytes that one may have; the hub takes no more (`hub_extensions.publishing.data_files`)."""

_DEEPEST: Final = 4  # folders below the notebook's
_MOST: Final = 100  # that are offered, those first that the notebook names
_MOST_SEEN: Final = 5000


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A file below a notebook's folder.

    Attributes:
        name: its path from there.
        size: in bytes.
        is_named: the notebook's code has it as a text, or imports it.
    """

    name: str
    size: int
    is_named: bool

    @property
    def is_too_large(self) -> bool:
        """Whether it cannot be published."""
        return self.size > LARGEST


def files_beside(notebook: Path) -> list[Beside]:
    """What can be published with a notebook: no notebooks, nothing hidden, no links. Raises
    OSError, or ValueError when the file is no notebook."""
    code = "\n".join(cell.source for cell in cells_of(notebook) if cell.is_code)
    found = [
        Beside(name=name, size=size, is_named=_is_named(name, code))
        for name, size in _below(notebook.parent)
    ]
    found.sort(key=lambda one: (not one.is_named, one.name.count("/"), one.name))
    return found[:_MOST]


def _below(folder: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes of the files, the near ones first."""
    waiting, seen = [""], 0
    for below in waiting:
        try:
            entries = sorted(os.scandir(folder / below), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            seen += 1
            if seen > _MOST_SEEN:
                return
            name = entry.name
            if name.startswith((".", "__pycache__")) or name.endswith(".ipynb"):
                continue
            if not name.isprintable() or "\\" in name or name == viewers.FILE:
                continue
            if entry.is_dir(follow_symlinks=False):
                if below.count("/") < _DEEPEST:
                    waiting.append(f"{below}{name}/")
            elif entry.is_file(follow_symlinks=False):
                yield f"{below}{name}", entry.stat(follow_symlinks=False).st_size


def _is_named(name: str, code: str) -> bool:
    own = name.rpartition("/")[2]
    if any(f"{quote}{text}{quote}" in code for text in (name, f"./{name}", own) for quote in "'\""):
        return True
    module = re.escape(name.partition("/")[0].removesuffix(".py"))
    return name.endswith(".py") and bool(re.search(rf"\b(?:import|from)\s+{module}\b", code))
