"""The files of the audit trail: lines are added, files rotate, nothing that was written is lost.

`audit.jsonl` is what grows; when it is full it is named after its first record, such as
`audit-000000000101.jsonl`. One process writes; it holds a lock on the folder for as long.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

from tornado.log import app_log

from . import chain
from .chain import Head
from .people import People

#: Bytes after which a file is full, and how many full ones are kept: some 400,000 records.
FILE_SIZE: Final = 4_000_000
KEEP: Final = 50
#: The hub's log is told the end of the chain after so many records.
_TELL_EVERY: Final = 100


class TrailInUse(Exception):
    """Another process writes this trail."""


class Trail(logging.Handler):
    """The handler of jupyter-events' logger that seals each event into the chain."""

    def __init__(
        self, folder: Path, key: str, *, file_size: int = FILE_SIZE, keep: int = KEEP
    ) -> None:
        """Go on with the trail in a folder, or begin one.

        Raises:
            TrailInUse: another process writes it.
        """
        super().__init__()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder, self._key = folder, bytes.fromhex(key)
        self._file_size, self._keep = file_size, keep
        self._current = folder / "audit.jsonl"
        self._only_writer = _locked(folder / "lock")
        self.people = People(folder / "people.sqlite")
        self.head = self._found_head()
        self._tell("goes on" if self.head.seq else "begins")
        atexit.register(self.close)

    # -- writing ---------------------------------------------------------------------------

    def emit(self, record: logging.LogRecord) -> None:
        """Add a line. Called by the event logger; raises OSError when it cannot be written."""
        size = self._size()
        if size >= self._file_size:
            self._rotate()
            size = 0
        line, head = chain.seal(self.format(record), self.head, self._key, opens=not size)
        self._append(line.encode(), size)
        self.head = head
        if head.seq % _TELL_EVERY == 0:
            self._tell("stands")

    def close(self) -> None:
        """Write no more, and let others."""
        if self._only_writer >= 0:
            self._tell("ends")
            os.close(self._only_writer)
            self._only_writer = -1
        atexit.unregister(self.close)
        super().close()

    def _append(self, data: bytes, size: int) -> None:
        """All of a line or nothing of it, whatever the disk has room for."""
        file = os.open(self._current, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.write(file, data) < len(data):
                raise OSError("no space is left for a whole record")
        except OSError:
            os.ftruncate(file, size)
            raise
        finally:
            os.close(file)

    def _size(self) -> int:
        return self._current.stat().st_size if self._current.exists() else 0

    def _rotate(self) -> None:
        """Make way for a new file, and remove those that are too old."""
        with self._current.open() as file:
            first = chain.head_of(file.readline()) or Head()
        self._current.rename(self.folder / f"audit-{first.seq:012}.jsonl")
        for path in self._full_files()[: -self._keep]:
            path.unlink()
        self._tell("rotates")

    def _tell(self, what: str) -> None:
        """Say the end of the chain where somebody who writes the trail's folder cannot."""
        app_log.info("The audit trail %s at record %d %s", what, self.head.seq, self.head.mac)

    def _found_head(self) -> Head:
        """The end of what an earlier process wrote, without a line that it could not finish."""
        data = self._current.read_bytes() if self._current.exists() else b""
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            app_log.error("The audit trail ended in half a record, which is taken away: a crash?")
            os.truncate(self._current, whole)
        for path in reversed(self._files()):
            for line in reversed(_lines(path.read_bytes())):
                if head := chain.head_of(line):
                    return head
        return Head()

    # -- reading ---------------------------------------------------------------------------

    def newest_first(self) -> Iterator[dict[str, Any]]:
        """Every record, from any thread, while more are written."""
        with ExitStack() as stack:
            _, files = self._opened(stack)
            for file in reversed(files):
                for line in reversed(_lines(file.read())):
                    if fields := chain.fields_of(line):
                        yield fields

    def problem(self) -> str:
        """What is wrong with the chain, in a sentence; "" if it holds. From any thread."""
        with ExitStack() as stack:
            head, files = self._opened(stack)
            lines = (line for file in files for line in _lines(file.read()))
            # The oldest make way for new ones only where there are as many as are kept.
            whole = len(files) <= self._keep
            return chain.problem_in(lines, self._key, whole=whole, ends=head)

    def _opened(self, stack: ExitStack) -> tuple[Head, list[IO[bytes]]]:
        """The end of the chain now, and its files, oldest first; they stay whatever rotates."""
        self.acquire()
        try:
            return self.head, [stack.enter_context(path.open("rb")) for path in self._files()]
        finally:
            self.release()

    def _files(self) -> list[Path]:
        return [*self._full_files(), *([self._current] if self._current.exists() else [])]

    def _full_files(self) -> list[Path]:
        return sorted(self.folder.glob("audit-*.jsonl"))


def _lines(data: bytes) -> list[str]:
    return [line for line in data.decode(errors="replace").split("\n") if line]


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise TrailInUse(f"another process writes the audit trail in {path.parent}") from None
    return descriptor
