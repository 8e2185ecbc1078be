"""`GET /hub/api/access`: who may see what, and why; for members of `admin` and the admin folder.

/access                              everybody, and every dashboard
/access/{user}                       a person's groups, and what each of them opens
/access/{user}?dashboard=group/name  whether and why they see it (a link to it will do)
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tornado import web

from ..api_handlers import ReadsAccess
from ..notebook_files import Notebook, meant, notebooks_in
from . import report as access_report


class _AccessHandler(ReadsAccess):
    """What both handlers share: the folder of notebooks."""

    async def notebooks(self) -> tuple[Notebook, ...]:
        """All notebooks; read in a thread, for a folder may be slow."""
        try:
            root = Path(self.config.DashboardSpawner.notebooks)
            return await asyncio.to_thread(notebooks_in, root)
        except OSError as error:
            raise web.HTTPError(500, "The folder of notebooks cannot be read") from error


class EverybodyHandler(_AccessHandler):
    """`GET /hub/api/access`."""

    async def get(self) -> None:
        notebooks = await self.notebooks()
        people = access_report.read_people(self.db)
        self.finish(
            json.dumps(
                {
                    "people": [access_report.person_record(person) for person in people],
                    "dashboards": access_report.dashboard_records(people, notebooks),
                }
            )
        )


class PersonHandler(_AccessHandler):
    """`GET /hub/api/access/{user}`."""

    async def get(self, user_name: str) -> None:
        notebooks = await self.notebooks()
        for person in access_report.read_people(self.db, user_name):
            self.finish(json.dumps(self._about(person, notebooks)))
            return
        raise web.HTTPError(404, "There is no such person")

    def _about(
        self, person: access_report.Person, notebooks: tuple[Notebook, ...]
    ) -> dict[str, Any]:
        words = self.get_query_argument("dashboard", "")
        if not words:
            return access_report.detailed_record(person, notebooks)
        found = meant(notebooks, words)
        if len(found) != 1:
            raise web.HTTPError(404, f"{len(found) or 'No'} dashboards have this name")
        answer = access_report.explain(person, found[0], self.authenticator.role_groups)
        return {"user": person.name, "dashboard": found[0].id, **asdict(answer)}


handlers: Final = [
    (r"/api/access", EverybodyHandler),
    (r"/api/access/([^/]+)", PersonHandler),
]
