"""The tests. They start the real hub with the shipped configuration, and drive a real browser."""

from __future__ import annotations

import re


def told(value: object) -> str:
    """A value as the id of a test: the same in each process that runs some of them."""
    return re.sub(r" object at 0x[0-9a-f]*|\b1[0-9]{9}\b", "", str(value))
