"""What a template has made is never freed, and a fork that uses it need not write to it.

Python counts the references to each object in the object itself, so that mere use gives a fork a
copy of the memory page. From Python 3.12 on an immortal object is not counted (PEP 683, which has
this use in mind).
"""

from __future__ import annotations

import ctypes
import gc
import sys
import types

_COUNT = 0xFFFF_FFFF
"""The count that says "immortal": `_Py_IMMORTAL_REFCNT` of Python 3.12 and 3.13, 64 bits."""

_OF_CODE = (
    *("co_consts", "co_names", "co_varnames", "co_freevars", "co_cellvars"),
    *("co_filename", "co_name", "co_qualname", "co_linetable", "co_exceptiontable"),
)


def can_immortalize() -> bool:
    """Whether this Python knows immortal objects in the form that is known here."""
    known = sys.implementation.name == "cpython" and (3, 12) <= sys.version_info < (3, 14)
    return known and sys.maxsize > 2**32 and sys.getrefcount(None) == _COUNT


def immortalize() -> None:
    """Make all objects that there are immortal; does nothing where `can_immortalize` is false.

    Call it once, in a process that only forks from then on, before `gc.freeze()`.
    """
    if not can_immortalize():
        return
    at = ctypes.c_uint32.from_address
    for address in _all_objects():
        at(address).value = _COUNT


def _all_objects() -> set[int]:
    """Their addresses: those that the collector knows, and what these refer to."""
    found: set[int] = set()
    level = gc.get_objects()
    while level:
        fresh = {id(each): each for each in level if not isinstance(each, types.FrameType)}
        for known in fresh.keys() & found:
            del fresh[known]
        found.update(fresh)
        level = gc.get_referents(*fresh.values())
        for each in fresh.values():
            if isinstance(each, types.CodeType):  # it does not tell the collector
                level += [getattr(each, name) for name in _OF_CODE]
    return found
