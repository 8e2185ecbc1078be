"""A folder is an audience: `notebooks/<group>` is what the members of that hub group see."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import unquote

ADMIN: Final = "admin"
LAB: Final = "lab"
#: The group `<x>.publish` may publish to the folder `<x>`; it is no audience itself.
PUBLISHERS_SUFFIX: Final = ".publish"
_LONGEST_NAME: Final = 100
_LONGEST_FILE_NAME: Final = 200


def is_folder_name(name: str, longest: int = _LONGEST_NAME) -> bool:
    """Whether a folder of notebooks, and so a group, can have this name; or a notebook."""
    return (
        0 < len(name) <= longest
        and name == name.strip()
        and not name.startswith(".")
        and name.isprintable()
        and not set(name) & set("/\\")
    )


def is_audience(name: str) -> bool:
    """Whether a folder of this name is an audience; one of those who publish is none."""
    return is_folder_name(name) and not name.endswith(PUBLISHERS_SUFFIX)


def dashboard_named(text: str) -> tuple[str, str] | None:
    """Group and notebook in `<group>/<notebook>`, None for what can be no dashboard's name."""
    group, _, name = text.partition("/")
    fits = is_folder_name(group) and is_folder_name(name, _LONGEST_FILE_NAME)
    return (group, name) if fits else None


def dashboard_in(address: str) -> str:
    """The `<group>/<notebook>` that an address of a dashboard leads to, "" for any other."""
    parts = address.partition("?")[0].rstrip("/").split("/")
    if len(parts) < 3 or parts[-3] != "dashboards":
        return ""
    text = "/".join(map(unquote, parts[-2:]))
    return text if dashboard_named(text) else ""


def has_dashboard(notebooks: Path, group: str, name: str) -> bool:
    """Whether a folder has a notebook of this name; both compared exactly, with what is there."""
    if group not in folders_for(notebooks, {ADMIN}):
        return False
    try:
        return any(entry.name == f"{name}.ipynb" for entry in (notebooks / group).iterdir())
    except OSError:
        return False


def folders_for(notebooks: Path, groups: Iterable[str]) -> list[str]:
    """The folders that somebody in these groups sees, sorted. Members of `admin` see them all."""
    held = set(groups)
    folders = [folder.name for folder in audiences(notebooks)]
    return folders if ADMIN in held else [name for name in folders if name in held]


def audiences(notebooks: Path) -> list[Path]:
    """The folders that are audiences, sorted."""
    try:
        return sorted(
            entry
            for entry in notebooks.iterdir()
            if entry.is_dir()
            and not entry.is_symlink()
            and not entry.name.startswith(".")
            and not entry.name.endswith(PUBLISHERS_SUFFIX)
        )
    except OSError:
        return []


def readable_for(notebooks: Path, groups: Iterable[str], server: str) -> set[str]:
    """The folders that somebody's server reads.

    The server of the admin folder runs no other, but tells of all of them; what runs the others
    does not even read the admin folder. A lab reads none: what runs there is nobody's to show.
    """
    if server == LAB:
        return set()
    folders = set(folders_for(notebooks, groups))
    return folders if server == ADMIN else folders - {ADMIN}
