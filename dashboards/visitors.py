"""Who is at the door of a person's server, as the hub knows them."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.settings import ADMIN, ANALYSTS


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody the hub knows. `is_owner`: this server is theirs, and they may use it.
    `is_hub_admin`: they are a full admin of JupyterHub's."""

    name: str
    groups: frozenset[str]
    is_owner: bool
    is_hub_admin: bool = False

    @property
    def is_admin(self) -> bool:
        """Whether they see every folder, and what went wrong in it."""
        return ADMIN in self.groups

    @property
    def may_write(self) -> bool:
        """Whether they write dashboards."""
        return ANALYSTS in self.groups

    def publishes_to(self, group: str) -> bool:
        """Whether the hub would let them publish to this folder (its `publishing.rights`)."""
        if self.is_hub_admin or f"{group}.publish" in self.groups:
            return True
        return (self.is_admin and group != ADMIN) or (self.may_write and group == ANALYSTS)

    @property
    def may_manage(self) -> bool:
        """Whether the hub's page of people and groups has something for them."""
        return self.is_admin or any(group.endswith(f".{ADMIN}") for group in self.groups)
