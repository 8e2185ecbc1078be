"""A callback of a live dashboard that fails: the page says so, the log says why.

Imports Panel: only `dashboards.live.session_process` may import this module.
"""

from __future__ import annotations

import panel as pn

from dashboards.failure import noted
from dashboards.live.page_message import tell_page

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
        tell_page(document, MESSAGE, told)
