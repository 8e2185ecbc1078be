"""What is the same for all viewers of a folder, and where: a place for each folder of notebooks.

In it are the data of shared cells (`shared_data`) and the code of notebooks (`compiled_notebooks`).
All of it is the hub's. Who may read it is said by the place's access control list, which follows
that of the notebooks' folder.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from .accounts import access_lists


class SharedPlaces:
    """Makes the places. What an earlier hub has kept there is removed before."""

    def __init__(self) -> None:
        self._is_clean = False

    def of(self, shared: Path, folder: Path, ids: range) -> Path:
        """The place of a folder of notebooks.

        Args:
            shared: the folder of all places.
            folder: of the notebooks.
            ids: of the accounts that servers get; empty where they run under the hub's.

        Raises:
            OSError: it cannot be made.
        """
        if not self._is_clean:
            shutil.rmtree(shared, ignore_errors=True)
            self._is_clean = True
        shared.mkdir(mode=0o700, exist_ok=True)
        if ids:
            shared.chmod(0o711)
        place = shared / folder.name
        if not place.exists():
            place.mkdir(mode=0o700)
            if ids:  # who has lost the folder of notebooks has lost this one
                _follow(place, folder, ids)
        return place


def _follow(place: Path, folder: Path, ids: range) -> None:
    try:
        access_lists.let_in(place, access_lists.read(folder), ids)
    except OSError:
        place.rmdir()
        raise


places: Final = SharedPlaces()
"""The hub's."""
