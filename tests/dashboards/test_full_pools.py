"""Python's free memory is taken, in a process of its own: what is made later lies elsewhere."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
from dashboards.forks.full_pools import fill_pools, free_blocks
kept = [bytes([number % 251]) * (number % 400) for number in range(50_000)]
del kept[::3]
def is_whole(): return all(len(set(each)) < 2 for each in kept)
before = free_blocks()
fill_pools()
after = free_blocks()
assert len(before) == len(after) == 32 and sum(before.values()) > 10_000, before
for size, free in after.items():  # what is left is one new pool's
    assert free <= (16 << 10) // size, (size, before[size], free)
old = {id(each) >> 14 for each in kept}
new = [bytes(200) for _ in range(1000)]
assert not old & {id(each) >> 14 for each in new[200:]}
assert is_whole()
"""


def test_what_is_made_later_lies_in_pools_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], check=True, timeout=60, stderr=subprocess.PIPE
    )
    assert not done.stderr  # where Python tells of its memory
