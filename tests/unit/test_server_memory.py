"""What a server uses is what its processes use together, and not each of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from hub_extensions.accounts.server_api import _megabytes

MEGABYTES = 100
#: A parent with much in memory, which it shares with three forks.
FAMILY = f"""
import os, time
kept = bytearray(os.urandom({MEGABYTES} << 20))
for _ in range(3):
    if not os.fork():
        time.sleep(600)
print("ready", flush=True)
input()
"""


@pytest.fixture
def family() -> Iterator[int]:
    command = [sys.executable, "-c", FAMILY]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with psutil.Popen(command, **pipes) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        for member in [*process.children(), process]:
            member.kill()


@pytest.mark.parametrize("is_hidden", [False, True])
def test_shared_memory_is_counted_once(
    family: int, is_hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_hidden:

        def refuse(process: psutil.Process) -> None:
            raise psutil.AccessDenied(process.pid)

        monkeypatch.setattr(psutil.Process, "memory_full_info", refuse)
    assert MEGABYTES < _megabytes(family) < 1.5 * MEGABYTES


def test_one_that_has_ended_uses_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert _megabytes(process.pid) == 0
