"""Fixtures: `empty`, a stand-in without anything, and `hub_folder`, a hub's folder for it.

`untouched` and `idle_folder` are the same for tests after which the project is as it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.descope_project.command import HubFolder
from tests.local_descope.stand_in import ROOT, StandIn


@contextmanager
def empty_project(folder: Path) -> Iterator[StandIn]:
    """A new project: no tenant, role, flow, nor any claim of its application."""
    folder.mkdir()
    stand_in = StandIn(folder, {"LOCAL_DESCOPE_EMPTY": "yes"}).start()
    yield stand_in
    stand_in.stop()


def folder_for(project: StandIn, folder: Path) -> HubFolder:
    """What an operator has: the configuration and the flows, and settings for that project."""
    folder.mkdir()
    shutil.copy(ROOT / "jupyterhub_config.py", folder)
    shutil.copytree(ROOT / "flows", folder / "flows")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    return HubFolder(folder, project)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[StandIn]:
    with empty_project(tmp_path / "descope") as project:
        yield project


@pytest.fixture
def hub_folder(tmp_path: Path, empty: StandIn) -> HubFolder:
    return folder_for(empty, tmp_path / "hub")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with empty_project(tmp_path_factory.mktemp("untouched") / "descope") as project:
        yield project


@pytest.fixture
def idle_folder(tmp_path: Path, untouched: StandIn) -> HubFolder:
    return folder_for(untouched, tmp_path / "hub")
