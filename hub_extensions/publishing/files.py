"""The notebooks of a folder, read and written by descriptors of folders: no link is followed.

Who may write to a folder can at any moment make a link of it, or of a file in it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..accounts import access_lists

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_UNFINISHED: Final = ".publishing-"
#: Bytes of a file that can be replaced, and kept as a version. People put larger ones into folders
#: by hand than what is shown (`notebook_files.LARGEST`).
_LARGEST: Final = 64 * 1024 * 1024


class NotAFile(Exception):
    """What has the name of a folder or a notebook is a link, or something else. Says so."""


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
    """The notebook of this name, None where there is none.

    Args:
        has_accounts: servers run under accounts of their own, so whoever can write to the folder
            may not be able to read what a file in it is.

    Raises:
        NotAFile: there is something else of this name, more than can be kept, or with accounts what
            is not for all who may enter the folder.
        OSError: it cannot be read.
    """
    # Not blocking: a pipe would have us wait for whoever made it.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(file_name(name), flags, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise NotAFile(_not_a_file(name)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotAFile(_not_a_file(name))
    if has_accounts and not access_lists.is_for_all(descriptor):
        os.close(descriptor)
        raise NotAFile(
            f"{file_name(name)} there is not for all who see the folder: not everybody may read it,"
            " or it has another name elsewhere."
        )
    with open(descriptor, "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise NotAFile(f"{file_name(name)} there has more than {_LARGEST >> 20} MB.")
    return content


def _not_a_file(name: str) -> str:
    return f"What is called {file_name(name)} there is no notebook, but a link or something else."


def replace(folder: int, name: str, content: bytes) -> None:
    """Put a notebook in place, whole or not at all. Raises OSError."""
    unfinished = _UNFINISHED + secrets.token_hex(8)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(unfinished, flags, 0o600, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _give_away(descriptor, os.fstat(folder))
            os.fsync(descriptor)
        os.rename(unfinished, file_name(name), src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished, dir_fd=folder)
        raise
    os.fsync(folder)


def _give_away(descriptor: int, folder: os.stat_result) -> None:
    """Make a file as one that its folder's owner has put there: who may enter may read it."""
    if os.geteuid() == 0:
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    os.fchmod(descriptor, 0o644)


def remove(folder: int, name: str) -> None:
    """Take a notebook away. Raises OSError."""
    os.unlink(file_name(name), dir_fd=folder)
    os.fsync(folder)


def clean(folder: int) -> None:
    """Remove what a hub that was killed has left unfinished in a folder."""
    with os.scandir(folder) as entries:
        left = [entry.name for entry in entries if entry.name.startswith(_UNFINISHED)]
    for unfinished in left:
        with contextlib.suppress(OSError):
            os.unlink(unfinished, dir_fd=folder)
