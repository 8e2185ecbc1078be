"""What a manager of groups has to decide: the requests for access that are theirs to answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from jupyterhub import orm
from jupyterhub.user import User
from sqlalchemy.orm import Session

from .. import grants
from ..claims import MANAGERS_SUFFIX
from ..folders import ADMIN, has_dashboard
from ..refusals import Refused
from . import requests as access_requests
from .group_api import carries_rights, look_alike
from .manager_rules import decides, manages_any
from .managers import people_for
from .requests import OPEN, AccessRequest


@dataclass(frozen=True, kw_only=True)
class RequestQueue:
    """One person's, at this moment. Made anew for each request of a browser, so that a right that
    was lost meanwhile counts."""

    db: Session
    manager: orm.User
    notebooks: Path
    provided_groups: Collection[str]
    customer_tenants: Collection[str]

    @classmethod
    def of(cls, user: User) -> RequestQueue:
        """The queue of somebody who is signed in."""
        authenticator = user.authenticator
        return cls(
            db=user.db,
            manager=user.orm_user,
            notebooks=Path(user.spawner.notebooks),
            provided_groups=authenticator.provided_groups,
            customer_tenants=authenticator.customer_tenants,
        )

    @cached_property
    def groups(self) -> frozenset[str]:
        """What the manager is a member of; a full admin of the hub counts as one of `admin`."""
        held = grants.groups_of(self.db, self.manager)
        return held | {ADMIN} if self.manager.admin else held

    @property
    def is_there(self) -> bool:
        """Whether they manage anything."""
        return manages_any(self.groups)

    def requests(self) -> list[AccessRequest]:
        """The open requests that are theirs to answer, the oldest first."""
        if not self.is_there:
            return []
        return [request for request in access_requests.open_requests(self.db) if self.sees(request)]

    def sees(self, request: AccessRequest) -> bool:
        """Whether they may know of a request. What is not there only members of `admin` see, who
        see every folder; nobody sees their own."""
        if request.user_id == self.manager.id:
            return False
        if ADMIN in self.groups:
            return True
        person = grants.groups_of(self.db, request.user)
        return decides(
            self.groups, request.group_name, person, self.customer_tenants
        ) and self.exists(request)

    def exists(self, request: AccessRequest) -> bool:
        """Whether there is such a dashboard now."""
        return has_dashboard(self.notebooks, request.group_name, request.dashboard)

    def follows_provider(self, request: AccessRequest) -> bool:
        """Whether the provider gives the group, and this manager may not."""
        carries = carries_rights(self.db, request.group_name, self.provided_groups)
        return carries and not self.manager.admin

    def take(self, request_id: str) -> AccessRequest:
        """The request of this id, to be answered now.

        Raises:
            Refused: it is not theirs to answer, or has been answered.
        """
        request = access_requests.find(self.db, request_id)
        if request is not None and request.user_id == self.manager.id:
            raise Refused("Nobody decides on a request of their own.", 403)
        if request is None or not self.sees(request):
            raise Refused("There is no such request. It may have gone with its person.", 404)
        if request.state == "withdrawn":
            raise Refused(f"{request.user.name} has withdrawn this request.", 409)
        if request.state != OPEN:
            raise Refused(f"{request.decided_by} has {request.state} this request already.", 409)
        return request

    def grant(self, request: AccessRequest, until: datetime | None, note: str) -> None:
        """Give the person the group. Commits.

        Raises:
            Refused: the group is the provider's to give, or there is nothing to be seen by it.
        """
        group = request.group_name
        if self.follows_provider(request):
            raise Refused(f"{group} follows the sign-in provider. Change the role there.", 403)
        if not self.exists(request):
            raise Refused(f"There is no dashboard {group}/{request.dashboard} now.", 409)
        if (other := look_alike(self.db, group)) and other != group:
            raise Refused(f"There is a group {other}, which could be taken for {group}.", 409)
        people = people_for(group, self.customer_tenants)
        held = grants.groups_of(self.db, request.user)
        if group.endswith(MANAGERS_SUFFIX) and people not in held:
            raise Refused(f"{group} sees the people of {people}, and this person is none.", 403)
        access_requests.grant(self.db, request, self.manager.name, until, note)


def open_requests(user: User | None) -> int | None:
    """How many requests wait for somebody's answer; None for those who manage nothing."""
    queue = RequestQueue.of(user) if user else None
    return len(queue.requests()) if queue and queue.is_there else None
