"""A dashboard's first view as one static file: the least that a browser needs for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from bokeh.document import Document
from bokeh.embed.util import standalone_docs_json_and_render_items
from bokeh.server.contexts import BokehSessionContext

from dashboards.catalog import dashboards_of
from dashboards.files import usual_files
from dashboards.forks.warm import warm_up
from tests.benchmarks.opening.hubs import NOTEBOOKS

_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>
{scripts}
<body>{places}
<script>Bokeh.embed.embed_items({documents}, {items})</script>
"""


@contextlib.contextmanager
def static_file(name: str) -> Iterator[Path]:
    """The file of a dashboard, while it is needed. No loop may run in the thread."""
    with tempfile.TemporaryDirectory(prefix="atrium-static-") as folder:
        path = Path(folder, f"{name}.html")
        path.write_text(_page(name), "utf-8")
        yield path


def _page(name: str) -> str:
    """The text of the file, with the scripts that our pages have in it too."""
    document = _document(name)
    documents, items = standalone_docs_json_and_render_items(document)
    rendered = [item.to_json() for item in items]
    places = "".join(
        f'<div id="{place}" data-root-id="{root}" style="display: contents"></div>'
        for item in rendered
        for root, place in item["roots"].items()
    )
    scripts = "".join(
        f"<script>{_inside(file.read_text('utf-8'))}</script>" for file in usual_files()
    )
    return _PAGE.format(
        name=name,
        scripts=scripts,
        places=places,
        documents=_inside(json.dumps(documents)),
        items=_inside(json.dumps(rendered)),
    )


def _inside(script: str) -> str:
    """Text that ends no element that it stands in."""
    return script.replace("</script", "<\\/script")


def _document(name: str) -> Document:
    """The notebook's document, as a session's."""
    warm_up()
    from dashboards.running.notebook import NotebookHandler

    dashboard = next(one for one in dashboards_of(NOTEBOOKS) if one.name == name)
    document, server = Document(), SimpleNamespace(application=None)
    context = BokehSessionContext("s" * 44, server, document)  # type: ignore[arg-type]
    context._request = SimpleNamespace(  # type: ignore[assignment]
        arguments={}, headers={}, cookies={}, path="/", uri="/", protocol="http", host="localhost"
    )
    document._session_context = lambda: context  # type: ignore[assignment]
    notebook = NotebookHandler(dashboard)
    asyncio.run(notebook.run(document))
    assert notebook.failure is None, notebook.failure.traceback
    return document
