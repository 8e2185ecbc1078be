"""Attacks, each with the guard that refuses it.

Every attempt says in whose words it is known and which guard stops it; a test that takes a guard
out says which. `test_inventory.py` counts them.
"""

from __future__ import annotations

import pytest


def attack(kind: str, guard: str) -> pytest.MarkDecorator:
    """An attempt of this kind, which this guard refuses."""
    return pytest.mark.attack(kind, guard)


def guard_out(*guards: str) -> pytest.MarkDecorator:
    """A test in which the attack succeeds, since these guards are taken out."""
    return pytest.mark.guard_out(*guards)
