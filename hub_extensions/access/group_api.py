"""JupyterHub's group pages and API, with the table of grants behind them.

The handlers of `jupyterhub.apihandlers.groups` do the work; these add two things: what an admin
grants is recorded with it, in the same transaction, and the groups that carry rights are changed
by full admins or the provider only. JupyterHub's `groups` scope would let its holder add anybody,
himself too, to any group. Whoever manages some groups only (managers.py) sees and names nobody
outside their tenant: somebody else is answered like nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

from jupyterhub import orm
from jupyterhub.apihandlers import groups as stock
from jupyterhub.scopes import Scope, needs_scope
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from tornado import web

from .. import grants
from ..api_handlers import told_in
from ..claims import MANAGERS_SUFFIX
from ..folders import ADMIN, PUBLISHERS_SUFFIX, is_folder_name
from . import managers
from .managers import alike

#: Who may publish to the admin folder, whose notebooks read what the hub knows.
ADMIN_PUBLISHERS: Final = ADMIN + PUBLISHERS_SUFFIX

#: Only full admins hold it: JupyterHub's own measure of one.
FULL_ADMIN_SCOPE: Final = "admin:users"


def carries_rights(db: Session, group_name: str, provided: Collection[str]) -> bool:
    """Whether only full admins and the provider change a group: its roles give it, or give with
    it what JupyterHub allows, or its members write what admins run.

    `provided`: the groups that follow the provider.
    """
    group = orm.Group.find(db, name=group_name)
    return alike(group_name) in map(alike, [*provided, ADMIN_PUBLISHERS]) or (
        group is not None and not all(map(managers.is_managers_role, group.roles))
    )


def look_alike(db: Session, group_name: str) -> str | None:
    """A group that has this name, or one that looks like it."""
    folded = alike(group_name)
    return next((name for (name,) in db.query(orm.Group.name) if alike(name) == folded), None)


class _GuardedGroup(stock._GroupAPIHandler):
    """What the group handlers below share."""

    @property
    def actor(self) -> str:
        """Who asks, for the table of grants."""
        return str(self.current_user.name)

    @cached_property
    def people_seen(self) -> set[str] | None:
        """The names that a manager of some groups may know; None for who manages all groups."""
        if self.has_scope("read:groups"):
            return None
        seen = self.parsed_scopes.get("read:users:name", {})
        if seen == Scope.ALL:
            return None
        query = select(orm.User.name).where(
            or_(
                orm.User.name.in_(seen.get("user", ())),
                orm.User.groups.any(orm.Group.name.in_(seen.get("group", ()))),
            )
        )
        return set(self.db.scalars(query))

    def group_model(self, group: orm.Group) -> dict[str, Any]:
        """JupyterHub's, without the names of people whom the asker may not know."""
        model = super().group_model(group)
        if "users" in model and self.people_seen is not None:
            model["users"] = [name for name in model["users"] if name in self.people_seen]
        return model

    def _usernames_to_users(self, usernames: list[str]) -> list[orm.User]:
        """JupyterHub's; one name after the other, so that the first wrong one is the answer."""
        users: list[orm.User] = []
        for username in usernames:
            (user,) = super()._usernames_to_users([username])
            if self.people_seen is not None and user.name not in self.people_seen:
                raise web.HTTPError(400, f"No such user: {user.name}")
            users.append(user)
        return users

    def check_may_change(self, group_name: str) -> None:
        """Refuse a change of a group that carries rights by anyone but a full admin."""
        provided = self.authenticator.provided_groups
        if carries_rights(self.db, group_name, provided) and not self.has_scope(FULL_ADMIN_SCOPE):
            if alike(group_name) == ADMIN_PUBLISHERS:
                raise web.HTTPError(403, f"{group_name} is given by the hub's full admins only")
            raise web.HTTPError(
                403, f"The group {group_name} follows the sign-in provider; change the role there"
            )

    def check_may_manage(self, group_name: str, users: Iterable[orm.User]) -> None:
        """Refuse a manager who would see the people of a tenant that is not theirs."""
        if not group_name.endswith(MANAGERS_SUFFIX):
            return
        people = managers.people_for(group_name, self.authenticator.customer_tenants)
        for user in users:
            if people not in {group.name for group in user.groups}:
                raise web.HTTPError(
                    400, f"{user.name} is not in the group {people}, whose people {group_name} sees"
                )

    def check_new_name(self, group_name: Any) -> None:
        """A group is a folder: refuse a name no folder can have, or one that looks like another."""
        if not isinstance(group_name, str) or not is_folder_name(group_name):
            raise web.HTTPError(
                400, "A group's name is the name of a folder: no slash, no dot first"
            )
        if name := look_alike(self.db, group_name):
            raise web.HTTPError(409, f"There is a group {name} already")
        for tenant in self.authenticator.customer_tenants:
            if alike(group_name).startswith(alike(f"{tenant}.")) and not group_name.startswith(
                f"{tenant}."
            ):
                raise web.HTTPError(409, f"The groups of {tenant} begin with {tenant}.")

    def named(self, key: str) -> list[str]:
        """The names that the body of this request lists under a key, each once.

        Raises:
            web.HTTPError: 400 for a body that is not what JupyterHub documents.
        """
        body = told_in(self)
        names = body.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise web.HTTPError(400, f"{key} must be a list of names")
        self._check_group_model({name: value for name, value in body.items() if name != "groups"})
        if len(set(names)) != len(names):
            raise web.HTTPError(400, f"{key} names something twice")
        return names

    def named_users(self) -> list[orm.User]:
        """The users that the body of this request names."""
        return self._usernames_to_users(self.named("users"))

    def record_new(self, groups: Iterable[str], users: list[orm.User]) -> None:
        """Record the members that groups were made with."""
        for group in groups:
            for user in users:
                grants.grant(self.db, user, group, self.actor)
        self.db.commit()

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is recorded and what JupyterHub does stand or fall together."""
        try:
            yield
        except BaseException:
            self.db.rollback()
            raise


class GroupListHandler(_GuardedGroup, stock.GroupListAPIHandler):
    """List groups and create several: `GET` and `POST /api/groups`."""

    def paginated_model(
        self, items: list[Any], offset: int, limit: int, total_count: int
    ) -> dict[str, Any]:
        """JupyterHub's, whose total counts the groups too that the asker may not see."""
        seen = self.parsed_scopes["list:groups"]
        if seen != Scope.ALL:
            mine = orm.Group.name.in_(seen["group"])
            total_count = self.db.scalar(select(func.count()).select_from(orm.Group).where(mine))
        return super().paginated_model(items, offset, limit, total_count)

    @needs_scope("admin:groups")
    async def post(self) -> None:
        names, users = self.named("groups"), self.named_users()
        for name in names:
            self.check_may_change(name)
            self.check_new_name(name)
            self.check_may_manage(name, users)
        if len({name.casefold() for name in names}) != len(names):
            raise web.HTTPError(400, "groups names something twice")
        await super().post()
        self.record_new(names, users)


