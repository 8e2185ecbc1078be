"""Notebooks and data files of a folder, by descriptors of folders: no link is followed.

Who may write to a folder can at any moment make a link of it, or of what is in it. A data file is
named by its path below the folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ..accounts import access_lists

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_UNFINISHED: Final = ".publishing-"
#: Bytes of a file that can be replaced, and kept as a version. People put larger ones into folders
#: by hand than what is shown (`notebook_files.LARGEST`).
_LARGEST: Final = 64 * 1024 * 1024


class NotAFile(Exception):
    """What has the name of a folder or a file is a link, or something else. Says so."""


def file_name(name: str) -> str:
    """The file of a notebook."""
    return f"{name}.ipynb"


@contextlib.contextmanager
def opened(notebooks: Path, folder: str, *, make: bool = False) -> Iterator[int]:
    """A folder of notebooks as a descriptor.

    Args:
        make: make it where there is none; readable by its group alone, as `access_lists` guards it.

    Raises:
        FileNotFoundError: there is none.
        NotAFile: it is a link, or a file.
        OSError: it cannot be made or read.
    """
    root = os.open(notebooks, _FOLDER)
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o750, dir_fd=root)
                if os.geteuid() == 0:
                    owner = os.fstat(root)
                    os.chown(folder, owner.st_uid, owner.st_gid, dir_fd=root, follow_symlinks=False)
        try:
            descriptor = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=root)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise NotAFile(f"The folder {folder} is a link or a file.") from None
            raise
    finally:
        os.close(root)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def names(folder: int) -> list[str]:
    """The names of the notebooks in an open folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(
            entry.name.removesuffix(".ipynb")
            for entry in entries
            if entry.name.endswith(".ipynb")
            and not entry.name.startswith(".")
            and entry.is_file(follow_symlinks=False)
        )


def read(folder: int, name: str, has_accounts: bool = False) -> bytes | None:
    """The notebook of this name, None where there is none. As `read_file`."""
    return read_file(folder, file_name(name), _LARGEST, has_accounts)


def read_file(folder: int, path: str, largest: int, has_accounts: bool = False) -> bytes | None:
    """A file, None where there is none.

    Args:
        largest: more bytes than this are not read.
        has_accounts: servers run under accounts of their own, so whoever can write to the folder
            may not be able to read what a file in it is.

    Raises:
        NotAFile: there is something else of this name, more than is read, or with accounts what is
            not for all who may enter the folder.
        OSError: it cannot be read.
    """
    try:
        with _above(folder, path, has_accounts=has_accounts) as (above, name):
            # Not blocking: a pipe would have us wait for whoever made it.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=above)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise _not_a_file(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_a_file(path)
    if has_accounts and not access_lists.is_for_all(descriptor):
        os.close(descriptor)
        raise NotAFile(
            f"{path} there is not for all who see the folder: not everybody may read it,"
            " or it has another name elsewhere."
        )
    with open(descriptor, "rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise NotAFile(f"{path} there has more than {largest >> 20} MB.")
    return content


@contextlib.contextmanager
def _above(
    folder: int, path: str, *, make: bool = False, has_accounts: bool = False
) -> Iterator[tuple[int, str]]:
    """The folder that a file is in, as a descriptor, and the file's own name.

    Args:
        make: make the folders on the way that are not there; who may enter the first may read them.
        has_accounts: as of `read_file`.

    Raises:
        FileNotFoundError: there is no such folder.
        NotAFile: on the way is a link, or a file.
    """
    *parts, name = path.split("/")
    descriptor = os.dup(folder)
    try:
        for part in parts:
            below = _entered(descriptor, part, make)
            os.close(descriptor)
            descriptor = below
            if has_accounts and not access_lists.is_for_all(descriptor):
                raise NotAFile(f"The folder {part} there is not for all who see the folder.")
        yield descriptor, name
    finally:
        os.close(descriptor)


def _entered(folder: int, name: str, make: bool) -> int:
    is_new = False
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
            is_new = True
    try:
        descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise NotAFile(
                f"What is called {name} there is no folder, but a link or a file."
            ) from None
        raise
    if is_new:
        _give_away(descriptor, os.fstat(folder), 0o755)
    return descriptor


def twin(folder: int, path: str) -> str:
    """What is there that has the same name but for its case, or for how its letters are written;
    "" for nothing. Not every system can keep both."""
    found: list[str] = []
    for depth, part in enumerate(path.split("/"), 1):
        try:
            with _above(folder, "/".join(path.split("/")[:depth])) as (above, _):
                found += [
                    one for one in os.listdir(above) if one != part and alike(one) == alike(part)
                ]
        except (OSError, NotAFile):
            break
    return found[0] if found else ""


def alike(name: str) -> str:
    """The same for two names that some system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def _not_a_file(path: str) -> NotAFile:
    what = "notebook" if path.endswith(".ipynb") else "data file"
    return NotAFile(f"What is called {path} there is no {what}, but a link or something else.")


def put(folder: int, contents: Mapping[str, bytes]) -> None:
    """Put files in place, each whole or not at all, in this order.

    All that needs room is done before the first of them is in its place. Raises OSError, NotAFile:
    those before may be in theirs.
    """
    unfinished: dict[str, str] = {path: _UNFINISHED + secrets.token_hex(8) for path in contents}
    try:
        for path, content in contents.items():
            _write(folder, unfinished[path], content)
            with _above(folder, path, make=True):
                pass
        for path in contents:
            with _above(folder, path) as (above, name):
                os.rename(unfinished[path], name, src_dir_fd=folder, dst_dir_fd=above)
                os.fsync(above)
    except BaseException:
        for path, left in unfinished.items():
            with contextlib.suppress(OSError):
                os.unlink(left, dir_fd=folder)
            remove_empty(folder, path)
        raise


def _write(folder: int, name: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        _give_away(descriptor, os.fstat(folder))
        os.fsync(descriptor)


def _give_away(descriptor: int, folder: os.stat_result, mode: int = 0o644) -> None:
    """Make a file as one that its folder's owner has put there: who may enter may read it."""
    if os.geteuid() == 0:
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    os.fchmod(descriptor, mode)


def remove(folder: int, path: str) -> None:
    """Take a file away, and the folders below this one that are empty then. Raises OSError."""
    with _above(folder, path) as (above, name):
        os.unlink(name, dir_fd=above)
        os.fsync(above)
    remove_empty(folder, path)


def remove_empty(folder: int, path: str) -> None:
    """Remove the folders on the way to a file, as far as nothing is in them."""
    while above := path.rpartition("/")[0]:
        try:
            with _above(folder, above) as (descriptor, name):
                os.rmdir(name, dir_fd=descriptor)
        except (OSError, NotAFile):
            return
        path = above


def clean(folder: int) -> None:
    """Remove what a hub that was killed has left unfinished in a folder."""
    with os.scandir(folder) as entries:
        left = [entry.name for entry in entries if entry.name.startswith(_UNFINISHED)]
    for unfinished in left:
        with contextlib.suppress(OSError):
            os.unlink(unfinished, dir_fd=folder)
