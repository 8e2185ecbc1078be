"""What `get_ipython()` is in a notebook that is a dashboard: IPython's magics, as far as a page has
a use for them.

Cells ask it for their magics (`dashboards.cells.Cell.python`). What sets up its author's JupyterLab
does nothing here, and no command of a shell is run.
"""

from __future__ import annotations

import os
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from dashboards.cells import cells_of, evaluated, remember_lines
from dashboards.failure import CannotWork

_SHOWN = {"html": "text/html", "markdown": "text/markdown", "latex": "text/latex"}
_SHOWN["svg"] = "image/svg+xml"


class Shell:
    """Stands for IPython's InteractiveShell, for a notebook's own code (`dashboards.outputs`).

    Args:
        space: the names of the notebook.
        show: takes something that is to be shown, by its kind.
    """

    def __init__(self, space: dict[str, Any], show: Callable[[dict[str, str]], object]) -> None:
        self.user_ns = space
        self._show = show

    def run_line_magic(self, name: str, line: str, *_: object) -> str | None:
        """`%name line`; one that is not known does nothing. Returns what `%env name` asks for."""
        match name:
            case "run":
                self._run_file(self._filled_in(line))
            case "env" | "set_env":
                return self._environment(self._filled_in(line))
        return None

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """`%%name line`, with the cell below it; one that is not known does nothing."""
        if name in _SHOWN:
            self._show({_SHOWN[name]: cell})

    def magic(self, line: str) -> str | None:
        """As older notebooks write `run_line_magic`."""
        name, _, rest = line.lstrip("%").partition(" ")
        return self.run_line_magic(name, rest)

    def system(self, command: str) -> None:
        """`!command`: it prepares its author's machine, and that has been done."""

    def getoutput(self, command: str, *_: object, **__: object) -> list[str]:
        """`name = !command`. Raises CannotWork: what comes later needs the answer."""
        sentence = "This dashboard asks a command of the shell for data, which is not run here; "
        raise CannotWork(f"{sentence}read them with Python instead.", f"!{command}")

    def _filled_in(self, line: str) -> str:
        """With values for `$name` and `{expression}`, as IPython's; as it is, where that fails."""
        # Imported where it is needed, as few notebooks have such magics.
        from IPython.utils.text import DollarFormatter

        try:
            return DollarFormatter().vformat(line, (), self.user_ns)
        except Exception:
            return line

    def _run_file(self, line: str) -> None:
        words = [word for word in shlex.split(line) if not word.startswith("-")]
        path = Path(words[0] if words else "")
        if path.suffix == ".ipynb":
            self._run_notebook(path)
            return
        path = path if path.suffix else path.with_suffix(".py")
        found = runpy.run_path(os.fspath(path), self.user_ns, "__main__")
        self.user_ns.update({k: v for k, v in found.items() if not k.startswith("__")})

    def _run_notebook(self, path: Path) -> None:
        """Raises CannotWork where a cell awaits: who calls a magic gets its answer at once."""
        cells = [cell for cell in cells_of(path) if cell.is_code]
        remember_lines(cells)
        if any(cell.awaits for cell in cells):
            sentence = "This dashboard runs cells of another notebook that await something, which"
            raise CannotWork(
                f"{sentence} %run cannot do; write them into its own notebook instead.", path.name
            )
        for cell in cells:
            evaluated(cell.code, self.user_ns)

    @staticmethod
    def _environment(line: str) -> str | None:
        """As IPython's, but what is set is not printed, and never all of it told: a page is no
        place for a secret."""
        name, is_given, value = line.strip().partition("=" if "=" in line else " ")
        name = name.strip()
        if len(name.split()) > 1:
            raise UsageError(f"refusing to set env var with whitespace: {name!r}")
        if is_given:
            os.environ[name] = value.strip()
            return None
        if name and name not in os.environ:
            raise UsageError(f"Environment does not have key: {name}")
        return os.environ.get(name)
