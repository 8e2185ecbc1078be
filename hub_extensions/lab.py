"""The lab: JupyterLab as the named server `lab` of those who write dashboards.

What runs in it is `dashboards.lab`. Who may write there runs code, so it is refused where
publishing is (`publishing.rights.obstacle`); and a lab serves any page, so it is also refused where
that page would be one of the hub's own origin.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import Any, Final

from jupyterhub.user import User
from tornado import web

from . import brands, local_service
from .accounts.unix_accounts import Isolation
from .folders import ANALYSTS
from .publishing import rights
from .roles import PUBLISH
from .settings import Settings

#: Isolated (-I), so that nothing in the home is imported in place of what is meant.
COMMAND: Final = [sys.executable, "-I", "-m", "dashboards.lab"]

#: What a lab may do at the hub; its kernels have its token.
SCOPES: Final = [
    "users:activity!user",  # report its own activity (the `server` role has it too),
    "access:servers!server",  # check who opens it (the `server` role has it too),
    PUBLISH,  # and hand in what was written in it, to be published (`publishing.api`).
]


def set_up(c: Any, given: Settings, isolation: Isolation) -> None:
    """Say who can have a lab, and what it is told. Called by the configuration."""
    c.DashboardSpawner.lab_environment = environment_for(given)
    c.DashboardSpawner.lab_obstacle = obstacle(given, isolation)


def check_allowed(groups: Collection[str], obstacle: str) -> None:
    """Refuse a lab to whom it is not for.

    Args:
        groups: of the person.
        obstacle: why nobody can have one here, "" if they can.

    Raises:
        web.HTTPError: 403, with a sentence for the person.
    """
    if ANALYSTS not in groups:
        raise web.HTTPError(403, "This is for people who write dashboards.")
    if obstacle:
        raise web.HTTPError(403, obstacle)


def obstacle(given: Settings, isolation: Isolation) -> str:
    """Why nobody can have a lab here, a sentence with the next step; "" if they can."""
    if said := rights.obstacle(given, isolation):
        return said
    if given.is_local or given.subdomain_host or given.trust_authors or given.unisolated:
        return ""
    return (
        "Dashboards cannot be written here yet, because a page that somebody writes could use this"
        " site as whoever opens it. Whoever runs this site can set ATRIUM_SUBDOMAIN_HOST, so that"
        " each person's pages get an address of their own, or ATRIUM_TRUST_AUTHORS=yes if everybody"
        " who writes dashboards may have what those have who look at them."
    )


def environment_for(given: Settings) -> Callable[[User], dict[str, str]]:
    """Says what somebody's lab is told beside what each server is: the hub's address, and the
    tenants, the owner's first, of which a preview shows sample viewers. Who is not of the owner's
    tenant learns of no customer but their own."""
    owner = given.owner_tenant or local_service.OWNER_TENANT

    def environment(user: User) -> dict[str, str]:
        own = brands.tenant_of(user)
        others = sorted(given.customers) if own == owner else filter(None, [own])
        return {"ATRIUM_ADDRESS": given.address, "ATRIUM_TENANTS": ",".join([owner, *others])}

    return environment
