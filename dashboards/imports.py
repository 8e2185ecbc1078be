"""`python -I -m dashboards.imports FOLDER`: what the notebooks import, as a list in JSON.

A process of its own: what it reads must not stay in the memory of the one that servers are forked
from, and a file that is too much for the parser ends only this one. It runs no notebook.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from dashboards.catalog import dashboards_of
from dashboards.cells import cells_of

_OWN = {"dashboards", "hub_extensions"}


def imported_by(root: Path) -> list[str]:
    """The modules that notebooks name in their import lines and that this environment adds to
    Python, sorted. Notebooks that cannot be read count for nothing."""
    found: set[str] = set()
    for folder in os.scandir(root):
        if not folder.name.startswith(".") and folder.is_dir(follow_symlinks=False):
            for dashboard in dashboards_of(Path(folder.path)):
                if not dashboard.problem:
                    found |= _imported(dashboard.path)
    installed = {name: _is_installed(name) for name in {m.partition(".")[0] for m in found}}
    return sorted(name for name in found if installed[name.partition(".")[0]])


def _imported(path: Path) -> set[str]:
    try:
        trees = [ast.parse(cell.python) for cell in cells_of(path) if cell.is_code]
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return set()
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {name for node in nodes for name in modules_named(node) if _is_public(name)}


def modules_named(node: ast.AST) -> Iterable[str]:
    """The modules that an import line names; none of another line, or beside the notebook."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def _is_public(name: str) -> bool:
    """Not `__main__`, which is there to be run."""
    return not any(part.startswith("_") for part in name.split("."))


def _is_installed(name: str) -> bool:
    """Whether a package comes with the environment; what is beside a notebook does not count."""
    if name in sys.stdlib_module_names or name in _OWN:
        return False
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


if __name__ == "__main__":
    json.dump(imported_by(Path(sys.argv[1]).resolve()), sys.stdout)
