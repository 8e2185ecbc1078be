"""Reads a notebook that somebody hands in, apart from the hub: it may be anything.

`python -m hub_extensions.publishing.reading` takes on standard input a line of JSON, the sizes of
what follows: of the `notebook`, of the one that is there now (`present`), and pairs of name and
size of `texts`, beginnings of its data files. It writes a line of JSON (`checks.Found`), and after
it the notebook as it would be published: without outputs. One that cannot be published is left out.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from ..notebook_files import LARGEST
from .changes import Cell, changes
from .secret_shapes import Finding, findings

TOO_LARGE: Final = (
    "This notebook is too large: it may have less than 50 MB, and 16 MB without its outputs. Put"
    " its data into a file beside it."
)
#: Seconds that it may take, on a machine that is busy.
PATIENCE: Final = 30.0
NO_WORD: Final = "This file could not be read as a notebook."

_SECONDS_OF_CPU: Final = 5
_MEMORY: Final = 2 * 1024**3
_MOST_CELLS: Final = 5000
_MOST_IN_FILES: Final = 20  # findings that are told of data files


class _NoNotebook(Exception):
    """Says why."""


def main() -> None:
    """Read, and write what is found."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS_OF_CPU, _SECONDS_OF_CPU))
    given = sys.stdin.buffer
    sizes = json.loads(given.readline())
    notebook, present = given.read(sizes["notebook"]), given.read(sizes["present"])
    texts = {name: given.read(size) for name, size in sizes["texts"]}
    found, notebook = look_at(notebook, present, texts)
    line = json.dumps(found, ensure_ascii=False).encode(errors="replace")
    sys.stdout.buffer.write(line + b"\n" + notebook)


def look_at(
    notebook: bytes, present: bytes, texts: Mapping[str, bytes] = MappingProxyType({})
) -> tuple[dict[str, Any], bytes]:
    """What is known of a notebook, as `Found` takes it, and it without its outputs."""
    try:
        clean, outputs = _without_outputs(_parsed(notebook))
    except _NoNotebook as error:
        return {"problem": str(error)}, b""
    except (MemoryError, RecursionError):
        return {"problem": NO_WORD}, b""
    cells = cells_of(clean)
    text = _written(clean)
    if len(text) > LARGEST:
        return {"problem": TOO_LARGE}, b""
    found = {
        "problem": "",
        "title": _title(clean),
        "cells": len(cells),
        "outputs": outputs,
        "secrets": [
            *map(asdict, findings(source for _, source in cells)),
            *map(asdict, islice(_findings_in(texts), _MOST_IN_FILES)),
        ],
        "changes": [asdict(change) for change in changes(_cells_in(present), cells)],
    }
    return found, text


def _findings_in(texts: Mapping[str, bytes]) -> Iterator[Finding]:
    """What looks like a secret in data files; nothing in one that is no text."""
    for name, text in texts.items():
        if b"\0" not in text:
            for found in findings([text.decode(errors="replace")]):
                yield replace(found, cell=0, file=name)


def _written(notebook: dict[str, Any]) -> bytes:
    """A notebook as Jupyter writes it: line by line, so that its versions can be compared."""
    from nbformat.v4 import writes

    text = writes(notebook, ensure_ascii=False)
    return f"{text.rstrip()}\n".encode(errors="replace")


def _parsed(notebook: bytes) -> dict[str, Any]:
    import nbformat
    from nbformat.validator import NotebookValidationError, normalize

    try:
        parsed = json.loads(notebook.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise _NoNotebook("This file is no notebook: it is not valid JSON.") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("cells"), list):
        raise _NoNotebook("This file is no notebook: it has no list of cells.")
    if parsed.get("nbformat") != 4:
        raise _NoNotebook(
            "This notebook has a format other than 4. Open it in JupyterLab and save it again."
        )
    if len(parsed["cells"]) > _MOST_CELLS:
        raise _NoNotebook(f"This notebook has more than {_MOST_CELLS} cells.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _, normal = normalize(nbformat.from_dict(parsed))
            nbformat.validate(normal)
        except NotebookValidationError:
            raise _NoNotebook(
                "This file is not as notebooks are. Open it in JupyterLab and save it again."
            ) from None
        except Exception:  # it may hold anything in any place
            raise _NoNotebook(NO_WORD) from None
    if (language := _language(normal)).casefold() not in {"", "python"}:
        raise _NoNotebook(f"This notebook is written in {language}; dashboards are made of Python.")
    return normal


def _language(notebook: dict[str, Any]) -> str:
    """What a notebook says of its language, "" for nothing."""
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        said = notebook["metadata"].get(part)
        if isinstance(said, dict) and isinstance(said.get(key), str):
            return said[key][:40]
    return ""


def _without_outputs(notebook: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """A notebook without what its code has put out, and how many outputs that was."""
    outputs = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            outputs += len(cell["outputs"])
            cell["outputs"], cell["execution_count"] = [], None
            cell["metadata"].pop("execution", None)  # when it ran
    if notebook["metadata"].pop("widgets", None) is not None:  # what its widgets showed
        outputs += 1
    return notebook, outputs


def cells_of(notebook: dict[str, Any]) -> list[Cell]:
    """Type and text of each cell, whatever else there may be in their place."""
    found = []
    for cell in notebook["cells"]:
        source = cell.get("source", "") if isinstance(cell, dict) else ""
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        kind = cell.get("cell_type") if isinstance(cell, dict) else ""
        found.append((str(kind)[:20], source if isinstance(source, str) else ""))
    return found


def _cells_in(present: bytes) -> list[Cell]:
    """The cells of what is there now; none if it is no notebook."""
    try:
        notebook = json.loads(present)
        return cells_of(notebook)[:_MOST_CELLS]
    except (ValueError, RecursionError, MemoryError, KeyError, TypeError):
        return []


def _title(notebook: dict[str, Any]) -> str:
    """As the gallery has it: from the metadata, or the first heading."""
    own = notebook["metadata"].get("atrium")
    title = own.get("title") if isinstance(own, dict) else ""
    if not isinstance(title, str) or not title:
        text = next((s for kind, s in cells_of(notebook) if kind == "markdown"), "")
        line = next((line for line in text[:2000].splitlines() if line.startswith("#")), "")
        title = line.lstrip("# ")
    return " ".join(title.split())[:120]


if __name__ == "__main__":
    main()
