"""How soon a dashboard's first view is to be there, and whether it is.

*Speed* shows admins the same of all dashboards (`dashboards/usage_data.py`); a test holds the two
to the same answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Literal

from ..notebook_files import LARGEST

#: Seconds, if a notebook says nothing else by `atrium.budget_seconds` in its metadata.
USUAL: Final = 2.0
_LONGEST: Final = 600

Verdict = Literal["in time", "at times too slow", "too slow"]


def budget_in(notebook: bytes) -> float:
    """A notebook's own budget in seconds, else `USUAL`; what makes no sense counts as nothing."""
    if len(notebook) > LARGEST:
        return USUAL
    try:
        given = json.loads(notebook)["metadata"]["atrium"]["budget_seconds"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return USUAL
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return float(given) if is_number and 0 < given <= _LONGEST else USUAL


def verdict(seconds: Mapping[str, float], budget: float) -> Verdict:
    """Whether a budget holds. `seconds`: quantiles, as of `report.quantiles`."""
    if seconds["p50"] > budget:
        return "too slow"
    return "at times too slow" if seconds["p95"] > budget else "in time"
