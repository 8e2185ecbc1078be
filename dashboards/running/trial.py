"""A notebook as its first viewer would get it, and how that went: what `trial_run` runs.

Imports Panel: only a process that is for one notebook may import this module, once it is warm.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import contextlib
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from bokeh.core.templates import FILE
from bokeh.document import Document
from bokeh.events import DocumentReady
from bokeh.server.contexts import ApplicationContext, _RequestProxy
from bokeh.server.session import ServerSession
from bokeh.util.token import generate_jwt_token, generate_session_id
from panel.io.state import set_curdoc
from tornado.ioloop import IOLoop

from dashboards import identity, miniature
from dashboards.catalog import Dashboard
from dashboards.failure import Failure, noted
from dashboards.live.rendering import dashboard_page, own_page, resources_at
from dashboards.running import shared_file
from dashboards.running.cells import Cell, Content, names_used
from dashboards.running.imports import modules_named
from dashboards.running.notebook import NotebookApplication, NotebookHandler
from dashboards.running.shared import as_given
from dashboards.running.shared_process import run_shared
from dashboards.running.trial_run import FOR_NOBODY, LONGEST, SAID, Outcome
from dashboards.web.bare_request import request_from

_MOST: Final = 100  # packages that are told of
_PATIENCE: Final = 5.0  # seconds for what a notebook does once its page is there
_NOBODYS: Final = {"uri": "/", "protocol": "http", "host": "127.0.0.1", "headers": {}}
_TOKEN: Final = {"headers": {}, "cookies": {}, "arguments": {}}


def lines(path: Path, content: Content, began: float) -> Iterator[bytes]:
    """How it went; then its pictures, if there are any.

    Args:
        path: of the notebook, which need not be there.
        content: what is in it.
        began: when this began, by `time.monotonic`, which is one clock for all processes.
    """
    missing = missing_packages(content.cells, path.parent)
    left = _left_by_shared(content.cells, path)
    with asyncio.Runner() as runner:
        session, failure = runner.run(_open(path, content, left))
        seconds, memory = time.monotonic() - began, _peak_memory()
        if not failure and not identity.was_asked():
            runner.run(_come_to_rest(session))
        outcome = Outcome(
            **_told(failure),
            seconds=seconds,
            memory=memory,
            needs_viewer=identity.was_asked(),
            missing=missing,
        )
        yield _line(asdict(outcome))
        if not outcome.problem and not outcome.needs_viewer:
            yield _line(_texts(miniature.pictures(session.document)))


def _line(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told).encode() + b"\n"


def _texts(pictures: Mapping[str, bytes]) -> dict[str, str]:
    return {scheme: base64.b64encode(picture).decode() for scheme, picture in pictures.items()}


# -- running it ---------------------------------------------------------------------------------


class _Tried(NotebookHandler):
    """Runs a notebook for nobody."""

    async def run(self, doc: Document) -> None:
        """As a viewer's; what a request tells of its sender there is nobody to tell of."""
        identity.belong_to_nobody(FOR_NOBODY)
        nobodys = property(lambda _: identity.refuse())
        _RequestProxy.headers = _RequestProxy.cookies = nobodys  # type: ignore[assignment]
        await super().run(doc)


async def _open(
    path: Path, content: Content, left: dict[str, Any] | Failure | None
) -> tuple[ServerSession, Failure | None]:
    """Make its document and its page, by the way that a viewer's process goes."""
    dashboard = Dashboard(
        group=path.parent.name,
        name=path.stem,
        title=path.stem,
        description="",
        path=path,
        modified_ns=0,
        size=0,
    )
    notebook = _Tried(dashboard, content=content)
    notebook.left = left
    context = ApplicationContext(NotebookApplication(notebook), io_loop=IOLoop.current(), url="/")
    session_id = generate_session_id()
    token = generate_jwt_token(session_id, extra_payload=_TOKEN)
    session = await context.create_session_if_needed(session_id, request_from(_NOBODYS), token)
    failure = notebook.failure
    if not failure:
        failure = _made_page(session)
    return session, failure


def _left_by_shared(cells: tuple[Cell, ...], path: Path) -> dict[str, Any] | Failure | None:
    """What shared cells leave, as viewers get it: by way of a file. None where there are none."""
    if not any(cell.is_shared for cell in cells):
        return None
    used = names_used(cell for cell in cells if not cell.is_shared)
    try:
        with tempfile.NamedTemporaryFile() as kept, open(kept.name, "wb") as file:
            shared_file.write(run_shared(cells, path), file, needed=used)
            return as_given(shared_file.read(Path(kept.name)))
    except (Exception, SystemExit) as error:
        return noted(path.name, error)


def _made_page(session: ServerSession) -> Failure | None:
    """Make the page that a browser would get; why it cannot be made, if so."""
    resources = resources_at("/")
    try:
        if session.document.template is FILE:
            dashboard_page(session, resources, "/", {"ignored": ()})
        else:
            own_page(session, resources, "/", [])
    except Exception as error:
        return noted("The page", error)
    return None


async def _come_to_rest(session: ServerSession) -> None:
    """Let run what waits for the page to be there, as its browser tells; for a few seconds."""

    async def is_there() -> None:
        session.document.callbacks.trigger_event(DocumentReady())

    # What fails now fails beside the page, and says so there.
    with set_curdoc(session.document), contextlib.suppress(Exception):
        await session.with_document_locked(is_there)
    await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=_PATIENCE)


# -- telling of it ------------------------------------------------------------------------------


def _told(failure: Failure | None) -> dict[str, str]:
    """Problem, cell and traceback. To need a viewer is no problem."""
    if failure is None:
        return {}
    if identity.was_asked() and identity.NeedsViewer.__name__ in failure.traceback:
        return {}
    trace = failure.traceback.encode(errors="replace").decode()
    place = re.search(r'\.ipynb, cell (\d+)"', trace)
    cell = f"cell {place[1]}" if place else ""
    said = re.search(rf"^{re.escape(failure.summary)}: (.+)", trace, re.MULTILINE)
    problem = f"{cell.capitalize() or 'It'} fails with {failure.summary}"
    if said:
        problem += f": {said[1]}"
    return {
        "problem": problem[:SAID],
        "cell": cell,
        "traceback": trace[-LONGEST:],
    }


def _peak_memory() -> int:
    """The most that this process had in memory so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def missing_packages(cells: Iterable[Cell], folder: Path) -> tuple[str, ...]:
    """The packages that import lines name and that are not here, sorted.

    Those that lines within `try` name are left out: the notebook can do without.
    """
    found: set[str] = set()
    for cell in cells:
        try:
            tree = ast.parse(cell.python) if cell.is_code else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # it fails by itself
        if tree:
            found |= set(_imported(tree))
    missing = sorted(name[:SAID] for name in found if not _is_here(name, folder))
    return tuple(missing[:_MOST])


def _imported(tree: ast.AST) -> Iterator[str]:
    waiting = [tree]  # a long sum is a deep tree: no recursion
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            yield from (name.partition(".")[0] for name in modules_named(node))
            if not isinstance(node, ast.Try | ast.TryStar):
                waiting.append(node)


def _is_here(name: str, folder: Path) -> bool:
    beside = (f"{name}.py", name)
    if name in sys.modules or any(os.path.exists(folder / one) for one in beside):
        return True
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
