"""What a process holds in its memory, as root can read it, hidden or not."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from pathlib import Path

import pytest

from tests.hub import Hub

_PART = 1 << 20


def memory_of(pid: int) -> bytes:
    """What a process has written to its memory; needs root."""
    if os.geteuid():
        pytest.skip("only root reads the memory of a process that hides it")
    parts = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if found and "[v" not in line:
                begin, end = (int(number, 16) for number in found.groups())
                memory.seek(begin)
                parts += [
                    memory.read(min(_PART, end - place)) for place in range(begin, end, _PART)
                ]
    return b"".join(part for part in parts if part.strip(b"\0"))  # much is set aside, and unused


def token_of(hub: Hub, name: str) -> str:
    """The token of the hub's API that somebody's server has been given."""
    memory = memory_of(hub.front_of(name).pid)
    with contextlib.closing(sqlite3.connect(hub.state / "jupyterhub.sqlite")) as db:
        begins = {row[0] for row in db.execute("SELECT prefix FROM api_tokens")}
    for found in set(re.findall(rb"\b[0-9a-f]{32}\b", memory)):
        token = found.decode()
        if not any(token.startswith(begin) for begin in begins):
            continue
        answer = hub.api("/user", headers={"Authorization": f"token {token}"})
        if answer.ok and answer.json()["name"] == name:
            return token
    raise AssertionError("no token is in the memory of the server's front")
