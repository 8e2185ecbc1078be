"""What is written down, and how: an event that its schema allows, cleaned, nobody by name."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from jupyter_events import EventLogger
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from tornado.log import app_log

from .trail import Trail

Action = Literal[
    "signed-in",
    "sign-in-refused",
    "signed-out",
    "session-ended",
    "identity-refused",
    "group-given",
    "group-taken",
    "access-asked",
    "access-granted",
    "access-declined",
    "announced",
    "announcement-ended",
    "dashboard-opened",
    "dashboard-tried",
    "dashboard-published",
    "dashboard-rolled-back",
    "dashboard-removed",
    "server-stopped",
    "provider-away",
    "provider-back",
    "promise-missed",
    "rate-limited",
    "user-forgotten",
]

SCHEMA: Final = Path(__file__).with_name("schemas") / "event-v1.yaml"
SCHEMA_ID: Final = "https://atrium.invalid/events/audit"
#: Who can act without being a person.
_NOBODY: Final = frozenset({"", "provider", "hub", "operator"})
_LONGEST: Final = 200
_ADDRESS: Final = re.compile(r"[\w.+'-]+@[\w.-]*\w")
#: Somebody unknown can cause records at will; that many must not push older ones out of the trail.
_FROM_STRANGERS: Final = parse("10/minute")

_trail: Trail | None = None
_logger = EventLogger()
_limiter = MovingWindowRateLimiter(MemoryStorage())
_left_out = 0


def configure(folder: Path, key: str) -> Trail:
    """Write to a folder from now on. Called once, by the process that is the hub.

    Raises:
        TrailInUse: another process writes there.
    """
    global _trail, _logger, _left_out
    _trail, _left_out = Trail(folder, key), 0
    _limiter.storage.reset()
    _logger = EventLogger(handlers=[_trail])
    _logger.register_event_schema(SCHEMA)
    return _trail


def close() -> None:
    """Write nothing from now on."""
    global _trail
    if _trail is not None:
        _trail.close()
        _trail = None


def current() -> Trail | None:
    """The trail that this process writes, None before there is one."""
    return _trail


def record(action: Action, *, user: str, by: str = "", **details: str) -> None:
    """Write down that something has happened; never a token, a code or a secret.

    A trail that cannot be written, on a full disk say, is reported in the hub's log; what
    happened has happened and goes on.

    Args:
        user: the hub user whom it is about, "" where there is none.
        by: who did it: a hub user, "provider", "hub" or "operator"; "" for the user.
        details: what else there is to know, such as `group`, `reason`, `tenant` or `dashboard`.
            No free text that somebody has typed: it could never be forgotten.
    """
    global _left_out
    if _trail is None:
        return
    if not user and not by:
        if not _limiter.hit(_FROM_STRANGERS):
            _left_out += 1
            return
        if _left_out:
            details["left_out_before"] = str(_left_out)
            _left_out = 0
    try:
        data = {
            "action": action,
            "user": _person(user),
            "by": _person(by),
            "details": {name: _without_names(_clean(text)) for name, text in details.items()},
        }
        # The logger adds a "Z" to the moment, so it must be UTC and not say so.
        moment = datetime.now(UTC).replace(tzinfo=None)
        _logger.emit(schema_id=SCHEMA_ID, data=data, timestamp_override=moment)
    except (OSError, sqlite3.Error) as error:
        app_log.error("The audit trail took no record of %s: %s", action, error)


def _clean(text: str) -> str:
    """Outside text as one short line."""
    plain = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return plain if len(plain) <= _LONGEST else plain[:_LONGEST] + "…"


def _person(name: str) -> str:
    assert _trail is not None
    return name if name in _NOBODY else _trail.people.pseudonym(_clean(name))


def _without_names(text: str) -> str:
    """Addresses in a text as pseudonyms, so that their people can be forgotten too."""
    return _ADDRESS.sub(lambda found: _person(found[0]), text)
