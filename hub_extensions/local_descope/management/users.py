"""The management API's calls about users, their places in tenants, and their roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import DescopeError
from ..oidc.claims import permissions_of, roles_in
from ..oidc.sessions import end_sessions
from ..records import Place, Record, Tenant, User
from ..store import Transaction
from .frame import call
from .records import TENANT, Named, found, usable_roles

#: What says who a user is, and is not for a caller to say.
OWN = {"loginId", "additionalLoginIds", "displayName", "userId", "loginIds", "createdTime"}


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


def user_named(db: Transaction, told: Any) -> User:
    """The user with this login id, or else this user id.

    Raises:
        DescopeError: there is none.
    """
    user = db.user(told.loginId) or db.record(User, getattr(told, "userId", ""))
    if user is None:
        raise DescopeError("E112102")
    return user


def shown(db: Transaction, user: User) -> dict[str, Any]:
    """A user as every answer shows one."""
    places = []
    for place in user.userTenants:
        roles, tenant = roles_in(db, user, place.tenantId), db.record(Tenant, place.tenantId)
        named = {"tenantId": place.tenantId, "tenantName": tenant.name if tenant else ""}
        permissions = permissions_of(db, roles, place.tenantId)
        places.append({**named, "roleNames": roles, "permissions": permissions})
    return user.model_dump() | {"userTenants": places, "externalIds": user.loginIds}


def _keep(db: Transaction, user: User, **fields: Any) -> dict[str, Any]:
    """Keep a user with changes, if all that they name exists."""
    user = user.changed(**fields)
    usable_roles(db, user.roleNames)
    for place in user.userTenants:
        found(db, TENANT, Named(id=place.tenantId))
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


def _with_places(db: Transaction, user: User, places: list[Place]) -> dict[str, Any]:
    return _keep(db, user, userTenants=[place.model_dump() for place in places])


@call("v1/mgmt/user/update/tenant/add", UserRoles)
def add_user_to_tenant(db: Transaction, told: UserRoles) -> dict[str, Any]:
    user = user_named(db, told)
    new = [] if user.place(told.tenantId) else [Place(tenantId=told.tenantId)]
    return _with_places(db, user, [*user.userTenants, *new])


@call("v1/mgmt/user/update/tenant/remove", UserRoles)
def remove_user_from_tenant(db: Transaction, told: UserRoles) -> dict[str, Any]:
    user = user_named(db, told)
    _place(user, told.tenantId)
    return _with_places(db, user, [p for p in user.userTenants if p.tenantId != told.tenantId])


def _set_roles(db: Transaction, told: UserRoles, roles: Sequence[str]) -> dict[str, Any]:
    """Roles in a tenant where one is named, else of the project itself."""
    user, roles = user_named(db, told), list(dict.fromkeys(roles))
    if not told.tenantId:
        return _keep(db, user, roleNames=roles)
    _place(user, told.tenantId).roleNames = roles
    return _with_places(db, user, user.userTenants)


@call("v1/mgmt/user/update/role/set", UserRoles)
def set_user_roles(db: Transaction, told: UserRoles) -> dict[str, Any]:
    return _set_roles(db, told, usable_roles(db, told.roleNames, told.tenantId))


@call("v2/mgmt/user/update/role/add", UserRoles)
def add_user_roles(db: Transaction, told: UserRoles) -> dict[str, Any]:
    new = usable_roles(db, told.roleNames, told.tenantId)
    return _set_roles(db, told, [*_held(db, told), *new])


@call("v1/mgmt/user/update/role/remove", UserRoles)
def remove_user_roles(db: Transaction, told: UserRoles) -> dict[str, Any]:
    return _set_roles(db, told, [n for n in _held(db, told) if n not in told.roleNames])


def _held(db: Transaction, told: UserRoles) -> list[str]:
    user = user_named(db, told)
    return _place(user, told.tenantId).roleNames if told.tenantId else user.roleNames
