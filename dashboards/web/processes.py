"""The processes that a server's front orders for its dashboards (`dashboards.forks.forking`)."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from dashboards.forks.forking import order

log = logging.getLogger(__name__)


class Process:
    """A process that was ordered.

    Attributes:
        line: our end of its socket.
        pid: 0 until it is known.
        error: why there is none, "" if there is.
        is_wanted: it is not to be ended.
        ended: its exit status, as subprocess tells it; 0 where there never was one.
    """

    def __init__(self, number: int, line: socket.socket) -> None:
        self.number = number
        self.line = line
        self.pid = 0
        self.error = ""
        self.is_wanted = True
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()


class Processes:
    """Orders processes, ends them, and hears how they have ended.

    Args:
        channel: the socket on which they are ordered.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._heard = b""
        self._orders = 0
        self._living: set[Process] = set()
        self._unsent: deque[tuple[bytes, socket.socket | None]] = deque()

    def start(self, alone: Callable[[], None]) -> None:
        """Hear of them. `alone`: called when there will be no more."""
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel, self._hear, alone)

    def fork(self) -> Process:
        """A new one. Raises OSError where no socket can be had."""
        self._orders += 1
        ours, theirs = socket.socketpair()
        self._send(order("fork", self._orders), theirs)
        process = Process(self._orders, ours)
        self._living.add(process)
        return process

    def end(self, process: Process) -> None:
        """Kill it, if it has not ended; or as soon as there is one."""
        process.is_wanted = False
        if process.pid and not process.ended.done():
            self._send(order("end", process.pid))

    def _send(self, packet: bytes, line: socket.socket | None = None) -> None:
        """Send an order, and with it the end of a socket; after those that still wait."""
        self._unsent.append((packet, line))
        if len(self._unsent) == 1:
            self._send_all()

    def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._unsent:
            packet, line = self._unsent[0]
            try:
                socket.send_fds(self._channel, [packet], [line.fileno()] if line else [])
            except BlockingIOError:  # it is busy, and will take them later
                loop.add_writer(self._channel, self._send_all)
                return
            except OSError:  # it has ended, as is heard too
                pass
            self._unsent.popleft()
            if line:
                line.close()
        loop.remove_writer(self._channel)

    def _hear(self, alone: Callable[[], None]) -> None:
        try:
            packet = self._channel.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            asyncio.get_running_loop().remove_reader(self._channel)
            alone()
            return
        *lines, self._heard = (self._heard + packet).split(b"\n")
        for line in lines:
            self._note(json.loads(line))

    def _note(self, said: dict[str, Any]) -> None:
        for process in tuple(self._living):
            if said.get("order") == process.number:
                process.pid, process.error = said.get("pid", 0), said.get("error", "")
                if process.error:
                    log.error("A dashboard gets no process: %s", process.error)
                    process.ended.set_result(0)
                elif not process.is_wanted:
                    self.end(process)
            elif said.get("ended") == process.pid:
                process.ended.set_result(said["status"])
            if process.ended.done():
                self._living.discard(process)
