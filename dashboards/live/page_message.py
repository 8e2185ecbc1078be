"""What a dashboard's page is told beside its document.

Imports Panel: only modules that run dashboards may import this one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from bokeh.document import Document
from bokeh.document.events import MessageSentEvent
from panel.io.state import set_curdoc, state


def tell_page(document: Document, name: str, told: dict[str, Any]) -> None:
    """Send a message that scripts of the page hear with Bokeh's `on_message(name, …)`.

    At the document's next turn: what calls this may be code of a notebook that does not hold the
    document's lock, such as a coroutine that goes on, or a thread.
    """
    if not hasattr(document, "roots"):
        return  # destroyed: its session has ended, and there is no page
    event = MessageSentEvent(document, name, told)
    with set_curdoc(document):
        state.execute(partial(document.callbacks.trigger_on_change, event), schedule=True)
