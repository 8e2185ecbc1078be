"""Fixtures: `empty`, a stand-in without anything, and `hub_folder`, a hub's folder for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.descope_project.command import HubFolder
from tests.local_descope.stand_in import ROOT, StandIn


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[StandIn]:
    """A new project: no tenant, role, flow, nor any claim of its application."""
    folder = tmp_path / "descope"
    folder.mkdir()
    stand_in = StandIn(folder, {"LOCAL_DESCOPE_EMPTY": "yes"}).start()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def hub_folder(tmp_path: Path, empty: StandIn) -> HubFolder:
    """What an operator has: the configuration and the flows, and settings for that project."""
    folder = tmp_path / "hub"
    folder.mkdir()
    shutil.copy(ROOT / "jupyterhub_config.py", folder)
    shutil.copytree(ROOT / "flows", folder / "flows")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    return HubFolder(folder, empty)
