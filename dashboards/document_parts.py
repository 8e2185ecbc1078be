"""What a document is made of, as Panel knows it.

Imports Panel: only `dashboards.warm` may import this module, when it is time for that.
"""

from __future__ import annotations

from typing import Any

from bokeh.document import Document
from panel.io.state import state
from panel.viewable import Viewable


def parts_of(doc: Document, kind: type[Any] | tuple[type[Any], ...]) -> list[Any]:
    """The parts of a document of this kind of Panel's, in the order of the page, each once."""
    template = state._templates.get(doc)
    shown = [part for part, _ in template._render_items.values()] if template is not None else []
    views = (state._views.get(root.ref["id"]) for root in doc.roots)
    shown += [view[0] for view in views if view]
    # What tells of the browser, or of the address, is part of a page and draws nothing.
    drawn = [one for one in shown if isinstance(one, Viewable)]
    found = [part for one in drawn for part in one.select(lambda part: isinstance(part, kind))]
    return list({id(part): part for part in found}.values())
