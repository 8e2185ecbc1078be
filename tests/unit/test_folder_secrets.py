"""Files of secrets of the notebooks' folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_extensions import folder_secrets
from hub_extensions.folder_secrets import SecretsError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of the folder `finance`, the operator's alone; empty."""
    file = tmp_path / "folder-secrets" / "finance.env"
    file.parent.mkdir()
    file.touch(mode=0o600)
    return file


def of(file: Path, folder: str = "finance") -> dict[str, str]:
    return folder_secrets.of(file.parents[1], folder)


def test_a_folder_has_its_own_and_no_others(file: Path) -> None:
    file.write_text("# for the warehouse\nSALES_DB='postgresql://me:p$w{X}@db'\nKEY=a=b c\n")
    assert of(file) == {"SALES_DB": "postgresql://me:p$w{X}@db", "KEY": "a=b c"}
    assert of(file, "user") == {}
    assert folder_secrets.folders(file.parents[1]) == {"finance"}


def test_without_a_place_there_are_none(tmp_path: Path) -> None:
    assert folder_secrets.of(tmp_path, "finance") == {}
    assert folder_secrets.folders(tmp_path) == set()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_is_open_to_others_is_refused(file: Path, mode: int) -> None:
    file.write_text("KEY=a")
    file.chmod(mode)
    with pytest.raises(SecretsError, match=r"finance\.env is open to others"):
        of(file)


def test_a_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("KEY=a")
    file.unlink()
    file.symlink_to(tmp_path / "other")
    with pytest.raises(SecretsError, match="cannot be read"):
        of(file)


@pytest.mark.parametrize(
    "line", ["LD_PRELOAD=x", "PYTHONPATH=x", "PATH=x", "JUPYTERHUB_API_TOKEN=x", "key=x", "A-B=x"]
)
def test_a_name_that_changes_how_a_process_runs_is_refused(file: Path, line: str) -> None:
    file.write_text(f"KEY=a\n{line}\n")
    with pytest.raises(SecretsError, match="entry 2") as raised:
        of(file)
    assert "x" not in str(raised.value).removeprefix(str(file)).split()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"KEY", "entry 1 is not of the form"),
        (b"\xff=a", "UTF-8"),
        (b"KEY=" + b"a" * 70_000, "64 KB"),
    ],
)
def test_what_is_not_understood_is_named(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(SecretsError, match=words):
        of(file)
