"""A folder is an audience: `notebooks/<group>` is what the members of that hub group see."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

ADMIN: Final = "admin"


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
            if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".")
        )
    except OSError:
        return []


def readable_for(notebooks: Path, groups: Iterable[str], server: str) -> set[str]:
    """The folders that somebody's server reads.

    The server of the admin folder runs no other, but tells of all of them; what runs the others
    does not even read the admin folder.
    """
    folders = set(folders_for(notebooks, groups))
    return folders if server == ADMIN else folders - {ADMIN}
