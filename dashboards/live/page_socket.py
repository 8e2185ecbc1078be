"""Bokeh's side of a page's WebSocket, in the process of its dashboard.

The WebSocket itself is the front's (`dashboards.web.dashboard_socket`); its messages come by the
link.

Imports Panel: only `dashboards.live.session_process` may import this module.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from bokeh.protocol import Protocol
from bokeh.protocol.receiver import Receiver
from bokeh.server.connection import ServerConnection
from bokeh.server.protocol_handler import ProtocolHandler
from panel.io.document import extra_socket_handlers
from tornado.locks import Lock

from dashboards.web.session_link import Kind

if TYPE_CHECKING:
    from dashboards.live.session_process import OpenDashboard

log = logging.getLogger(__name__)

_WAITING = 64 << 20  # bytes of a page's messages that may wait for their turn
_PATIENCE = 60  # seconds that what a page has said may take when it is gone


class PageSocket:
    """What Bokeh takes for a page's WebSocket, as `bokeh.server.views.ws.WSHandler`."""

    def __init__(self, opened: OpenDashboard, number: int, *, is_admin: bool) -> None:
        self._opened = opened
        self._number = number
        self._is_admin = is_admin
        self.is_ready = False  # until it has heard what it must hear first
        self.write_lock = Lock()  # Bokeh holds it while it writes the parts of a message
        #: None after the last one.
        self._messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._waiting = 0
        self._connection: ServerConnection | None = None
        self._work = asyncio.create_task(self._serve())

    def take(self, kind: Kind, payload: bytes) -> None:
        """What the page has said; or that it is gone: what it has said before is still done."""
        if kind is Kind.CLOSE:
            self._messages.put_nowait(None)
            asyncio.get_running_loop().call_later(_PATIENCE, self._lose)
        elif self._waiting + len(payload) > _WAITING:
            self._give_up()
            self._lose()
        else:
            self._waiting += len(payload)
            self._messages.put_nowait(payload.decode() if kind is Kind.TEXT else payload)

    async def _serve(self) -> None:
        protocol, opened = Protocol(), self._opened
        receiver, handler = Receiver(protocol), ProtocolHandler()
        session = opened.session
        assert session is not None  # nobody is connected before
        connection = ServerConnection(protocol, self, opened.context, session)  # pyright: ignore[reportArgumentType]
        self._connection = connection
        try:
            await self.send_message(protocol.create("ACK"))
            answer = await session.with_document_locked(opened.first_state_answer)
            if answer is not None:
                await self.send_message(answer)
            self.is_ready = True
            while (fragment := await self._messages.get()) is not None:
                self._waiting -= len(fragment)
                message = await receiver.consume(fragment)
                if message is not None:
                    work = await handler.handle(message, connection)
                    if work is not None:
                        await self.send_message(work)
        except Exception:
            log.exception("The WebSocket of %s failed", opened.dashboard.name)
            self._give_up()
        finally:
            self._lose()

    def _lose(self) -> None:
        """From now on the session is without this page."""
        if self._opened.pages.pop(self._number, None) and self._connection:
            session = self._connection.session
            self._connection.detach_session()
            if not session.destroyed:
                session.notify_connection_lost()

    def _give_up(self) -> None:
        self._opened.link.send(Kind.CLOSE, number=self._number)

    async def send_message(self, message: Any) -> None:
        """Called by Bokeh for each message; what went wrong in a callback is for admins."""
        if message.msgtype == "ERROR" and not self._is_admin:
            message.content.update(text="Something went wrong", traceback="")
        await message.send(self)

    async def write_message(
        self, message: str | bytes, binary: bool = False, locked: bool = True
    ) -> None:
        """Called by Bokeh for each part of a message."""
        if locked:
            with await self.write_lock.acquire():
                await self.write_message(message, binary, locked=False)
            return
        self._write(message)
        await self._opened.link.drained()

    @property
    def is_writing(self) -> bool:
        """Whether a message is under way in parts: nothing may come between them."""
        return self.write_lock._block._value == 0  # as Panel asks

    def write_now(self, message: Any) -> None:
        """For who has looked that no other message is being written, as Panel has."""
        self._write(message.header_json)
        self._write(message.metadata_json)
        self._write(message.content_json)
        for buffer in message._buffers:
            self._write(json.dumps(buffer.ref))
            self._write(buffer.to_bytes())

    def _write(self, part: str | bytes) -> None:
        if self._number in self._opened.pages:
            kind = Kind.TEXT if isinstance(part, str) else Kind.BINARY
            self._opened.link.send(kind, part, self._number)


def install() -> None:
    """Let Panel write to such sockets too; to be called once, before processes are forked."""
    extra_socket_handlers[PageSocket] = _write_now  # pyright: ignore[reportArgumentType]


def _write_now(connection: Any, events: Any = None, msg: Any = None) -> list[Any]:
    """What Panel sends beside Bokeh, so that a page sees it at once."""
    message = msg or connection.protocol.create("PATCH-DOC", events)
    connection._socket.write_now(message)
    return []
