"""Access control lists of folders (acl(5)), as Linux keeps them in an extended attribute.

What can be said by a list and not by owner, group and mode: several accounts may read a folder,
its owner and group stay the operator's, and an account can be shut out although its group may.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# include/uapi/linux/posix_acl.h and posix_acl_xattr.h
_ATTRIBUTE: Final = "system.posix_acl_access"
_VERSION: Final = struct.pack("<I", 2)
_ENTRY: Final = struct.Struct("<HHI")
_OWNER: Final = (0x01, 0xFFFFFFFF)
_GROUP: Final = (0x04, 0xFFFFFFFF)
_MASK: Final = (0x10, 0xFFFFFFFF)
_OTHERS: Final = (0x20, 0xFFFFFFFF)
_NAMED_USER: Final = 0x02
_NAMED_GROUP: Final = 0x08

#: Look into a folder and enter it.
READ: Final = 0o5
OWN: Final = 0o7
NOTHING: Final = 0o0

#: Whom an entry is about (a kind and an id), and the rights that it gives. In the order of their
#: kinds, which the kernel insists on, they are in the order in which it looks at them.
Who = tuple[int, int]
Entries = dict[Who, int]


def user(uid: int) -> Who:
    """The account of this number."""
    return (_NAMED_USER, uid)


def group(gid: int) -> Who:
    """The accounts in the group of this number."""
    return (_NAMED_GROUP, gid)


def read(folder: Path) -> Entries:
    """A folder's list; made of its mode where it has none. Raises OSError."""
    try:
        packed = os.getxattr(folder, _ATTRIBUTE, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = stat.S_IMODE(folder.lstat().st_mode)
        return {_OWNER: mode >> 6 & 7, _GROUP: mode >> 3 & 7, _OTHERS: mode & 7}
    return {(kind, id_): rights for kind, rights, id_ in _ENTRY.iter_unpack(packed[4:])}


def write(folder: Path, entries: Entries) -> None:
    """Replace a folder's list. Raises OSError."""
    packed = b"".join(
        _ENTRY.pack(kind, rights, id_) for (kind, id_), rights in sorted(entries.items())
    )
    os.setxattr(folder, _ATTRIBUTE, _VERSION + packed, follow_symlinks=False)


def has_list(descriptor: int) -> bool:
    """Whether an open file has a list of its own. Raises OSError."""
    return _ATTRIBUTE in os.listxattr(descriptor)


def is_for_all(descriptor: int) -> bool:
    """Whether an open file or folder is for all who may enter the one that it is in: everybody may
    read it, no list of its own says otherwise, and a file has no other name, elsewhere. Raises
    OSError."""
    info = os.fstat(descriptor)
    is_folder = stat.S_ISDIR(info.st_mode)
    needed = READ if is_folder else stat.S_IROTH
    has_one_name = is_folder or info.st_nlink == 1
    is_open = info.st_mode & needed == needed
    return is_open and has_one_name and not has_list(descriptor)


def let_in(folder: Path, entries: Entries, ids: range) -> None:
    """Let those of these ids look into a folder who may look into another, whose list this is, and
    nobody else but the owner. Raises OSError."""
    named = {
        who: rights & READ
        for who, rights in entries.items()
        if who[0] in {_NAMED_USER, _NAMED_GROUP} and who[1] in ids
    }
    only = {_OWNER: OWN, _GROUP: NOTHING, _OTHERS: NOTHING}
    write(folder, only | named | ({_MASK: READ} if named else {}))


def guard(folder: Path, wanted: Mapping[Who, int | None], ours: range = range(0)) -> None:
    """Shut a folder to everybody but its owner and group and those who are wanted.

    Args:
        wanted: the rights of each; None takes the entry away.
        ours: ids of which no other group gets in: a copied or renamed folder brings its old list.

    Raises OSError, where the file system knows no such lists, or has no room for one more entry.
    """
    before = read(folder)
    after = {who: rights for who, rights in before.items() if not _is_group(who, ours)}
    after[_OTHERS] = NOTHING
    for who, rights in wanted.items():
        if rights is None:
            after.pop(who, None)
        else:
            after[who] = rights
    named = [rights for (kind, _), rights in after.items() if kind in {_NAMED_USER, _NAMED_GROUP}]
    if named:  # the mask limits them all
        after[_MASK] = before.get(_MASK, before[_GROUP])
        for rights in named:
            after[_MASK] |= rights
    if after != before:
        write(folder, after)


def _is_group(who: Who, ours: range) -> bool:
    kind, id_ = who
    return kind == _NAMED_GROUP and id_ in ours
