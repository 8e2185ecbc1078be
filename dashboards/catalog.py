"""Folders and notebooks -> dashboards, and who may see which.

A folder is an audience: `<notebooks>/<group>/<name>.ipynb` is for members of the hub group
`<group>`. Nothing here is built from what a browser sent: a request is looked up by equality
among the files that are there.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any

from dashboards.settings import ADMIN

LARGEST = 16 * 1024 * 1024
"""No notebook that is larger than this many bytes is read."""

_TOO_LARGE = (
    "This file is larger than 16 MB. Clear its outputs in JupyterLab, save it, and look again."
)

# Compiled with the module, so before a server is forked.
_BLOCKS = re.compile(r"\n\s*\n|(?<=\n)(?=#)|(?<=^#)\n")
_HEADING = re.compile(r"#{1,6}\s")
_MARKS = (
    (re.compile(r"<!--.*?-->|</?[a-zA-Z][^>]*>", re.DOTALL), ""),
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"(\*\*|__|`+|~~)"), ""),
    (re.compile(r"(?<!\w)[*_](?=\S)([^*_]+)(?<=\S)[*_](?!\w)"), r"\1"),
    (re.compile(r"^\s*(?:[-*+>]|#+)\s+", re.MULTILINE), ""),
)
_BETWEEN_WORDS = re.compile(r"[-_\s]+")


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One notebook as people see it. `problem` says in words why it cannot be opened."""

    group: str
    name: str
    title: str
    description: str
    path: Path
    modified_ns: int
    size: int
    problem: str | None = None

    @property
    def version(self) -> tuple[str, int, int]:
        """Changes when the file does."""
        return (os.fspath(self.path), self.modified_ns, self.size)


def dashboards_in(
    root: Path, group: str | None = None, name: str | None = None
) -> tuple[Dashboard, ...]:
    """All notebooks, or those of a group or of a name alone, sorted by folder and title. Links out
    of a folder are left out.

    Raises OSError when the root itself cannot be read.
    """
    found: list[Dashboard] = []
    for folder in os.scandir(root):
        is_asked = group is None or folder.name == group
        if is_asked and not folder.name.startswith(".") and folder.is_dir(follow_symlinks=False):
            found.extend(dashboards_of(Path(folder.path), name))
    return tuple(sorted(found, key=lambda d: (d.group, d.title.casefold(), d.name)))


def visible(dashboards: Iterable[Dashboard], groups: Collection[str]) -> tuple[Dashboard, ...]:
    """What a member of these groups may know of: their folders, or all for members of `admin`.

    Files that cannot be read as a notebook are shown to members of `admin` only.
    """
    return tuple(
        dashboard
        for dashboard in dashboards
        if ADMIN in groups or (dashboard.group in groups and not dashboard.problem)
    )


def served_here(dashboard: Dashboard, *, serves_admin: bool) -> bool:
    """Whether a server runs this notebook: the admin folder runs in a server of its own."""
    return (dashboard.group == ADMIN) == serves_admin


def find(dashboards: Iterable[Dashboard], group: str, name: str) -> Dashboard | None:
    """The dashboard of this group and name, both compared exactly."""
    return next((d for d in dashboards if d.group == group and d.name == name), None)


def dashboards_of(folder: Path, name: str | None = None) -> Iterable[Dashboard]:
    """The notebooks of one folder, or the one of a name alone; none, if this server cannot read
    the folder."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or not entry.name.endswith(".ipynb"):
            continue
        if name is not None and entry.name != f"{name}.ipynb":
            continue
        try:
            path = Path(entry.path).resolve(strict=True)
            info = path.stat()
        except (OSError, RuntimeError):
            continue
        # A link may lead to another file of the same folder, and nowhere else.
        if path.parent == folder and stat.S_ISREG(info.st_mode) and path.suffix == ".ipynb":
            yield _dashboard(folder.name, entry.name[: -len(".ipynb")], path, info)


def _dashboard(group: str, name: str, path: Path, info: os.stat_result) -> Dashboard:
    title, description, problem = _words(path, info.st_mtime_ns, info.st_size)
    return Dashboard(
        group=group,
        name=name,
        title=title or _from_file_name(name),
        description=description,
        path=path,
        modified_ns=info.st_mtime_ns,
        size=info.st_size,
        problem=problem,
    )


@lru_cache(maxsize=4096)
def _words(path: Path, modified_ns: int, size: int) -> tuple[str, str, str | None]:
    """Title, description and problem of one version of a file."""
    if size > LARGEST:
        return "", "", _TOO_LARGE
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return "", "", "This file cannot be read."
    except (ValueError, RecursionError):
        return "", "", "This file is no notebook: it is not valid JSON."
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return "", "", "This file is no notebook: it has no list of cells."
    return (*described(notebook), _other_language(notebook.get("metadata")))


def _other_language(metadata: object) -> str | None:
    """Why a notebook for another kernel than Python's cannot be opened."""
    about = metadata if isinstance(metadata, dict) else {}
    kernel, language = about.get("kernelspec"), about.get("language_info")
    told = (kernel.get("language") if isinstance(kernel, dict) else None) or (
        language.get("name") if isinstance(language, dict) else None
    )
    if not isinstance(told, str) or told.casefold() in {"python", "python3", "ipython", ""}:
        return None
    return f"This notebook is written in {_short(told, 30)}; only those in Python can be shown."


def described(notebook: dict[str, Any]) -> tuple[str, str]:
    """Title and description of a notebook, as plain text; empty where it gives none.

    Its metadata `atrium: {title, description}` goes first, then its first markdown cell: first
    heading and first paragraph.
    """
    metadata = notebook.get("metadata")
    own = metadata.get("atrium") if isinstance(metadata, dict) else None
    own = own if isinstance(own, dict) else {}
    heading, paragraph = _first_words(notebook["cells"])
    title = own.get("title") if isinstance(own.get("title"), str) else ""
    description = own.get("description") if isinstance(own.get("description"), str) else ""
    return _short(title or heading, 120), _short(description or paragraph, 300)


def _first_words(cells: list[dict[str, Any]]) -> tuple[str, str]:
    markdown = next((c for c in cells if c.get("cell_type") == "markdown"), {})
    source = markdown.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return "", ""
    heading = paragraph = ""
    for block in _BLOCKS.split(source[:20_000]):
        first, _, rest = block.strip().partition("\n")
        if _HEADING.match(first):
            heading = heading or plain_text(first.lstrip("#"))
            first, block = "", rest
        if not paragraph and block.strip():
            paragraph = plain_text(block)
    return heading, paragraph


def plain_text(markdown: str) -> str:
    """Markdown without its marks, on one line; what is left is text, not HTML."""
    text = markdown
    for mark, left in _MARKS:
        text = mark.sub(left, text)
    return " ".join(unescape(text).split())


def _short(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _from_file_name(name: str) -> str:
    words = " ".join(_BETWEEN_WORDS.split(name)).strip() or name
    return words[:1].upper() + words[1:]
