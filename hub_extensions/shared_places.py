"""What is the same for all viewers of a folder, and where: a folder for each folder of notebooks.

In it are the data of shared cells (`shared_data`) and the code of the notebooks
(`compiled_notebooks`). All of it is the hub's. Who may read it is said by the access control list
of the place, which follows that of the notebooks' folder.
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

    def of(self, shared: Path, folder: Path, has_accounts: bool) -> Path:
        """The place of a folder of notebooks.

        Args:
            shared: the folder of all places.
            folder: of the notebooks.
            has_accounts: servers run under accounts of their own, not under the hub's.

        Raises:
            OSError: it cannot be made.
        """
        if not self._is_clean:
            shutil.rmtree(shared, ignore_errors=True)
            self._is_clean = True
        shared.mkdir(mode=0o700, exist_ok=True)
        if has_accounts:
            shared.chmod(0o711)
        place = shared / folder.name
        if not place.exists():
            place.mkdir(mode=0o700)
            if has_accounts:  # who has lost the folder of notebooks has lost this one
                access_lists.write(place, access_lists.read(folder))
        return place


places: Final = SharedPlaces()
"""The hub's."""
