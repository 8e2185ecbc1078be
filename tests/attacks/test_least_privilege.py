"""Each role may call the REST endpoints that endpoints.toml gives it, and no others."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from descope import AssociatedTenant

from tests.attacks import attack
from tests.attacks.without import without
from tests.conftest import StartHub
from tests.hub import Hub, wait_until
from tests.person import Person

TABLE = tomllib.loads(Path(__file__).with_name("endpoints.toml").read_text())
ROLES = [role for role in TABLE if role not in {"person", "manager", "reader", "none"}]
EVERY = sorted({endpoint for role in TABLE.values() for endpoint in role["may"]})

ADMIN, READER, ROOT = "admin@acme.test", "reader@acme.test", "root@acme.test"
MANAGER, BOSS = "manager@acme.test", "boss@globex.test"
COLLEAGUE, CUSTOMER, GHOST = "colleague@acme.test", "customer@globex.test", "ghost@nowhere.test"
#: Who signs in for each role. Servers are their owner's, who is nobody else here.
PEOPLE = {
    "stranger": "stranger@new.test",
    "member": "member@acme.test",
    "analyst": "analyst@acme.test",
    "tenant-admin": BOSS,
    "finance-manager": MANAGER,
    "group-manager": ADMIN,
    "hub-admin": ROOT,
    "server": READER,
    "admin-server": ADMIN,
}
ADMIN_FOLDER = "admin"
REFUSED = {401, 403, 405}
#: JupyterHub 6.1.1 fails here before it can say no.
BROKEN = {"GET /authorizations/token", "POST /authorizations/token/ghost"}
UNSEEN = "No access to resources or resources not found"
#: Bodies with which nothing happens; where JSON is read before the right is looked at, JSON.
NO_JSON, NO_TOKEN = "{", '{"scopes": 7}'
TELL = """
import json, pathlib
from hub_extensions.spawner import DashboardSpawner
from jupyterhub.app import JupyterHub
from tornado.web import RequestHandler
init_handlers, user_env = JupyterHub.init_handlers, DashboardSpawner.user_env
def tell_routes(hub):
    init_handlers(hub)
    names = ("get", "post", "put", "patch", "delete")
    methods = lambda of: [m for m in names if getattr(of, m) is not getattr(RequestHandler, m)]
    routes = [[handler[0], methods(handler[1])] for handler in hub.handlers]
    pathlib.Path("FOLDER/routes").write_text(json.dumps(routes))
def tell_token(spawner, env):
    token = env["JUPYTERHUB_API_TOKEN"]
    pathlib.Path(f"FOLDER/{spawner.user.name}-{spawner.name}").write_text(token)
    return user_env(spawner, env)
