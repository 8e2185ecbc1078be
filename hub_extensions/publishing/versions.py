"""The versions of notebooks: a plain bare git repository beside the folders, `.versions.git`.

It has one branch, `main`, and a commit for each notebook that is published, rolled back or removed.
`<folder>/<name>.ipynb` is the notebook, and what came with it is below `<folder>/<name>.data/`.
dulwich writes it: no program runs, so no hook, no filter and nobody's configuration.

What is about to be done stands in `refs/atrium/pending` until `main` has it: a hub that is killed
between the two finds there, when it comes back, what it has done or has not.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dulwich.index import commit_tree
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from .data_files import Brought
from .files import file_name

REPOSITORY: Final = ".versions.git"
#: The version of a notebook that is not there.
NONE: Final = "none"
#: Who puts notebooks into folders by hand, as far as is known.
NOBODY: Final = "Atrium"

PUBLISHED: Final = "published"
ROLLED_BACK: Final = "rolled back"
REMOVED: Final = "removed"
FOUND: Final = "found in the folder"

_MAIN: Final = Ref(b"refs/heads/main")
_PENDING: Final = Ref(b"refs/atrium/pending")
_FILE, _FOLDER = 0o100644, 0o040000
_DATA: Final = ".data"  # never the end of a notebook's file
_TRAILER: Final = re.compile(r"(Folder|Dashboard|Action): (.*)")
_NO_DATA: Final[Mapping[str, str]] = MappingProxyType({})
#: Versions of a notebook that are told,
MOST_VERSIONS: Final = 200
_FURTHEST: Final = 5000  # looked for in so many of the newest commits


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a dashboard's notebook lies."""

    folder: str
    name: str

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a notebook.

    Attributes:
        id: of the commit.
        content: of the notebook and its data, see `state_id`; "none" for its removal.
        by: the person, or "Atrium" for what was found in the folder.
        when: in UTC.
        action: what was done.
        note: what the person said of it.
    """

    id: str
    content: str
    by: str
    when: datetime
    action: str
    note: str


def content_id(content: bytes | None) -> str:
    """Names a notebook, or a data file, as git does; "none" for none."""
    return NONE if content is None else Blob.from_string(content).id.decode()


def state_id(notebook: str, data: str) -> str:
    """Names a notebook together with what came with it: as git names both, with a "-" between.

    Args:
        notebook: its `content_id`; the same is answered for "none".
        data: of the tree of its data, "" for none.
    """
    return f"{notebook}-{data}" if data and notebook != NONE else notebook


class Versions:
    """The repository. Made when something is first kept in it; one process writes it, the hub.

    Args:
        notebooks: the folder of folders.
    """

    def __init__(self, notebooks: Path) -> None:
        self._place = notebooks.resolve() / REPOSITORY
        self._repo: Repo | None = None
        self._is_settled = False

    # -- to read ------------------------------------------------------------------------------

    def of(self, place: Place, most: int = MOST_VERSIONS) -> list[Version]:
        """The newest versions of a notebook, the newest first: of the last commits, whose number is
        bounded. Raises OSError."""
        found: list[Version] = []
        commit = self._head()
        folder = self._folder_id(commit, place)
        for _ in range(_FURTHEST):
            if commit is None or len(found) == most:
                break
            parents = _commit(self._open(), commit).parents
            before = parents[0] if parents else None
            folder_before = self._folder_id(before, place)
            if folder != folder_before:  # else nothing of this folder has changed
                content = self._in_folder(folder, place)
                if content != self._in_folder(folder_before, place):
                    found.append(self._version(commit, state_id(*content), place))
            commit, folder = before, folder_before
        return found

    def newest(self, place: Place) -> str:
        """The newest version's notebook, by its `content_id`. Raises OSError."""
        return self._in_folder(self._folder_id(self._head(), place), place)[0]

    def state(self, place: Place, notebook: str) -> str:
        """The `state_id` of a notebook with the data of the newest version. Raises OSError."""
        _, data = self._in_folder(self._folder_id(self._head(), place), place)
        return state_id(notebook, data)

    def notebook(self, place: Place, commit: str) -> str:
        """The notebook of a commit, by its `content_id`. Raises OSError."""
        return self._in_folder(self._folder_id(ObjectID(commit.encode()), place), place)[0]

    def content(self, version: Version) -> bytes | None:
        """A notebook as it was then, None where it was removed."""
        notebook = version.content.partition("-")[0]
        return None if notebook == NONE else self.blob(notebook)

    def data(self, place: Place, commit: str | None = None) -> dict[str, str]:
        """The data files of a version, the newest one by default: their names, and how git names
        what is in them. Raises OSError."""
        of = ObjectID(commit.encode()) if commit else self._head()
        folder = self._folder_id(of, place)
        _, data = self._in_folder(folder, place)
        return dict(self._files(data)) if data else {}

    def brought_by_others(self, place: Place) -> dict[str, Brought]:
        """The data files of the folder's other dashboards, by their names. Raises OSError."""
        folder = self._folder_id(self._head(), place)
        own = f"{place.name}{_DATA}".encode()
        return {
            name: Brought(dashboard=entry.path.decode().removesuffix(_DATA), content=content)
            for entry in (_tree(self._open(), folder).items() if folder else ())
            if entry.mode == _FOLDER and entry.path != own
            for name, content in self._files(entry.sha.decode())
        }

    def _files(self, tree: str) -> Iterator[tuple[str, str]]:
        for entry in iter_tree_contents(self._open().object_store, ObjectID(tree.encode())):
            assert entry.path is not None
            assert entry.sha is not None
            yield entry.path.decode(), entry.sha.decode()

    def blob(self, content: str) -> bytes:
        """What git names so. Raises OSError."""
        found = self._open()[ObjectID(content.encode())]
        assert isinstance(found, Blob)
        return found.as_raw_string()

    def size(self, content: str) -> int:
        """The bytes of what git names so. Raises OSError."""
        return len(self.blob(content))

    def _version(self, commit_id: ObjectID, content: str, place: Place) -> Version:
        commit = _commit(self._open(), commit_id)
        text = commit.message.decode(errors="replace")
        note, _, trailers = text.rstrip("\n").rpartition("\n\n")
        action = dict(_TRAILER.findall(trailers)).get("Action", "")
        return Version(
            id=commit_id.decode(),
            content=content,
            by=commit.author.decode(errors="replace").partition(" <")[0],
            when=datetime.fromtimestamp(commit.author_time, UTC),
            action=action,
            note="" if note == _subject(action, place) else note,
        )

    def _folder_id(self, commit: ObjectID | None, place: Place) -> ObjectID | None:
        """Of the tree of a folder as it was at a commit, None where there was none."""
        if commit is None:
            return None
        root = _tree(self._open(), _commit(self._open(), commit).tree)
        name = place.folder.encode()
        return ObjectID(root[name][1]) if name in root else None

    def _in_folder(self, folder: ObjectID | None, place: Place) -> tuple[str, str]:
        """The notebook that a tree of its folder has, by its `content_id`; and the tree of its
        data, "" where there is none."""
        if folder is None:
            return NONE, ""
        tree, name = _tree(self._open(), folder), file_name(place.name).encode()
        data = f"{place.name}{_DATA}".encode()
        return (
            tree[name][1].decode() if name in tree else NONE,
            tree[data][1].decode() if data in tree else "",
        )

    # -- to write -----------------------------------------------------------------------------

    def add(self, content: bytes) -> None:
        """Write what a version is to have. Raises OSError."""
        self._make().object_store.add_object(Blob.from_string(content))

    def keep(
        self,
        place: Place,
        content: bytes | None,
        action: str,
        by: str,
        note: str = "",
        data: Mapping[str, str] = _NO_DATA,
    ) -> str:
        """Write a version of a notebook, which counts when `begin` and `done` have been called.

        Args:
            content: None: it is removed.
            by: a person's name, or NOBODY.
            data: its data files by their names, as git names what is in them; that is there.

        Returns the commit's id. Raises OSError.
        """
        repo, head = self._make(), self._head()
        root = _tree(repo, _commit(repo, head).tree) if head else Tree()
        folder, file = place.folder.encode(), file_name(place.name).encode()
        tree = _tree(repo, root[folder][1]) if folder in root else Tree()
        store = repo.object_store
        if content is None:
            del tree[file]
        else:
            blob = Blob.from_string(content)
            store.add_object(blob)
            tree[file] = (_FILE, blob.id)
        below = f"{place.name}{_DATA}".encode()
        if data:
            entries = ((name.encode(), ObjectID(id_.encode()), _FILE) for name, id_ in data.items())
            tree[below] = (_FOLDER, commit_tree(store, entries))
        elif below in tree:
            del tree[below]
        if len(tree):
            store.add_object(tree)
            root[folder] = (_FOLDER, tree.id)
        elif folder in root:
            del root[folder]
        store.add_object(root)
        commit = Commit()
        commit.tree = root.id
        commit.parents = [head] if head else []
        commit.author = commit.committer = _author(by)
        commit.author_time = commit.commit_time = int(time.time())
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding = b"UTF-8"
        trailers = f"Folder: {place.folder}\nDashboard: {place.name}\nAction: {action}\n"
        subject = note or _subject(action, place)
        commit.message = f"{subject}\n\n{trailers}".encode()
        store.add_object(commit)
        return commit.id.decode()

    def begin(self, commit: str) -> None:
        """Say that a version is put into its folder now. Raises OSError."""
        self._make().refs.set_if_equals(_PENDING, None, ObjectID(commit.encode()))

    def done(self, commit: str) -> None:
        """Say that it is there. Raises OSError."""
        repo = self._make()
        repo.refs.set_if_equals(_MAIN, None, ObjectID(commit.encode()))
        repo.refs.remove_if_equals(_PENDING, None)

    def settle(self, is_there: Callable[[Place, str], bool]) -> None:
        """Finish what was begun and not said to be done: it counts if it is in its folder.

        The first time locks are removed that a killed hub has left; later ones are an operator's.

        Args:
            is_there: says so of a commit; of one that is not, it leaves nothing in the folder.
        """
        if not self._place.exists():
            return
        repo = self._open()
        if not self._is_settled:
            for ref in (_MAIN, _PENDING):
                (self._place / f"{ref.decode()}.lock").unlink(missing_ok=True)
            self._is_settled = True
        with contextlib.suppress(KeyError):
            pending = repo.refs[_PENDING]
            commit = _commit(repo, pending)
            said = dict(_TRAILER.findall(commit.message.decode().rpartition("\n\n")[2]))
            place = Place(folder=said["Folder"], name=said["Dashboard"])
            is_next = commit.parents == ([head] if (head := self._head()) else [])
            if is_next and is_there(place, pending.decode()):
                self.done(pending.decode())
            else:
                repo.refs.remove_if_equals(_PENDING, None)

    def close(self) -> None:
        """Let go of the repository; it is opened anew, for an operator may pack it meanwhile."""
        if self._repo is not None:
            self._repo.close()
            self._repo = None

    def _head(self) -> ObjectID | None:
        if not self._place.exists():
            return None
        try:
            return ObjectID(self._open().refs[_MAIN])
        except KeyError:
            return None

    # -- the repository -----------------------------------------------------------------------

    def _open(self) -> Repo:
        """Raises OSError: it is not the hub's own."""
        if self._repo is None:
            info = self._place.lstat()
            if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
                raise PermissionError(f"{self._place} is not the hub's own folder")
            self._repo = Repo(self._place, bare=True)
        return self._repo

    def _make(self) -> Repo:
        if not self._place.exists():
            unfinished = self._place.with_name(f"{REPOSITORY}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(mode=0o700)
            with Repo.init_bare(unfinished, default_branch=b"main") as repo:
                config = repo.get_config()
                config.set((b"core",), b"fsyncObjectFiles", True)
                config.write_to_path()
            unfinished.rename(self._place)
        return self._open()


def _commit(repo: Repo, commit_id: bytes) -> Commit:
    commit = repo[commit_id]
    assert isinstance(commit, Commit)
    return commit


def _tree(repo: Repo, tree_id: bytes) -> Tree:
    tree = repo[tree_id]
    assert isinstance(tree, Tree)
    return tree


def _subject(action: str, place: Place) -> str:
    return f"{place}: {action}"


def _author(by: str) -> bytes:
    """A person as git writes one; nothing in a name can end it."""
    plain = "".join(sign for sign in by if sign.isprintable() and sign not in "<>")
    return f"{plain} <{plain if '@' in plain else ''}>".encode()
