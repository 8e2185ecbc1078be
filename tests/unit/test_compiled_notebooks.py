"""Which notebooks the hub hands to the compiler."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from hub_extensions import compiled_notebooks
from hub_extensions.accounts import access_lists
from tests.dashboards.notebooks import code, write_notebook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="accounts need Linux")


MASK = (0x10, 0xFFFFFFFF)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = write_notebook(tmp_path / "one.ipynb", code("password = 'secret'"))
    path.chmod(0o644)
    return path


def read(path: Path, *, has_accounts: bool = False) -> bytes | None:
    return compiled_notebooks.read_for_all(path, has_accounts)


def test_a_notebook_is_read_as_it_is(path: Path) -> None:
    assert read(path) == read(path, has_accounts=True) == path.read_bytes()


def test_with_accounts_one_that_not_all_may_read_is_left_out(path: Path) -> None:
    path.chmod(0o640)
    assert read(path) == path.read_bytes()
    assert read(path, has_accounts=True) is None


def test_with_accounts_one_that_is_shut_to_some_is_left_out(path: Path) -> None:
    nobody = {access_lists.user(70_001): access_lists.NOTHING}
    access_lists.write(path, access_lists.read(path) | nobody | {MASK: 0o4})
    assert path.stat().st_mode & 0o004
    assert read(path, has_accounts=True) is None


def test_with_accounts_one_with_another_name_elsewhere_is_left_out(path: Path) -> None:
    os.link(path, path.with_name("other"))
    assert read(path) == path.read_bytes()
    assert read(path, has_accounts=True) is None


def test_no_link_is_followed(path: Path) -> None:
    link = path.with_name("link.ipynb")
    link.symlink_to(path)
    with pytest.raises(OSError, match="symbolic"):
        read(link)


def test_a_pipe_holds_nobody_up(path: Path) -> None:
    pipe = path.with_name("pipe.ipynb")
    os.mkfifo(pipe)
    assert read(pipe) is None


def test_a_large_one_is_left_out(path: Path) -> None:
    os.truncate(path, compiled_notebooks.LARGEST + 1)
    assert read(path) is None


def test_a_version_is_of_who_may_read_it_too(path: Path) -> None:
    before = compiled_notebooks.version_of(path)
    assert before == compiled_notebooks.version_of(path)
    access_lists.write(path, access_lists.read(path) | {access_lists.user(70_001): 0o0, MASK: 0o4})
    assert compiled_notebooks.version_of(path) != before
    assert compiled_notebooks.version_of(path.with_name("none")) is None
