"""Who may publish to which folder: pure functions of groups' names and of settings."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from ..accounts.unix_accounts import Isolation
from ..folders import ADMIN, ANALYSTS, PUBLISHERS_SUFFIX, is_audience
from ..settings import Settings

UNISOLATED: Final = (
    "Whoever writes a dashboard has what this site's own account has: its servers have no accounts"
    " of their own, and ATRIUM_UNISOLATED allows it all the same."
)


def may_publish(groups: Collection[str], folder: str, *, is_hub_admin: bool = False) -> bool:
    """Whether somebody in these groups may publish to a folder.

    Members of `<folder>.publish` may, full admins of the hub to every folder, members of `admin`
    to every one but `admin`, whose notebooks read what the hub knows; analysts to their own.
    """
    if not is_audience(folder):
        return False
    if is_hub_admin or folder + PUBLISHERS_SUFFIX in groups:
        return True
    if folder == ADMIN:
        return False
    return ADMIN in groups or (folder == ANALYSTS and ANALYSTS in groups)


def publishes_anywhere(groups: Collection[str], *, is_hub_admin: bool = False) -> bool:
    """Whether there may be a folder that somebody in these groups publishes to."""
    return (
        is_hub_admin
        or not {ADMIN, ANALYSTS}.isdisjoint(groups)
        or any(group.endswith(PUBLISHERS_SUFFIX) for group in groups)
    )


def set_up(c: Any, given: Settings, isolation: Isolation) -> None:
    """Say whether anybody can publish here. Called by the configuration."""
    c.DescopeAuthenticator.publishing_obstacle = obstacle(given, isolation)
    c.DescopeAuthenticator.publishing_warning = warning(given, isolation)


def obstacle(given: Settings, isolation: Isolation) -> str:
    """Why nobody can write or publish dashboards here, a sentence with the next step; "" if they
    can: who may write a notebook runs code."""
    if given.is_local or isolation.ids or given.unisolated:
        return ""
    return (
        "Dashboards cannot be written or published here yet, because everybody's code would run"
        f" under one account of this machine: {isolation.obstacle}. Whoever runs this site can"
        " start it as root on Linux, so that each person gets an account of their own, or set"
        " ATRIUM_UNISOLATED=yes if everybody who writes dashboards may have all that its account"
        " has."
    )


def warning(given: Settings, isolation: Isolation) -> str:
    """What admins are told of it, "" if nothing is to be said."""
    return UNISOLATED if not given.is_local and given.unisolated and not isolation.ids else ""
