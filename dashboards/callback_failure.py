"""A callback of a live dashboard that fails: the page says so, the log says why.

Imports Panel: only `dashboards.running` may import this module.
"""

from __future__ import annotations

from functools import partial

import panel as pn
from bokeh.document import Document
from bokeh.document.events import MessageSentEvent

from dashboards.failure import noted

MESSAGE = "atrium-failed"
"""What the page is sent, with `reference` and `sentence`; `dashboard.js` shows them."""


def install() -> None:
    """Hear of what Panel's callbacks raise, unless a notebook has a handler of its own.

    Panel, "Add an exception handler" (`pn.config.exception_handler`).
    """
    pn.config.exception_handler = _failed


def _failed(error: BaseException) -> None:
    document = pn.state.curdoc
    failure = noted(f"A callback of {document.title if document else 'a dashboard'}", error)
    if document is not None:
        told = {"reference": failure.reference, "sentence": failure.sentence}
        # It may be raised in a thread: a document is changed in its turn only.
        document.add_next_tick_callback(partial(_tell, document, told))


def _tell(document: Document, told: dict[str, str]) -> None:
    document.callbacks.trigger_on_change(MessageSentEvent(document, MESSAGE, told))
