"""Leaving out what is more than can be seen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.float64]]


def thinned(values: Numbers, most: int) -> Any:
    """Places of so many values at most, in order, in which lows and highs are kept."""
    count = len(values)
    if count <= most:
        return slice(None)
    size = math.ceil(count / (most // 2))
    whole = np.arange(0, count - count % size).reshape(-1, size)
    blocks = np.nan_to_num(values[: whole.size].reshape(-1, size))
    rows = np.arange(len(whole))
    found = {*whole[rows, blocks.argmin(axis=1)], *whole[rows, blocks.argmax(axis=1)], count - 1}
    return np.array(sorted(found))


def evenly(count: int, most: int) -> Any:
    """So many places of a number of them, at most."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).astype(int)
