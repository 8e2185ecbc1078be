"""How the hub and its machine are doing, for the notebooks of the admin folder.

Each function asks the hub and waits. Each raises PermissionError outside the admin folder, and
HubDataError when the hub does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from dashboards.hub_api import WRONG_FORM, HubDataError, get

CAUSES = {
    "": "",
    "killed": "killed by SIGKILL, often because memory ran out",
    "crashed": "crashed, often in compiled code of a package",
    "exited": "ended by its own code, as sys.exit() does",
    "ended": "ended by a signal",
    "no room": "there was no room for one more process",
}
"""How the process of a dashboard has ended; "": it has not, its code raised an error."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Something went wrong in a dashboard for somebody, when it was opened or later.

    `reference`: what they were shown. `cause`: one of `CAUSES`.
    """

    at: datetime
    user: str
    group: str
    dashboard: str
    reference: str
    cause: str

    @property
    def end(self) -> str:
        """In words how its process has ended, "" where it goes on."""
        return CAUSES.get(self.cause, self.cause)


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A disk, in bytes, and what of the hub's lies on it: "state", "notebooks"."""

    of: tuple[str, ...]
    free: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Health:
    """What the hub says of itself. Sizes are bytes, times are seconds.

    `servers` has `ready`, which are of dashboards, `labs`, `starting`, `killed` and
    `open_dashboards`; `queue` has `waiting`, `starting` and `at_once`; `machine` has `memory`,
    `available`, `load` and `cores`. `notice` is a sentence on what is wrong with the sign-in
    service, "" for nothing. `template` is "ready", "starting" or "off".
    """

    up: float
    signed_in: int
    servers: Mapping[str, int]
    queue: Mapping[str, int]
    machine: Mapping[str, float]
    notice: str
    provider_away: float | None
    template: str
    template_memory: int | None
    database: str
    database_size: int | None
    disks: tuple[Disk, ...]
    failures: tuple[Failure, ...]


def health(reference: str = "") -> Health:
    """The report. `reference`: of the failures those alone that it names."""
    query = urlencode({"reference": reference} if reference else {})
    told = get(f"health-report?{query}")
    try:
        return _health(told)
    except (LookupError, TypeError, ValueError):
        raise HubDataError(WRONG_FORM) from None


def _health(told: dict[str, Any]) -> Health:
    return Health(
        up=told["up"],
        signed_in=told["signed_in"],
        servers=told["servers"],
        queue=told["queue"],
        machine=told["machine"],
        notice=told["provider"]["notice"],
        provider_away=told["provider"]["away"],
        template=told["template"]["state"],
        template_memory=told["template"]["memory"],
        database=told["database"]["kind"],
        database_size=told["database"]["size"],
        disks=tuple(
            Disk(of=tuple(disk["of"]), free=disk["free"], size=disk["size"])
            for disk in told["disk"]
        ),
        failures=tuple(
            Failure(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in told["failures"]
        ),
    )
