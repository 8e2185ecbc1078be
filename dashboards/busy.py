"""A page shows that its dashboard computes (static/dashboard.js).

It must be told before that begins: code of a notebook holds up all that this process says later.
So it is written to its WebSocket at once.

Imports Panel: only `dashboards.session_process` may import this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from bokeh.document import Document
from bokeh.document.events import MessageSentEvent
from bokeh.protocol import Protocol
from panel.io.state import state

if TYPE_CHECKING:
    from dashboards.page_socket import PageSocket

MESSAGE = "atrium-busy"
"""What the page is told by this name, static/dashboard.js shows."""

_AGAIN = 0.01  # seconds


def follow(document: Document, pages: Callable[[], Iterable[PageSocket]]) -> None:
    """Tell the pages whenever callbacks begin to run, and when they have ended.

    Panel's `pn.state.busy`, which is of this one dashboard: its process has no other.
    """
    loop = asyncio.get_running_loop()
    told: WeakKeyDictionary[PageSocket, bool] = WeakKeyDictionary()

    def tell() -> None:
        event = MessageSentEvent(document, MESSAGE, {"busy": state.busy})
        behind = [page for page in pages() if page.is_ready and told.get(page) != state.busy]
        for page in behind:
            if not page.is_writing:
                page.write_now(Protocol().create("PATCH-DOC", [event]))
                told[page] = state.busy
        if any(page.is_writing for page in behind):  # between the parts of another message
            loop.call_later(_AGAIN, tell)

    def changed(_: object) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # a thread of the notebook's
            loop.call_soon_threadsafe(tell)
        else:
            tell()

    state.param.watch(changed, "busy")
