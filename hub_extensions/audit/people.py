"""Who is who in the audit trail: a pseudonym for each person, in a file of its own.

The trail's chain covers pseudonyms, so it still holds when a person's name is taken out of here.
The file is no part of the hub's database because records are written while that one is locked.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

PSEUDONYM: Final = re.compile(r"p-[0-9a-f]{12}")


class People:
    """The file of names. Each call opens it anew: any thread and process may ask."""

    def __init__(self, path: Path) -> None:
        self._path = path
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with self._file() as file:
            file.execute("CREATE TABLE IF NOT EXISTS people (name PRIMARY KEY, pseudonym)")

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as file, file:
            file.execute("PRAGMA secure_delete = ON")  # a name taken out is overwritten
            yield file

    def pseudonym(self, name: str) -> str:
        """A person's pseudonym, made at the first time."""
        name = name.casefold()
        with self._file() as file:
            if known := _find(file, name):
                return known
            fresh = f"p-{secrets.token_hex(6)}"
            file.execute("INSERT INTO people VALUES (?, ?)", (name, fresh))
            return fresh

    def known(self, name: str) -> str:
        """A person's pseudonym, "" for somebody of whom nothing was ever written down."""
        with self._file() as file:
            return _find(file, name.casefold())

    def names(self) -> Mapping[str, str]:
        """The name of each pseudonym."""
        with self._file() as file:
            return dict(file.execute("SELECT pseudonym, name FROM people"))

    def forget(self, name: str) -> None:
        """Take a person's name out, for good."""
        with self._file() as file:
            file.execute("DELETE FROM people WHERE name = ?", (name.casefold(),))


def _find(file: sqlite3.Connection, name: str) -> str:
    row = file.execute("SELECT pseudonym FROM people WHERE name = ?", (name,)).fetchone()
    return row[0] if row else ""
