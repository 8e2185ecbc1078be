"""What our handlers of the hub's API share."""

from __future__ import annotations

from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from tornado import web

from .roles import READ_ACCESS


class ReadsAccess(APIHandler):
    """For whoever may read who sees what: members of `admin`, and their servers of that folder."""

    async def prepare(self) -> None:
        """Refuse everybody else, before anything is looked up."""
        await super().prepare()
        # `needs_scope` knows JupyterHub's own scopes only.
        if not self.current_user or READ_ACCESS not in self.expanded_scopes:
            raise web.HTTPError(403)


def told_in(handler: APIHandler) -> dict[str, Any]:
    """The object that a request carries, {} for none. Raises web.HTTPError: 400, something else."""
    told = handler.get_json_body() or {}
    if not isinstance(told, dict):
        raise web.HTTPError(400, "The body must be an object")
    return told
