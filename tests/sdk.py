"""Descope's own Python SDK, unmodified, as the tests use it: to look at a project and change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from descope import DescopeClient

PROJECT = "PlocalStandInForDescope00000"


class Project:
    """A project of the stand-in, in the hands of who has its management key.

    Attributes:
        client: the SDK's client; `mgmt` its management half.
    """

    def __init__(self, url: str, key: str | None, project_id: str = PROJECT) -> None:
        self.client = DescopeClient(project_id, management_key=key, base_url=url)
        self.mgmt = self.client.mgmt

    def change(self, path: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change one file of the project's snapshot."""
        files = self.mgmt.project.export_snapshot()["files"]
        change(files[path])
        self.mgmt.project.import_snapshot(files)

    def settings(self, path: str, **settings: Any) -> None:
        """Set some of the settings in one file of the snapshot."""
        self.change(path, lambda file: file.update(settings))

    def set_roles(self, email: str, tenant: str, *roles: str) -> None:
        """Give somebody exactly these roles in a tenant; roles that are missing are made."""
        known = {role["name"] for role in self.mgmt.role.load_all()["roles"]}
        for role in roles:
            if role not in known:
                self.mgmt.role.create(role)
        self.mgmt.user.set_tenant_roles(email, tenant, list(roles))
