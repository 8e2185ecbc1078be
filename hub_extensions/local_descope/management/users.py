"""The management API's calls about users, their places in tenants, and their roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from ..errors import DescopeError
from ..oidc.claims import authority
from ..oidc.sessions import end_sessions
from ..records import Place, Record, Tenant, User
from ..store import Transaction
from .frame import call
from .named import usable_roles

#: What says who a user is, and is not for a caller to say.
OWN = {"loginId", "additionalLoginIds", "displayName", "userId", "loginIds", "createdTime"}
#: The most users in one answer.
LARGEST_PAGE: Final = 100


class UserFields(Record):
    """A user as told: of the other names, `User` knows what they have to be."""

    loginId: str
    additionalLoginIds: list[str] = []
    displayName: str = ""
    userTenants: list[Place] = []


class UserName(Record):
    loginId: str = ""
    userId: str = ""


class UserStatus(UserName):
    status: str


class UserRoles(UserName):
    roleNames: list[str] = []
    tenantId: str = ""


class UserSearch(Record):
    """Which users: an empty list leaves all, a filter that is not here is refused."""

    model_config = ConfigDict(extra="forbid")
    tenantIds: list[str] = []
    roleNames: list[str] = []
    loginIds: list[str] = []
    userIds: list[str] = []
    statuses: list[str] = []
    withTestUser: bool = False  # there are none here
    testUsersOnly: Literal[False] = False
    limit: Annotated[int, Field(ge=0, le=LARGEST_PAGE)] = 0
    page: Annotated[int, Field(ge=0)] = 0

    def finds(self, user: User) -> bool:
        """Whether a user has one of each list: a tenant, a role there or of the project, a name."""
        roles = {role for at in [user, *user.userTenants] for role in at.roleNames}
        has = {
            "tenantIds": {place.tenantId for place in user.userTenants},
            "roleNames": roles,
            "loginIds": set(user.loginIds),
            "userIds": {user.userId},
            "statuses": {user.status},
        }
        wanted = {name: getattr(self, name) for name in has}
        return all(not wanted[name] or has[name] & set(wanted[name]) for name in has)


def user_named(db: Transaction, told: Any) -> User:
    """The user with this login id, or else this user id.

    Raises:
        DescopeError: there is none.
    """
    return db.user(told.loginId) or db.found(User, getattr(told, "userId", ""))


def shown(db: Transaction, user: User) -> dict[str, Any]:
    """A user as every answer shows one."""
    places = []
    for tenant_id, held in authority(db, (), user.userTenants)["tenants"].items():
        tenant = db.record(Tenant, tenant_id)
        named = {"tenantId": tenant_id, "tenantName": tenant.name if tenant else ""}
        places.append({**named, "roleNames": held["roles"], "permissions": held["permissions"]})
    return user.model_dump() | {"userTenants": places, "externalIds": user.loginIds}


def _keep(db: Transaction, user: User, **fields: Any) -> dict[str, Any]:
    """Keep a user with changes, if all that they name exists."""
    user = user.changed(**fields)
    usable_roles(db, user.roleNames)
    for place in user.userTenants:
        db.found(Tenant, place.tenantId)
        usable_roles(db, place.roleNames, place.tenantId)
    if user.status == "disabled":
        end_sessions(db, user.userId)
    return {"user": shown(db, db.keep(user))}


def _fields(told: UserFields) -> dict[str, Any]:
    fields = told.model_dump(exclude=OWN)
    return fields | {"name": told.displayName}


@call("v1/mgmt/user/create", UserFields)
def create_user(db: Transaction, told: UserFields) -> dict[str, Any]:
    ids = list(dict.fromkeys([told.loginId, *told.additionalLoginIds]))
    for login_id in ids:
        if not login_id.strip() or len(login_id) > 254:
            raise DescopeError("E011003", "The loginId field is required")
        if db.user(login_id):
            raise DescopeError("E062107", "There is a user with this login id")
    return _keep(db, User(loginIds=ids), **_fields(told))


@call("v1/mgmt/user/update", UserFields)
def update_user(db: Transaction, told: UserFields) -> dict[str, Any]:
    """What is not told is empty afterwards, as in Descope."""
    before = user_named(db, told)
    kept = before.model_dump(include={"userId", "loginIds", "status", "createdTime"})
    fields = _fields(told)
    fields.setdefault("verifiedEmail", before.verifiedEmail and before.email == fields.get("email"))
    return _keep(db, User(**kept), **fields)


@call("v1/mgmt/user", UserName, method="GET")
def load_user(db: Transaction, told: UserName) -> dict[str, Any]:
    return {"user": shown(db, user_named(db, told))}


@call("v2/mgmt/user/search", UserSearch)
def search_users(db: Transaction, told: UserSearch) -> dict[str, Any]:
    found = [user for user in db.records(User) if told.finds(user)]
    size = told.limit or LARGEST_PAGE
    page = found[told.page * size : (told.page + 1) * size]
    return {"users": [shown(db, user) for user in page], "total": len(found)}


@call("v1/mgmt/user/delete", UserName)
def delete_user(db: Transaction, told: UserName) -> None:
    user = user_named(db, told)
    end_sessions(db, user.userId)
    db.drop(user)


@call("v1/mgmt/user/logout", UserName)
def log_user_out(db: Transaction, told: UserName) -> None:
    end_sessions(db, user_named(db, told).userId)


@call("v1/mgmt/user/update/status", UserStatus)
def set_user_status(db: Transaction, told: UserStatus) -> dict[str, Any]:
    return _keep(db, user_named(db, told), status=told.status)


# -- places and roles --------------------------------------------------------------------------


def _place(user: User, tenant_id: str) -> Place:
    place = user.place(tenant_id)
    if place is None:
        raise DescopeError("E011004", "This user is not in this tenant")
    return place


@call("v1/mgmt/user/update/tenant/add", UserRoles)
def add_user_to_tenant(db: Transaction, told: UserRoles) -> dict[str, Any]:
    user = user_named(db, told)
    new = [] if user.place(told.tenantId) else [Place(tenantId=told.tenantId)]
    return _keep(db, user, userTenants=[*user.userTenants, *new])


@call("v1/mgmt/user/update/tenant/remove", UserRoles)
def remove_user_from_tenant(db: Transaction, told: UserRoles) -> dict[str, Any]:
    user = user_named(db, told)
    _place(user, told.tenantId)
    places = [p for p in user.userTenants if p.tenantId != told.tenantId]
    return _keep(db, user, userTenants=places)


def _serve_roles(path: str, combined: Callable[[list[str], list[str]], list[str]]) -> None:
    @call(path, UserRoles)
    def change_roles(db: Transaction, told: UserRoles) -> dict[str, Any]:
        """Roles in a tenant where one is named, else of the project itself."""
        user = user_named(db, told)
        holder = _place(user, told.tenantId) if told.tenantId else user
        holder.roleNames = list(dict.fromkeys(combined(holder.roleNames, told.roleNames)))
        return _keep(db, user)


_serve_roles("v1/mgmt/user/update/role/set", lambda held, told: told)
_serve_roles("v2/mgmt/user/update/role/add", lambda held, told: [*held, *told])
_serve_roles(
    "v1/mgmt/user/update/role/remove", lambda held, told: [n for n in held if n not in told]
)
