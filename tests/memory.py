"""What a process holds in its memory, as root can read it, hidden or not."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from pathlib import Path

import pytest

from tests.hub import Hub

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PART = 256 * _PAGE


def memory_of(pid: int) -> bytes:
    """What a process has written to its memory; needs root."""
    if os.geteuid():
        pytest.skip("only root reads the memory of a process that hides it")
    parts = []
    place = Path(f"/proc/{pid}")
    with (
        (place / "mem").open("rb", buffering=0) as memory,
        (place / "pagemap").open("rb", buffering=0) as pages,
    ):
        for line in (place / "maps").read_text().splitlines():
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not found or "[v" in line:
                continue
            begin, end = (int(number, 16) for number in found.groups())
            for start in range(begin, end, _PART):
                size = min(_PART, end - start)
                pages.seek(start // _PAGE * 8)
                if _is_used(pages.read(size // _PAGE * 8)):  # much is set aside, and unused
                    memory.seek(start)
                    parts.append(memory.read(size))
    return b"".join(parts)


def _is_used(pages: bytes) -> bool:
    """Whether one of these pages is in memory or swapped out: the highest two bits of its entry
    in `pagemap` (https://docs.kernel.org/admin-guide/mm/pagemap.html)."""
    return max(pages[7::8]) >= 0x40


def token_of(hub: Hub, name: str, server: str = "") -> str:
    """The token of the hub's API that one of somebody's servers has been given."""
    memory = memory_of(hub.front_of(name, server).pid)
    with contextlib.closing(sqlite3.connect(hub.state / "jupyterhub.sqlite")) as db:
        begins = {row[0] for row in db.execute("SELECT prefix FROM api_tokens")}
    # Each by how it begins, which is found faster than by what a token is like.
    found = {
        one for begin in begins for one in re.findall(rb"%b[0-9a-f]+" % begin.encode(), memory)
    }
    for token in (one.decode() for one in found if len(one) == 32):
        # That of the cookie by which its owner came is there too.
        answer = hub.api("/claims", headers={"Authorization": f"token {token}"})
        if answer.ok and answer.json()["name"] == name:
            return token
    raise AssertionError("no token is in the memory of the server's front")
