"""Objects that are never freed, in a process of its own: they stay so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dashboards.forks.immortal import can_immortalize

_PROGRAM = """
import gc, sys
from dashboards.forks.immortal import immortalize
class Shelf: pass
def label(): return "a constant of its own"
shelf = Shelf()
shelf.books = [1000001, "a book " * 3, {"in": ("a", "nested", "dict")}]
immortalize()
gc.freeze()
found = [Shelf, label, label.__code__, label(), shelf, shelf.books, *shelf.books]
counts = {sys.getrefcount(each) for each in found}
for _ in range(1000):
    kept = list(found)
del kept
assert counts == {sys.getrefcount(each) for each in found} == {sys.getrefcount(None)}, counts
shelf.books.append("new")
new = object()
shelf.books.append(new)
assert shelf.books.pop() is new and sys.getrefcount(new) < 5
gc.collect()
"""


@pytest.mark.skipif(not can_immortalize(), reason="this Python counts all objects, or in a new way")
def test_what_there_is_is_no_longer_counted_and_works_as_before() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True, timeout=60)


def test_only_a_python_whose_form_is_known() -> None:
    assert can_immortalize() == ((3, 12) <= sys.version_info[:2] <= (3, 13))
