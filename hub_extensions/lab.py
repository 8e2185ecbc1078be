"""The lab: JupyterLab as the named server `lab` of those who write dashboards.

What runs in it is `dashboards.lab`. Who may write there runs code, so it may be refused as
publishing is (`publishing.rights.obstacle`).
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Final

from tornado import web

from . import local_service
from .publishing.rights import ANALYSTS
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


def environment(given: Settings) -> dict[str, str]:
    """What labs are told beside what each server is: the hub's address, and the tenants, the
    owner's first, of which a preview shows sample viewers."""
    owner = given.owner_tenant or local_service.OWNER_TENANT
    tenants = ",".join([owner, *sorted(given.customers)])
    return {"ATRIUM_ADDRESS": given.address, "ATRIUM_TENANTS": tenants}