JupyterHub.init_handlers, DashboardSpawner.user_env = tell_routes, tell_token
"""


def may_call(role: str) -> set[str]:
    """The endpoints in the table of a role and of those that it includes."""
    own = TABLE[role]
    return set(own["may"]).union(*map(may_call, own.get("with", ())))


class Office:
    """A hub with somebody for every role."""

    def __init__(self, start_hub: StartHub, folder: Path) -> None:
        self._told = folder
        patches = without(folder, TELL.replace("FOLDER", str(folder)))
        self.hub: Hub = start_hub(ATRIUM_HUB_ADMINS=ROOT, **patches)
        for email in (READER, ROOT, MANAGER, COLLEAGUE):
            self._make(email, "acme")
        self._make(CUSTOMER, "globex")
        self._make(BOSS, "globex", "Tenant Admin")
        self._make(PEOPLE["stranger"])
        self.people = {name: Person(self.hub) for name in {*PEOPLE.values(), COLLEAGUE, CUSTOMER}}
        for name, person in self.people.items():
            person.sign_in(name)
        for group, members in (
            ("finance", []),
            ("finance.admin", [MANAGER]),
            ("globex.sales", []),
            ("finance.publish", []),
            ("globex.sales.publish", []),
        ):
            made = self.hub.api(f"/groups/{group}", "POST", json={"users": members})
            assert made.status_code == 201, made.text

    def _make(self, email: str, tenant: str = "", *roles: str) -> None:
        self.hub.project.mgmt.user.create(
            email,
            email=email,
            verified_email=True,
            display_name="Somebody",
            user_tenants=[AssociatedTenant(tenant, list(roles))] if tenant else [],
        )

    @property
    def routes(self) -> Iterator[tuple[str, str]]:
        """Every REST route of the running hub, as pattern and method."""
        for pattern, methods in json.loads((self._told / "routes").read_text()):
            if pattern.startswith("/hub/api"):
                yield from (
                    (pattern.removeprefix("/hub/api"), method.upper()) for method in methods
                )

    def everybody(self) -> list[dict[str, Any]]:
        """Every hub user, as the hub's full admin sees them."""
        return self.hub.api("/users").json()

    def token_of(self, name: str, server: str = "") -> str:
        """The token of somebody's running server."""
        self.people[name].get(f"/hub/spawn/{name}/{server}".rstrip("/"))
        wait_until(
            lambda: self.hub.api(f"/users/{name}").json()["servers"].get(server, {}).get("ready"),
            f"the server of {name}",
        )
        return (self._told / f"{name}-{server}").read_text()

    def asker(self, role: str) -> Callable[[str], bool]:
        """Tells whether this role may call an endpoint of the table."""
        session = requests.Session()
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
        if role == "server":
            headers["Authorization"] = f"token {self.token_of(READER)}"
        elif role == "admin-server":
            headers["Authorization"] = f"token {self.token_of(ADMIN, ADMIN_FOLDER)}"
        elif role != "nobody":
            session = self.people[PEOPLE[role]]
            headers |= session.xsrf
        me = PEOPLE.get(role, GHOST)

        def allowed(endpoint: str) -> bool:
            method, path = endpoint.split(" ")
            path = path.format(me=me, colleague=COLLEAGUE, customer=CUSTOMER, ghost=GHOST)
            answer = session.request(
                method,
                f"{self.hub.url}/hub/api{path}",
                headers=headers,
                data=NO_TOKEN if path.endswith("/tokens") else NO_JSON,
                allow_redirects=False,
                timeout=20,
            )
            if answer.status_code == 500:
                assert endpoint in BROKEN, f"{endpoint}: {answer.text}"
                return False
            return answer.status_code not in REFUSED and UNSEEN not in answer.text

        return allowed


