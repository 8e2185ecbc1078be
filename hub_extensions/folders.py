"""A folder is an audience: `notebooks/<group>` is what the members of that hub group see."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

ADMIN: Final = "admin"


def folders_for(notebooks: Path, groups: Iterable[str]) -> list[str]:
    """The folders that somebody in these groups sees, sorted. Members of `admin` see them all."""
    held = set(groups)
    try:
        folders = sorted(
            entry.name
            for entry in notebooks.iterdir()
            if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith(".")
        )
    except OSError:
        return []
    return folders if ADMIN in held else [name for name in folders if name in held]
