"""Memory in huge pages, in a process of its own: what was there stays there, and can be changed."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import os, sys
from dashboards.forks.huge_pages import use_huge_pages
kept = [bytes([number % 251]) * 5000 for number in range(8000)]
many = {number: str(number) for number in range(200_000)}
use_huge_pages()
def is_whole():
    return (
        all(block == bytes([number % 251]) * 5000 for number, block in enumerate(kept))
        and all(text == str(number) for number, text in many.items())
    )
assert is_whole()
child = os.fork()
if not child:
    many[7] = "seven"
    kept.append(b"new")
    os._exit(not (many[7] == "seven" and kept[-1] == b"new" and many[8] == "8"))
assert os.waitpid(child, 0)[1] == 0
assert is_whole()
"""


def test_what_there_was_is_there_for_the_process_and_for_a_fork() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True, timeout=60)