class GroupHandler(_GuardedGroup, stock.GroupAPIHandler):
    """Create or delete one group: `POST` and `DELETE /api/groups/{name}`."""

    @needs_scope("admin:groups")
    async def post(self, group_name: str) -> None:
        self.check_may_change(group_name)
        self.check_new_name(group_name)
        users = self.named_users()
        self.check_may_manage(group_name, users)
        await super().post(group_name)
        self.record_new([group_name], users)

    @needs_scope("delete:groups")
    def delete(self, group_name: str) -> None:
        self.check_may_change(group_name)
        with self.all_or_nothing():
            grants.forget_group(self.db, group_name, self.actor)
            super().delete(group_name)


class GroupUsersHandler(_GuardedGroup, stock.GroupUsersAPIHandler):
    """Add and remove members: `POST` and `DELETE /api/groups/{name}/users`."""

    @needs_scope("groups")
    def post(self, group_name: str) -> None:
        self.check_may_change(group_name)
        self.find_group(group_name)
        users = self.named_users()
        self.check_may_manage(group_name, users)
        with self.all_or_nothing():
            for user in users:
                grants.grant(self.db, user, group_name, self.actor)
            super().post(group_name)

    @needs_scope("groups")
    async def delete(self, group_name: str) -> None:
        self.check_may_change(group_name)
        self.find_group(group_name)
        users = self.named_users()
        with self.all_or_nothing():
            for user in users:
                grants.take(self.db, user, group_name, self.actor)
            await super().delete(group_name)


class GroupPropertiesHandler(_GuardedGroup, stock.GroupPropertiesAPIHandler):
    """Change a group's properties: `PUT /api/groups/{name}/properties`."""

    @needs_scope("admin:groups")  # who manages a group changes its members and nothing else
    def put(self, group_name: str) -> None:
        self.check_may_change(group_name)
        super().put(group_name)


handlers: Final = [
    (r"/api/groups", GroupListHandler),
    (r"/api/groups/([^/]+)", GroupHandler),
    (r"/api/groups/([^/]+)/users", GroupUsersHandler),
    (r"/api/groups/([^/]+)/properties", GroupPropertiesHandler),
]
