"""The data files of one dashboard, in its folder and in the versions together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tornado.log import app_log

from . import data_files, files
from .data_files import DataChange
from .files import NotAFile
from .versions import Place, Versions, content_id


@dataclass(frozen=True, kw_only=True)
class DataOf:
    """Those of a place. `has_accounts`: as of `files.read_file`."""

    place: Place
    versions: Versions
    has_accounts: bool

    def compared(
        self, folder: int | None, given: Mapping[str, bytes], *, is_more: bool
    ) -> tuple[list[DataChange], dict[str, str]]:
        """What becomes of the folder with these files, and which are the dashboard's own then, as
        git names them.

        Args:
            folder: None: there is none yet.
            given: contents by their names.
            is_more: the dashboard's own that are not given stay.

        Raises:
            NoDataFile, NotAFile: they cannot be put there.
            OSError: it cannot be read.
        """
        ours = self.versions.data(self.place)
        stay = ours if is_more else {}
        if not given:
            return [], stay
        sizes = {name: self.versions.size(id_) for name, id_ in stay.items() if name not in given}
        sizes |= {name: len(content) for name, content in given.items()}
        data_files.check_together(sizes)
        data_files.check_sizes(sizes)
        others = self.versions.brought_by_others(self.place)
        changes, own = data_files.compare(
            folder, given, ours, others, content_id, self.has_accounts
        )
        return changes, {**stay, **own}

    def finish(self, folder: int, commit: str) -> bool:
        """Whether the folder has all of a version that was begun. What the one before it had more
        is taken away then; else what has come of it is undone. Raises OSError, NotAFile."""
        before, after = self.versions.data(self.place), self.versions.data(self.place, commit)
        changed = [name for name, id_ in after.items() if before.get(name) != id_]
        came = [name for name in changed if self._has(folder, name, after[name])]
        notebook = content_id(files.read(folder, self.place.name))
        if came == changed and notebook == self.versions.notebook(self.place, commit):
            self.take_away(folder, before, after)
            return True
        files.put(folder, {n: self.versions.blob(before[n]) for n in came if n in before})
        self.take_away(folder, {name: after[name] for name in came}, before)
        for name in changed:  # folders may have been made before the files in them
            files.remove_empty(folder, name)
        return False

    def take_away(self, folder: int, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Remove the files that came with a version and are not in the one after it, unless they
        are other dashboards' too, or have other content by now."""
        gone = before.keys() - after.keys()
        if gone:
            gone -= self.versions.brought_by_others(self.place).keys()
        for name in gone:
            try:
                if self._has(folder, name, before[name]):
                    files.remove(folder, name)
            except (OSError, NotAFile) as error:
                app_log.warning("%s of %s is left in the folder: %s", name, self.place, error)

    def _has(self, folder: int, name: str, content: str) -> bool:
        """Whether a file has this content, as git names it. Raises OSError."""
        try:
            there = files.read_file(folder, name, data_files.LARGEST)
        except NotAFile:
            return False
        return there is not None and content_id(there) == content
