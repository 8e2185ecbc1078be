"""A server that computes for long gives way, and takes its place again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import psutil
import pytest

from hub_extensions import server_limits
from hub_extensions.server_limits import Share
from tests.hub import wait_until


@pytest.fixture
def process() -> Iterator[psutil.Popen]:
    with psutil.Popen([sys.executable, "-c", "input()"], stdin=-1) as process:
        yield process
        process.kill()


class Clock:
    """A clock, and a process that has used the processor for `used` seconds until now."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, process: psutil.Popen) -> None:
        self.now, self.used = 100.0, 3.0
        times = psutil.Process(process.pid).cpu_times()
        monkeypatch.setattr(server_limits.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(
            psutil.Process,
            "cpu_times",
            lambda _: times._replace(
                user=self.used, system=0.0, children_user=0.0, children_system=0.0
            ),
        )

    def go_on(self, seconds: float, used: float) -> None:
        self.now += seconds
        self.used += used


def test_one_that_computes_for_long_gives_way_until_it_rests(
    process: psutil.Popen, monkeypatch: pytest.MonkeyPatch
) -> None:
    share, clock, server = Share(0.5), Clock(monkeypatch, process), psutil.Process(process.pid)
    share.look(server)
    assert server.nice() == 0  # what it used before is not counted
    clock.go_on(1, 1)
    share.look(server)
    assert server.nice() == 0  # a second is not long
    clock.go_on(4, 4)
    share.look(server)
    assert server.nice() == 10
    clock.go_on(5, 1)
    share.look(server)
    assert server.nice() == (10 if os.geteuid() else 0)


def test_one_that_computes_now_and_then_does_not(
    process: psutil.Popen, monkeypatch: pytest.MonkeyPatch
) -> None:
    share, clock, server = Share(0.5), Clock(monkeypatch, process), psutil.Process(process.pid)
    for _ in range(3):
        share.look(server)
        clock.go_on(5, 2)
    assert server.nice() == 0


def test_all_that_has_come_of_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with psutil.Popen([sys.executable, "-c", code], stdin=-1) as process:
        server = psutil.Process(process.pid)
        wait_until(server.children, "a child")
        family = server_limits.family_of(server)
        assert family == [server, *server.children(recursive=True)]
        share, clock = Share(0.5), Clock(monkeypatch, process)
        share.look(server)
        clock.go_on(5, 1.5)  # of each
        share.look(server)
        assert [member.nice() for member in family] == [10, 10]
        process.communicate(b"")
