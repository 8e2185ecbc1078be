"""The audit trail: who came in, who was refused and why, who was given or lost what by whom."""

from __future__ import annotations

from typing import Literal

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
    "dashboard-opened",
    "server-stopped",
    "provider-away",
    "provider-back",
    "promise-missed",
    "rate-limited",
    "user-forgotten",
]


def record(action: Action, *, user: str, by: str = "", **details: str) -> None:
    """Write down that something has happened; never a token, a code or a secret.

    Args:
        user: the hub user whom it is about, "" where there is none.
        by: who did it: a hub user, "provider", "hub" or "operator".
        details: what else there is to know, such as `group`, `reason`, `tenant` or `dashboard`.
    """
