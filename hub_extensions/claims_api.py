"""`GET /hub/api/claims`: what a dashboard server may know of its owner, at this moment."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, Final

from jupyterhub.user import User

from . import announcement, folder_secrets
from .access.request_queue import open_requests
from .claims import notebook_claims
from .folders import ADMIN
from .own_server import OwnServerHandler
from .publishing.rights import may_publish, publishes_anywhere
from .thumbnails import thumbnails
from .usage import favourites, openings


class ClaimsHandler(OwnServerHandler):
    """What `known_of` says of the server's owner; and, for the gallery, which dashboards that they
    could mend do not run (`failing`), as `[group, dashboard, sentence]`."""

    async def get(self) -> None:
        known = await known_of(self.authenticator, self.owner)
        self.finish(json.dumps(known | {"failing": _failing(self.owner)}))


async def known_of(authenticator: Any, user: User) -> dict[str, Any]:
    """Name, groups, tenant and allow-listed claims of somebody, which of their roles do not count
    for how they signed in, what waits for them as a manager, what admins tell everybody, and which
    dashboards they have as favourites and opened last, as `[group, dashboard]`. Never tokens.
    """
    auth_state = await user.get_auth_state() or {}
    claims = auth_state.get(authenticator.user_auth_state_key) or {}
    groups = sorted(group.name for group in user.groups)
    return {
        "name": user.name,
        "groups": groups,
        "tenant": authenticator.tenant_of(claims),
        "claims": notebook_claims(claims),
        "roles_held_back": sorted(authenticator.roles_held_back(claims)),
        # What is wrong just now is for those who can do something about it.
        "notice": _notice(authenticator) if ADMIN in groups else "",
        "open_requests": open_requests(user),
        "folders_with_secrets": sorted(
            folder
            for folder in folder_secrets.folders(Path(authenticator.state_folder))
            if not {folder, ADMIN}.isdisjoint(groups)
        ),
        "announcement": announcement.seen_by(user),
        "favourites": favourites.favourites_of(user.db, user.orm_user),
        "recent": openings.recent_of(user.db, user.orm_user),
        "publishes": publishes_anywhere(groups, is_hub_admin=user.admin)
        and not authenticator.publishing_obstacle,
    }


def _failing(user: User) -> list[tuple[str, str, str]]:
    groups = {group.name for group in user.groups}
    return thumbnails.failing(partial(may_publish, groups, is_hub_admin=user.admin))


def _notice(authenticator: Any) -> str:
    return " ".join(filter(None, (authenticator.follower.notice, authenticator.publishing_warning)))


handlers: Final = [(r"/api/claims", ClaimsHandler)]
