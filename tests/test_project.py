"""The project's files agree with each other: dependencies, locks, commands, package boundary."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = (
    "requirements.txt",
    "requirements-test.txt",
    "requirements-node.txt",
    "requirements-peer.txt",
)
#: What a lock entry is made of, its lines joined: name, version, marker, hashes; no address.
LOCK_ENTRY = re.compile(
    r"(?P<name>[a-z0-9._-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))?"
    r"(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)


def shipped_files() -> list[Path]:
    """All files that git has or would take."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def lock_entries(name: str) -> list[str]:
    text = re.sub(r"\s*\\\n\s*", " ", (ROOT / name).read_text())
    return text.strip().splitlines()


def locked_versions(name: str) -> dict[str, set[str]]:
    """Package -> its locked versions; several, when they differ by Python or system."""
    versions: dict[str, set[str]] = {}
    for entry in lock_entries(name):
        found = LOCK_ENTRY.fullmatch(entry)
        assert found, f"{name}: {entry[:80]}"
        versions.setdefault(canonicalize_name(found["name"]), set()).add(found["version"])
    return versions


def requirements(specifications: list[str]) -> dict[str, Requirement]:
    parsed = [Requirement(text) for text in specifications]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def wanted(lock: str) -> dict[str, Requirement]:
    """What pyproject.toml asks of a lock."""
    project = PYPROJECT["project"]
    main = project["dependencies"]
    return requirements(
        {
            "requirements.txt": main,
            "requirements-test.txt": main + project["optional-dependencies"]["test"],
            "requirements-node.txt": PYPROJECT["dependency-groups"]["node"],
            "requirements-peer.txt": PYPROJECT["dependency-groups"]["peer"],
        }[lock]
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_satisfies_pyproject(lock: str) -> None:
    locked = locked_versions(lock)
    for name, requirement in wanted(lock).items():
        assert name in locked, f"{lock} lacks {name}: run make lock"
        for version in locked[name]:
            assert requirement.specifier.contains(version), f"{lock}: {name} {version}"


@pytest.mark.parametrize("lock", LOCKS)
def test_each_lock_entry_has_hashes_and_no_address(lock: str) -> None:
    entries = lock_entries(lock)
    assert entries
    assert [entry for entry in entries if not LOCK_ENTRY.fullmatch(entry)] == []


def test_test_lock_keeps_the_versions_that_people_run() -> None:
    main = locked_versions("requirements.txt")
    test = locked_versions("requirements-test.txt")
    assert {name: test.get(name) for name in main} == main


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        (".", {"configurable-http-proxy"}),
        ("tests/node", {"axe-core", "oidc-provider", "openid-client"}),
    ],
)
def test_node_lock_is_whole_and_names_no_address(folder: str, wanted: set[str]) -> None:
    package = json.loads((ROOT / folder / "package.json").read_text())
    text = (ROOT / folder / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert packages[""]["dependencies"] == package["dependencies"]
    assert set(package["dependencies"]) == wanted
    assert {f"node_modules/{name}" for name in wanted} <= packages.keys()
    assert [name for name, entry in packages.items() if name and "integrity" not in entry] == []
    assert "resolved" not in text
    assert "://" not in re.sub(r'"url": "[^"]+"', "", text)  # pages on which authors ask for funds


def test_environment_yml_lists_what_pyproject_asks_for() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    (by_pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    assert by_pip[-1] == "-e ."
    listed = requirements([*lines, *by_pip[:-1]])
    besides = {"python", "pip", "nodejs", "configurable-http-proxy"}
    asked = wanted("requirements.txt")
    assert set(listed) - besides == set(asked)
    for name, requirement in asked.items():
        assert listed[name].specifier == requirement.specifier, name
    python = Requirement(f"python{PYPROJECT['project']['requires-python']}")
    assert listed["python"].specifier == python.specifier
    assert listed["configurable-http-proxy"].specifier.contains("5.3.0")


def test_readme_names_only_commands_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"(?:`|^\s*(?:\$ )?)make ([a-z-]+)", readme, re.MULTILINE))
    assert named <= targets


def test_notebooks_carry_no_outputs() -> None:
    for path in (path for path in shipped_files() if path.suffix == ".ipynb"):
        cells = json.loads(path.read_text())["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code), path


@pytest.mark.parametrize(
    ("package", "other"), [("dashboards", "hub_extensions"), ("hub_extensions", "dashboards")]
)
def test_packages_of_different_processes_do_not_import_each_other(package: str, other: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert other not in {name.partition(".")[0] for name in names}, path


def test_no_file_names_a_package_registry() -> None:
    # Put together here, so that this file does not name them either.
    hosts = tuple(".".join(parts) for parts in (("pypi", "org"), ("registry", "npmjs", "org")))
    for path in shipped_files():
        text = path.read_text(errors="replace")
        assert not any(host in text for host in hosts), path.relative_to(ROOT)
