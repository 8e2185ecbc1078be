"""packages.txt: what an operator installs beside the locked packages."""

from __future__ import annotations

import shutil
import subprocess
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.hub import ROOT


def wheel(folder: Path, name: str, version: str, requires: str = "") -> str:
    """A package with one module, which says its version; the name of its file."""
    file = f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"
    with ZipFile(folder / file, "w") as archive:
        archive.writestr(f"{name}.py", f"version = {version!r}\n")
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return file


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose lock has one package, installed, and a newer one that lies there too."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "setup", tmp_path / ".ci")
    venv.create(tmp_path / ".venv", with_pip=True)
    locked = wheel(tmp_path, "locked", "1.0")
    wheel(tmp_path, "locked", "2.0")
    (tmp_path / "requirements.txt").write_text("locked==1.0 \\\n    --hash=sha256:0\n")
    pip = [tmp_path / ".venv" / "bin" / "pip", "install", "--quiet", "--no-index"]
    subprocess.run([*pip, tmp_path / locked], check=True)
    return tmp_path


def install(project: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    (project / "packages.txt").write_text("\n".join(["--no-index", "--find-links .", *lines]))
    command = [project / ".ci" / "setup", "own-packages"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def version(project: Path, module: str) -> str:
    python = [project / ".venv" / "bin" / "python", "-c"]
    asked = subprocess.run(
        [*python, f"import {module}; print({module}.version)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


@pytest.mark.long
def test_what_is_asked_for_comes_and_nothing_of_the_lock_changes(project: Path) -> None:
    wheel(project, "extra", "3.1", "Requires-Dist: locked\n")
    assert install(project, "extra").returncode == 0
    assert (version(project, "extra"), version(project, "locked")) == ("3.1", "1.0")
    wheel(project, "greedy", "1.0", "Requires-Dist: locked>=2\n")
    refused = install(project, "extra", "greedy")
    assert refused.returncode == 1
    assert "another version of a package that Atrium was tested with" in refused.stderr
    assert version(project, "locked") == "1.0"
