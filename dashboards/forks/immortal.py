"""What a template has made is never freed, and a fork that uses it need not write to it.

Python counts the references to each object in the object itself, so that mere use gives a fork a
copy of the memory page. From Python 3.12 on an immortal object is not counted (PEP 683, which has
this use in mind).
"""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Collection

_COUNT = 0xFFFF_FFFF
"""The count that says "immortal": `_Py_IMMORTAL_REFCNT` of Python 3.12 and 3.13, 64 bits."""

_OF_CODE = (
    *("co_consts", "co_names", "co_filename", "co_name", "co_qualname"),
    *("co_linetable", "co_exceptiontable"),
)


def can_immortalize() -> bool:
    """Whether this Python knows immortal objects in the form that is known here."""
    known = sys.implementation.name == "cpython" and (3, 12) <= sys.version_info < (3, 14)
    return known and sys.maxsize > 2**32 and sys.getrefcount(None) == _COUNT


def immortalize() -> None:
    """Make the objects that there are immortal; does nothing where `can_immortalize` is false.

    Call it once, in a process that only forks from then on, before `gc.freeze()`.
    """
    if can_immortalize():
        gc.unfreeze()  # the collector does not tell of what is frozen
        _write(_addresses())


def _addresses() -> set[int]:
    """Of all objects that the collector knows, what they refer to, and the parts of code."""
    known = [each for each in gc.get_objects() if not isinstance(each, types.FrameType)]
    known += gc.get_referents(*known)
    each_once = dict(zip(map(id, known), known, strict=True))
    found = set(each_once)
    codes = [each for each in each_once.values() if type(each) is types.CodeType]
    while codes:  # it does not tell the collector
        parts = [part for code in codes for name in _OF_CODE for part in _with_items(code, name)]
        codes = [p for p in parts if type(p) is types.CodeType and id(p) not in found]
        found.update(map(id, parts))
    return found


def _with_items(code: types.CodeType, name: str) -> tuple[object, ...]:
    part = getattr(code, name)
    return (part, *part) if isinstance(part, tuple) else (part,)


def _write(found: Collection[int]) -> None:
    """Write the count, which an object begins with, at these addresses."""
    import numpy as np  # here: wherever it is not told otherwise it starts threads

    addresses = np.fromiter(found, np.uint64, len(found))
    first = int(addresses.min())
    counts = _Memory(first, int(addresses.max()) - first + 4)
    np.asarray(counts)[(addresses - first) // 4] = _COUNT


class _Memory:
    """The process's memory from an address on, for numpy."""

    def __init__(self, address: int, size: int) -> None:
        shape = (size // 4,)
        self.__array_interface__ = {
            "data": (address, False),
            "shape": shape,
            "typestr": "<u4",
            "version": 3,
        }
