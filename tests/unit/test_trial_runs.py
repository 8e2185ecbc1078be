"""What a trial leaves behind, and how many there are at once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from hub_extensions import trial_runs
from hub_extensions.trial_runs import trial


async def test_no_depth_of_folders_keeps_a_home(tmp_path: Path) -> None:
    home = tmp_path / "trial finance"
    home.mkdir()
    outside = tmp_path / "outside"
    outside.write_text("kept")
    (home / "link").symlink_to(outside)
    before = os.open(".", os.O_RDONLY)
    os.chdir(home)
    try:
        for _ in range(1500):
            os.mkdir("deeper")
            os.chdir("deeper")
    finally:
        os.fchdir(before)
        os.close(before)
    await trial_runs._remove(home)
    assert os.listdir(tmp_path) == ["outside"]
    await trial_runs._remove(home)  # there is none


async def test_two_are_tried_at_once_and_one_of_a_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[str] = []
    most = 0
    go_on = asyncio.Event()

    async def run(_: Any, folder: str, *__: Any) -> None:
        nonlocal most
        runs.append(folder)
        most = max(most, len(runs))
        assert len(set(runs)) == len(runs)
        await go_on.wait()
        runs.remove(folder)

    monkeypatch.setattr(trial_runs, "_run", run)
    no: Any = None
    tried = [
        asyncio.create_task(trial(no, folder, "x", b""))
        for folder in ("finance", "finance", "sales", "user")
    ]
    for _ in range(20):
        await asyncio.sleep(0)
    assert runs == ["finance", "sales"]
    go_on.set()
    await asyncio.gather(*tried)
    assert most == 2
