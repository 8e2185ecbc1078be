"""What a fork makes lies in memory of its own, not in what is free between a template's objects.

Python's allocator has pools of blocks of one size, and gives out first what is free in those that
are in use. In a fork each such block costs a copy of its page of memory, one in seven of those that
a dashboard's process would copy as it opens.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress

_POOLS = re.compile(r"^ *\d+ +(?P<size>\d+) +\d+ +\d+ +(?P<free>\d+)$", re.MULTILINE)
"""Of each size of block, in `sys._debugmallocstats()`: how many are free in pools in use."""

_OF_BYTES = sys.getsizeof(b"")
_OF_INT = sys.getsizeof(1 << 40)
_taken: list[object] = []


def fill_pools() -> None:
    """Take the free blocks of pools that are in use; does nothing where Python does not tell of
    them. Call it in a process that only forks from then on."""
    for size, free in free_blocks().items():
        for number in range(free):
            _taken.append(_object_of(size, number))


def free_blocks() -> dict[int, int]:
    """How many are free, by their size in bytes."""
    found = _POOLS.finditer(_told())
    return {int(each["size"]): int(each["free"]) for each in found}


def _object_of(size: int, number: int) -> object:
    """A new object of just this size; `number`: another one for each."""
    if size >= _OF_BYTES + 2:  # of less there is one for all
        return bytes(size - _OF_BYTES)
    return (1 << 40) + number if size >= _OF_INT else object()


def _told() -> str:
    """What Python tells of its memory, which it only writes to the standard error; "" where it does
    not, or where that cannot be kept."""
    if hasattr(sys, "_debugmallocstats") and hasattr(os, "memfd_create"):
        with suppress(OSError), open(os.memfd_create("memory"), "w+b") as file:
            error = os.dup(2)
            os.dup2(file.fileno(), 2)
            try:
                sys._debugmallocstats()
            finally:
                os.dup2(error, 2)
                os.close(error)
            file.seek(0)
            return file.read().decode()
    return ""
