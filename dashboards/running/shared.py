"""What the shared cells of a notebook have left, for a session of somebody's server.

They run once for all who may see the folder, in a process of the folder's own, which the hub starts
(`dashboards.running.shared_process`). What they leave comes as a file, which the process of each
viewer's dashboard maps read-only.

Imports pandas: only what runs notebooks may import this module, when it is time for that.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pandas as pd

from dashboards.catalog import Dashboard
from dashboards.failure import Failure
from dashboards.running import shared_file

log = logging.getLogger(__name__)

KEPT = "__shared__"
"""The name under which a notebook's module keeps what is shared as it was."""


Ask = Callable[[], Awaitable[dict[str, str] | None]]
"""Asks the hub, as `dashboards.web.hub.Hub.shared_data`. Raises OSError when it does not answer."""


async def left_by_shared_cells(ask: Ask, dashboard: Dashboard) -> dict[str, Any] | Failure | None:
    """The values by name, or why there are none; waits until the cells have run.

    None: the hub runs no shared cells, so they are to run as all others do.
    """
    try:
        # A file that is made anew meanwhile is gone by the time that it is to be opened.
        return await _read(ask, dashboard, again=True)
    except (OSError, ValueError) as error:
        reference = secrets.token_hex(4)
        log.exception("No shared data of %s/%s, reference %s", *_names(dashboard), reference)
        return Failure(
            reference=reference,
            summary=type(error).__name__,
            traceback=str(error),
            sentence="Its data cannot be had at the moment.",
        )


async def _read(ask: Ask, dashboard: Dashboard, *, again: bool) -> dict[str, Any] | Failure | None:
    answer = await ask()
    if answer is None:
        log.warning("The shared cells of %s/%s run for this viewer alone", *_names(dashboard))
        return None
    if "file" not in answer:
        return Failure(**answer)
    try:
        values = shared_file.read(Path(answer["file"]))
    except FileNotFoundError:
        if again:
            return await _read(ask, dashboard, again=False)
        raise
    return as_given(values)


def as_given(values: dict[str, Any]) -> dict[str, Any]:
    """What a notebook gets of what is shared. It may change its frame: as long as there is the one
    in the file, pandas copies what is changed, before."""
    return {name: _copied(value) for name, value in values.items()} | {KEPT: values}


def _copied(value: Any) -> Any:
    """As a notebook gets it: frames and series in a list or a dict too."""
    if isinstance(value, pd.DataFrame | pd.Series):
        return value.copy(deep=False)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_copied, value))
    return value


def _names(dashboard: Dashboard) -> tuple[str, str]:
    return dashboard.group, dashboard.name
