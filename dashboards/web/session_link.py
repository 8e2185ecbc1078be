"""What the front of a server and the process of a session say to each other, over a socket.

A frame is its kind, a number (of the WebSocket that it is about, or of the question for a
component's file; 0 for none), the length of what follows, and that many bytes. The front trusts
nothing that comes from a session: there code of notebooks runs.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from enum import IntEnum
from typing import Any

_HEADER = struct.Struct("!BIQ")


class Kind(IntEnum):
    """What a frame is."""

    #: To the session: run this notebook for this person. JSON.
    OPEN = 1
    #: From it: it has run, and how that went. JSON.
    OPENED = 2
    #: From it: the page, text.
    PAGE = 3
    #: To it: a WebSocket has been opened. JSON.
    CONNECT = 4
    #: Both ways: a message of a WebSocket.
    TEXT = 5
    BINARY = 6
    #: Both ways: a WebSocket is closed, or to be closed.
    CLOSE = 7
    #: From it: ask the hub for what the shared cells have left; and the answer. JSON.
    SHARED = 8
    #: To it: which file of a component is asked for. From it, under the same number: its bytes,
    #: none where there is no such file.
    COMPONENT = 9
    #: To it: come to an end.
    END = 10
    #: From it, while the notebook runs: how far it is. JSON.
    PROGRESS = 11
    #: From it: something went wrong in it, under this reference. Text.
    FAILED = 12


_MEGABYTE = 1 << 20
#: Bytes of a frame: what is longer would fill the front's memory, or hold it up.
_LONGEST = {
    **dict.fromkeys(Kind, 4 * _MEGABYTE),
    **dict.fromkeys((Kind.PAGE, Kind.TEXT, Kind.BINARY, Kind.COMPONENT), 256 * _MEGABYTE),
}


class Link:
    """One end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, line: socket.socket) -> Link:
        """The end of a connected socket."""
        return cls(*await asyncio.open_unix_connection(sock=line))

    def send(self, kind: Kind, payload: str | bytes = b"", number: int = 0) -> None:
        """Send a frame, or keep it until it can be; whoever sends much waits with `drained`."""
        if isinstance(payload, str):
            payload = payload.encode()
        self._writer.write(_HEADER.pack(kind, number, len(payload)))
        self._writer.write(payload)

    def send_json(self, kind: Kind, **what: Any) -> None:
        """Send a frame of JSON."""
        self.send(kind, json.dumps(what))

    async def drained(self) -> None:
        """Wait until the other end has taken most of it. Raises ConnectionError."""
        await self._writer.drain()

    async def emptied(self) -> None:
        """Wait until the other end has taken all of it. Raises ConnectionError."""
        self._writer.transport.set_write_buffer_limits(high=0)
        await self._writer.drain()

    async def receive(self) -> tuple[Kind, int, bytes]:
        """The next frame. Raises EOFError at the end, ValueError for what is none."""
        header = await self._reader.readexactly(_HEADER.size)
        kind, number, length = _HEADER.unpack(header)
        if length > _LONGEST[Kind(kind)]:
            raise ValueError(f"a frame of {length} bytes")
        return Kind(kind), number, await self._reader.readexactly(length)

    def close(self) -> None:
        """Send what there is, and nothing more."""
        self._writer.close()
