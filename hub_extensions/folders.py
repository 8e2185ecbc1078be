"""A folder is an audience: `notebooks/<group>` is what the members of that hub group see."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import unquote

ADMIN: Final = "admin"
LAB: Final = "lab"
#: The servers of a person that show dashboards; there may be a lab beside them.
DASHBOARD_SERVERS: Final = ("", ADMIN)
#: The group of those who write dashboards; its folder is theirs to try things in.
ANALYSTS: Final = "analysts"
#: The group `<x>.publish` may publish to the folder `<x>`; it is no audience itself.
PUBLISHERS_SUFFIX: Final = ".publish"
#: Letters of a notebook's name, without its ending.
LONGEST_NAME: Final = 200
_LONGEST_FOLDER: Final = 100
_LONGEST_FILE: Final = 255  # bytes, of most file systems


def is_folder_name(name: str) -> bool:
    """Whether a folder of notebooks, and so a group, can have this name."""
    return is_plain_name(name, _LONGEST_FOLDER)


def is_notebook_name(name: str) -> bool:
    """Whether a notebook can have this name, without its ending."""
    return is_plain_name(name, LONGEST_NAME)


def is_plain_name(name: str, longest: int) -> bool:
    """Whether somebody can give a file or folder this name: it is no path, nothing hidden, and can
    be seen as it is."""
    return (
        0 < len(name) <= longest
        and name == name.strip()
        and not name.startswith(".")
        and name.isprintable()
        and not set(name) & set("/\\")
    )


def is_audience(name: str) -> bool:
    """Whether there can be an audience of this name."""
    return is_folder_name(name) and is_shown(name)


def is_shown(folder: str) -> bool:
    """Whether a folder that is there is an audience; a hidden one, or one of those who publish, is
    none."""
    return not folder.startswith(".") and not folder.endswith(PUBLISHERS_SUFFIX)


def dashboard_named(text: str) -> tuple[str, str] | None:
    """Group and notebook in `<group>/<notebook>`, None for what can be no dashboard's name."""
    group, _, name = text.partition("/")
    fits = is_folder_name(group) and is_notebook_name(name)
    return (group, name) if fits and len(name.encode()) <= _LONGEST_FILE else None


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
            if entry.is_dir() and not entry.is_symlink() and is_shown(entry.name)
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
