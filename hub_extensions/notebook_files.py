"""The notebooks in the folders, as the hub needs to know them: where, and whether readable.

What people see of them is the dashboard servers' (`dashboards/catalog.py`); a test holds the two to
the same answer.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from .folders import ADMIN, is_shown

#: Bytes of a notebook; a larger file is none, for the dashboard servers neither.
LARGEST: Final = 16 * 1024 * 1024
_IN_LINK: Final = re.compile(r"/dashboards/([^/?#]+)/([^/?#]+)/?(?:[?#&].*)?$")


@dataclass(frozen=True, kw_only=True)
class Notebook:
    """One notebook. Whether it is `readable` decides who sees its card."""

    group: str
    name: str
    readable: bool

    @property
    def id(self) -> str:
        """How people name it: `<group>/<name>`."""
        return f"{self.group}/{self.name}"

    def opens_to(self, groups: Collection[str]) -> bool:
        """Whether somebody in these groups sees it: its own group's members, if it is readable,
        and members of `admin`, even if it is not."""
        return ADMIN in groups or (self.group in groups and self.readable)


def notebooks_in(root: Path) -> tuple[Notebook, ...]:
    """All notebooks of all folders, by folder and name. Links out of a folder are left out.

    Raises:
        OSError: the root itself cannot be read.
    """
    found: list[Notebook] = []
    for folder in os.scandir(root.resolve()):
        if is_shown(folder.name) and folder.is_dir(follow_symlinks=False):
            found += _notebooks_of(Path(folder.path))
    return tuple(sorted(found, key=lambda notebook: (notebook.group, notebook.name)))


def meant(notebooks: Iterable[Notebook], words: str) -> list[Notebook]:
    """The notebooks that somebody may mean, by `<group>/<name>`, a link or the name alone."""
    words = words.strip()
    # A card of the admin folder leads to it through another address, which holds it encoded.
    link = _IN_LINK.search(words) or _IN_LINK.search(unquote(words))
    wanted = "/".join(unquote(part) for part in link.groups()) if link else words
    wanted = wanted.removesuffix(".ipynb")
    found = [notebook for notebook in notebooks if wanted in {notebook.id, notebook.name}]
    return [notebook for notebook in found if notebook.id == wanted] or found


def _notebooks_of(folder: Path) -> list[Notebook]:
    try:
        entries = sorted(folder.glob("*.ipynb"))
    except OSError:
        return []
    found = []
    for entry in entries:
        try:
            path = entry.resolve(strict=True)
            info = path.stat()
        except (OSError, RuntimeError):
            continue
        inside = path.parent == folder and path.suffix == ".ipynb"
        if inside and stat.S_ISREG(info.st_mode) and not entry.name.startswith("."):
            readable = _is_notebook(path, info.st_mtime_ns, info.st_size)
            found.append(Notebook(group=folder.name, name=entry.stem, readable=readable))
    return found


@lru_cache(maxsize=4096)
def _is_notebook(path: Path, _modified_ns: int, size: int) -> bool:
    """Whether one version of a file is a notebook."""
    if size > LARGEST:
        return False
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    return isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells)
