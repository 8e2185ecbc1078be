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
from dataclasses import dataclass, replace
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any

from dashboards.running.cells import own_metadata
from dashboards.running.data_files import changed_ns, names_in
from dashboards.settings import ADMIN

LARGEST = 16 * 1024 * 1024
"""No notebook that is larger than this many bytes is read."""

_MOST_TAGS, _LONGEST_TAG = 8, 30
_LONGEST_BLOCK = 1_500
"""Characters of a heading or a paragraph that are looked at: a description is shorter, and a
pattern of marks takes the longer the more marks are open."""
#: Of the groups of those who publish, which are no audiences.
_PUBLISHERS = ".publish"
_TOO_LARGE = (
    "This file is larger than 16 MB. Clear its outputs in JupyterLab, save it, and look again."
)

# Compiled with the module, so before a server is forked.
_BLOCKS = re.compile(r"\n\s*\n|(?<=\n)(?=#)|(?<=^#)\n")
_HEADING = re.compile(r"#{1,6}\s")
_MARKS = (
    (re.compile(r"<!--.*?-->|</?[a-zA-Z][^>]*>", re.DOTALL), ""),
    (re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)"), r"\1"),
    (re.compile(r"(\*\*|__|`+|~~)"), ""),
    (re.compile(r"(?<!\w)[*_](?=\S)([^*_]+)(?<=\S)[*_](?!\w)"), r"\1"),
    (re.compile(r"^\s*(?:[-*+>]|#+)\s+", re.MULTILINE), ""),
)
_BETWEEN_WORDS = re.compile(r"[-_\s]+")
# They join and part signs of a word, in Persian or an emoji.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One notebook as people see it. `problem` says in words why it cannot be opened; where
    `has_other_kernel`, that is all that is wrong with it.

    `owner` and `tags` are what the notebook says; `data_ns` is when the newest file of data beside
    it changed, 0 where it names none.
    """

    group: str
    name: str
    title: str
    description: str
    path: Path
    modified_ns: int
    size: int
    problem: str | None = None
    has_other_kernel: bool = False
    owner: str = ""
    tags: tuple[str, ...] = ()
    data_ns: int = 0

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
        if is_asked and _is_audience(folder.name) and folder.is_dir(follow_symlinks=False):
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


def _is_audience(folder: str) -> bool:
    """Whether a folder of this name is one of dashboards."""
    return not folder.startswith(".") and not folder.endswith(_PUBLISHERS) and _is_text(folder)


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
        if not _is_text(entry.name):
            continue
        try:
            path = Path(entry.path).resolve(strict=True)
            info = path.stat()
        except (OSError, RuntimeError):
            continue
        # A link may lead to another file of the same folder, and nowhere else.
        if path.parent == folder and stat.S_ISREG(info.st_mode) and path.suffix == ".ipynb":
            yield _dashboard(folder.name, entry.name[: -len(".ipynb")], path, info)


def _is_text(name: str) -> bool:
    """Whether a file's name can stand in an address; Linux takes any bytes for one."""
    return not any("\ud800" <= sign <= "\udfff" for sign in name)


@dataclass(frozen=True, kw_only=True)
class Words:
    """What one version of a notebook says of itself, as plain text; empty where it says nothing.

    `data` are names that may be those of files beside it.
    """

    title: str = ""
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    problem: str | None = None
    has_other_kernel: bool = False


def _dashboard(group: str, name: str, path: Path, info: os.stat_result) -> Dashboard:
    words = _words(path, info.st_mtime_ns, info.st_size)
    return Dashboard(
        group=group,
        name=name,
        title=words.title or _from_file_name(name),
        description=words.description,
        path=path,
        modified_ns=info.st_mtime_ns,
        size=info.st_size,
        problem=words.problem,
        has_other_kernel=words.has_other_kernel,
        owner=words.owner,
        tags=words.tags,
        data_ns=changed_ns(path.parent, words.data),
    )


@lru_cache(maxsize=4096)
def _words(path: Path, modified_ns: int, size: int) -> Words:
    """What one version of a file says."""
    if size > LARGEST:
        return Words(problem=_TOO_LARGE)
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return Words(problem="This file cannot be read.")
    except (ValueError, RecursionError):
        return Words(problem="This file is no notebook: it is not valid JSON.")
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        return Words(problem="This file is no notebook: it has no list of cells.")
    problem = _other_language(notebook.get("metadata"))
    return replace(words_of(notebook), problem=problem, has_other_kernel=problem is not None)


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


def words_of(notebook: dict[str, Any]) -> Words:
    """What a notebook says of itself.

    Its metadata `atrium: {title, description, owner, tags}` goes first; then its first markdown
    cell, with first heading and first paragraph, and Jupyter's own `authors`. What has another
    shape counts as absent.
    """
    metadata = notebook.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    own = own_metadata(metadata)
    title, description = _short(own.get("title"), 120), _short(own.get("description"), 300)
    if not (title and description):
        heading, paragraph = _first_words(notebook["cells"])
        title = title or _short(heading, 120)
        description = description or _short(paragraph, 300)
    code = (_source(cell) for cell in notebook["cells"] if cell.get("cell_type") == "code")
    return Words(
        title=title,
        description=description,
        owner=_short(own.get("owner"), 60) or _short(_first_author(metadata), 60),
        tags=_tags(own.get("tags")),
        data=names_in(code),
    )


def _first_author(metadata: dict[str, Any]) -> object:
    authors = metadata.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else None
    return first.get("name") if isinstance(first, dict) else None


def _tags(given: object) -> tuple[str, ...]:
    """The first few short texts of a list, each once."""
    found: dict[str, str] = {}
    for tag in given[:100] if isinstance(given, list) else ():
        text = _short(tag, _LONGEST_TAG + 1)
        if 0 < len(text) <= _LONGEST_TAG and len(found) < _MOST_TAGS:
            found.setdefault(text.casefold(), text)
    return tuple(found.values())


def _first_words(cells: list[dict[str, Any]]) -> tuple[str, str]:
    markdown = next((c for c in cells if c.get("cell_type") == "markdown"), {})
    heading = paragraph = ""
    for block in _BLOCKS.split(_source(markdown)[:20_000]):
        first, _, rest = block.strip().partition("\n")
        if _HEADING.match(first):
            heading = heading or plain_text(first.lstrip("#"))
            first, block = "", rest
        if not paragraph and block.strip():
            paragraph = plain_text(block)
    return heading, paragraph


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source")
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def plain_text(markdown: str) -> str:
    """Markdown without its marks, on one line; what is left is text, not HTML. Of a long one the
    beginning."""
    text = markdown[:_LONGEST_BLOCK]
    for mark, left in _MARKS:
        text = mark.sub(left, text)
    return " ".join(unescape(text).split())


def _short(given: object, length: int) -> str:
    """A text on one line, without signs that do not print, for whom they could mislead; "" if it
    is none."""
    words = " ".join(given[:20_000].split()) if isinstance(given, str) else ""
    text = "".join(sign for sign in words if sign.isprintable() or sign in _JOINERS)
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _from_file_name(name: str) -> str:
    words = " ".join(_BETWEEN_WORDS.split(name)).strip() or name
    return words[:1].upper() + words[1:]