@pytest.fixture(scope="module")
def office(start_hub: StartHub, tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(start_hub, tmp_path_factory.mktemp("office"))


def test_every_endpoint_of_the_hub_is_in_the_table(office: Office) -> None:
    names = {"me": ADMIN, "colleague": COLLEAGUE, "customer": CUSTOMER, "ghost": GHOST}
    known = [endpoint.format(**names).split(" ") for endpoint in EVERY]
    unknown = [
        f"{method} {pattern}"
        for pattern, method in office.routes
        if not any(method == m and re.fullmatch(pattern, path) for m, path in known)
    ]
    assert unknown == []


@pytest.mark.parametrize("role", [*ROLES, "stranger", "member"])
def test_a_role_may_call_what_the_table_says(role: str, office: Office) -> None:
    allowed = office.asker(role)
    in_table = may_call(role if role in TABLE else "person")
    found = {endpoint for endpoint in EVERY if allowed(endpoint)}
    assert {"more": found - in_table, "less": in_table - found} == {"more": set(), "less": set()}


#: What a manager might try in order to become more, with bodies that JupyterHub understands.
CLIMBS = [
    ("PATCH", "/users/{me}", {"admin": True}),
    ("PATCH", "/users/{me}", {"name": ADMIN}),
    ("PATCH", "/users/{me}", {"groups": ["admin"], "roles": ["admin"]}),
    ("PATCH", "/users/{me}", {"auth_state": {"oauth_user": {}}}),
    ("PATCH", "/users/{other}", {"name": "renamed@acme.test"}),
    ("POST", "/users", {"usernames": ["new@acme.test"], "admin": True}),
    ("POST", "/users/new@acme.test", {"admin": True}),
    ("DELETE", "/users/{other}", {}),
    ("POST", "/users/{me}/tokens", {"roles": ["admin"]}),
    ("POST", "/users/{me}/tokens", {"scopes": ["admin:groups"]}),
    ("POST", "/users/{me}/tokens", {"scopes": ["list:users", "read:users"]}),
    ("POST", "/users/{other}/tokens", {"note": "x"}),
    ("GET", "/users/{other}/tokens", {}),
    ("POST", "/users/{other}/server", {}),
    ("DELETE", "/users/{other}/server", {}),
    ("POST", "/users/{me}/servers/admin", {}),
    ("POST", "/users/{me}/servers/lab", {}),
    ("PUT", "/users/{other}/servers/admin", {}),
    ("POST", "/groups", {"groups": ["mine"], "users": ["{me}"]}),
    ("POST", "/groups/mine.admin", {"users": ["{me}"]}),
    ("DELETE", "/groups/{group}", {}),
    ("PUT", "/groups/{group}/properties", {"roles": ["admin"]}),
    ("POST", "/groups/{group}.admin/users", {"users": ["{me}"]}),
    ("POST", "/groups/{managers}/users", {"users": ["{other}"]}),
    ("DELETE", "/groups/{managers}/users", {"users": ["{me}"]}),
    ("POST", "/groups/admin/users", {"users": ["{me}"]}),
    ("POST", "/groups/user/users", {"users": ["{me}"]}),
    ("POST", "/groups/globex/users", {"users": ["{me}"]}),
    ("POST", "/groups/customers/users", {"users": ["{me}"]}),
    ("POST", "/groups/{group}.publish", {"users": ["{me}"]}),
    ("POST", "/groups/{group}.publish/users", {"users": ["{me}"]}),
    ("POST", "/shares/{me}/", {"user": "{other}", "scopes": ["access:servers"]}),
    ("POST", "/shares/{other}/", {"user": "{me}"}),
    ("POST", "/share-codes/{me}/", {"scopes": ["access:servers"]}),
    ("POST", "/services/mine", {"name": "mine", "admin": True}),
    ("POST", "/shutdown", {"servers": True}),
    ("POST", "/proxy", {}),
]
MANAGERS = [
    pytest.param("tenant-admin", CUSTOMER, "globex.sales", "globex.admin", id="tenant admin"),
    pytest.param("finance-manager", COLLEAGUE, "finance", "finance.admin", id="finance"),
]


def filled(body: object, names: dict[str, str]) -> object:
    """A body with the names of who tries and whom it is about."""
    return json.loads(re.sub(r"\{(\w+)\}", lambda name: names[name[1]], json.dumps(body)))


@attack("privilege escalation", "scopes of who manages a group")
@pytest.mark.parametrize(("role", "other", "group", "managers"), MANAGERS)
def test_who_manages_a_group_can_do_nothing_else(
    role: str, other: str, group: str, managers: str, office: Office
) -> None:
    me = PEOPLE[role]
    names = {"me": me, "other": other, "group": group, "managers": managers}
    person = office.people[me]
    headers = person.xsrf | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    before = [office.hub.api(path).json() for path in ("/groups", "/services")]
    people = {user["name"]: (user["admin"], user["roles"]) for user in office.everybody()}
    for method, path, body in CLIMBS:
        answer = person.request(
            method, f"/hub/api{path.format(**names)}", headers=headers, json=filled(body, names)
        )
        assert answer.status_code in {400, 403, 404, 405}, f"{method} {path}: {answer.text}"
    assert [office.hub.api(path).json() for path in ("/groups", "/services")] == before
    after = {user["name"]: (user["admin"], user["roles"]) for user in office.everybody()}
    assert after == people


@pytest.mark.parametrize(("role", "other", "group", "managers"), MANAGERS)
def test_who_manages_a_group_adds_and_removes_its_members(
    role: str, other: str, group: str, managers: str, office: Office
) -> None:
    person = office.people[PEOPLE[role]]
    headers = person.xsrf | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    for method, members in (("POST", [other]), ("DELETE", [])):
        answer = person.request(
            method, f"/hub/api/groups/{group}/users", headers=headers, json={"users": [other]}
        )
        assert answer.ok, answer.text
        assert answer.json()["users"] == members
        assert (group in office.hub.api(f"/users/{other}").json()["groups"]) == bool(members)
