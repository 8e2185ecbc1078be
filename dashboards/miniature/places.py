"""The places on an axis of values of any kind: numbers and moments by size, names as they come."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

from dashboards.miniature.columns import coordinates
from dashboards.miniature.thinning import Numbers


class Places:
    """One axis; it stays what its first values are."""

    def __init__(self) -> None:
        self._names: dict[str, int] | None = None
        self._is_known = False

    def of(self, values: Any) -> Numbers:
        """The places of more values."""
        found = np.asarray(values)
        if not self._is_known and len(found):
            self._is_known = True
            if found.dtype.kind not in "biufMm" and not _are_moments(found):
                self._names = {}
        if self._names is not None:
            names = self._names
            return np.array([names.setdefault(str(one), len(names)) for one in found], dtype=float)
        if found.dtype.kind in "OUS":
            found = pd.to_datetime(pd.Series(found), errors="coerce", utc=True)
            found = found.dt.tz_localize(None).to_numpy()
        return coordinates(found, None)


def _are_moments(values: Any) -> bool:
    first = values[0]
    if isinstance(first, datetime.date):
        return True
    text = str(first)
    if not (len(text) >= 8 and text[:4].isdigit() and text[4] in "-/"):
        return False
    return pd.to_datetime(pd.Series([text]), errors="coerce").notna().all()
