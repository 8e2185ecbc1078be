"""The dashboard for which a server was started is opened before its owner's browser asks for it.

The hub says which request will come: somebody has signed in to see a dashboard, and is on the way
to it. What is run is what that request would run; if another one comes, its own is.
"""

from __future__ import annotations

import logging
from urllib.parse import unquote

from dashboards.addresses import address
from dashboards.bare_request import request_from
from dashboards.catalog import find, served_here, visible
from dashboards.failure import SessionEnded
from dashboards.site import Site

log = logging.getLogger(__name__)


async def open_expected(site: Site) -> None:
    """Open the dashboard of `site.settings.expected`, if the owner may see it and it runs here."""
    told = site.settings.expected
    if told is None:
        return
    site.hub.know(told["known"])
    groups, is_hub_admin = told["known"]["groups"], told["is_hub_admin"]
    site.hub.know_visitor(told["session"], told["token"], groups, is_hub_admin=is_hub_admin)
    owner = await site.hub.owner()
    if owner is None:
        return
    request = request_from(told)
    place = str(request.path).removeprefix(site.settings.prefix + "dashboards/").rstrip("/")
    group, _, name = map(unquote, place.partition("/"))
    dashboard = find(visible(site.dashboards(group, name), owner.groups), group, name)
    if (
        dashboard is not None
        and served_here(dashboard, serves_admin=site.settings.serves_admin)
        and request.path == address(dashboard, site.settings)
    ):
        try:
            given = await site.hub.secrets_of(group, name)
            files = site.settings.files_url
            order = site.sessions.order_of(dashboard, owner, request, files, given)
            site.sessions.open_expected(dashboard, order)
        except (OSError, SessionEnded) as error:
            log.warning("%s/%s could not be opened ahead: %s", group, name, error)
