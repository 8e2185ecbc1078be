"""Groups in the hub's admin page: given there, they stay; and nobody raises themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.hub import Hub
from tests.person import Person

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"


@pytest.fixture(scope="module")
def hub(shared_hub: Hub) -> Hub:
    """A hub as it is shipped, also that of other files."""
    shared_hub.forget_mails()
    return shared_hub


@pytest.fixture(scope="module")
def manager(hub: Hub) -> Person:
    """A member of the group admin, signed in; no full admin."""
    for email in (MEMBER, ANALYST):
        Person(hub).sign_in(email)
    return Person.signed_in(hub, ADMIN)


def ask(person: Person, method: str, path: str, **body: Any) -> requests.Response:
    headers = person.xsrf | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    return person.request(method, f"/hub/api{path}", headers=headers, json=body or None)


def groups(hub: Hub, name: str) -> set[str]:
    return set(hub.api(f"/users/{name}").json()["groups"])


def set_roles(hub: Hub, email: str, *roles: str) -> None:
    """Change somebody's roles at the provider while it runs."""
    hub.project.set_roles(email, "acme", *roles)


def test_a_group_given_by_an_admin_is_there_after_the_next_sign_in(
    hub: Hub, manager: Person
) -> None:
    assert ask(manager, "POST", "/groups/finance").status_code == 201
    assert ask(manager, "POST", "/groups/finance/users", users=[MEMBER]).status_code == 200
    assert groups(hub, MEMBER) == {"user", "finance"}
    person = Person(hub)
    person.sign_in(MEMBER)
    person.get("/hub/logout")
    person.sign_in(MEMBER)
    assert groups(hub, MEMBER) == {"user", "finance"}
    assert ask(manager, "DELETE", "/groups/finance/users", users=[MEMBER]).status_code == 200
    person.get("/hub/logout")
    person.sign_in(MEMBER)
    assert groups(hub, MEMBER) == {"user"}


def test_members_named_when_a_group_is_made_stay_too(hub: Hub, manager: Person) -> None:
    assert ask(manager, "POST", "/groups/sales", users=[ANALYST]).status_code == 201
    Person(hub).sign_in(ANALYST)
    assert "sales" in groups(hub, ANALYST)


def test_a_deleted_group_does_not_come_back(hub: Hub, manager: Person) -> None:
    ask(manager, "POST", "/groups/passing", users=[ANALYST])
    assert ask(manager, "DELETE", "/groups/passing").status_code == 204
    Person(hub).sign_in(ANALYST)
    assert "passing" not in groups(hub, ANALYST)


@pytest.mark.parametrize("group", ["admin", "user", "analysts"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/groups/{}/users", {"users": [MEMBER, ADMIN]}),
        ("DELETE", "/groups/{}/users", {"users": [MEMBER, ADMIN]}),
        ("POST", "/groups/{}", {"users": [MEMBER]}),
        ("DELETE", "/groups/{}", {}),
        ("PUT", "/groups/{}/properties", {"x": "y"}),
        ("POST", "/groups", {"groups": ["{}"], "users": [MEMBER]}),
    ],
)
def test_groups_that_carry_rights_follow_the_provider(
    method: str, path: str, body: dict[str, Any], group: str, hub: Hub, manager: Person
) -> None:
    before = groups(hub, MEMBER), groups(hub, ADMIN)
    if "groups" in body:
        body = {**body, "groups": [group]}
    assert ask(manager, method, path.format(group), **body).status_code == 403
    assert (groups(hub, MEMBER), groups(hub, ADMIN)) == before


def test_a_group_of_the_operators_own_role_map_follows_the_provider_too(tmp_path: Path) -> None:
    hub = Hub(tmp_path).start("--DescopeAuthenticator.role_groups=Finance=finance")
    try:
        boss = Person(hub)
        set_roles(hub, ADMIN, "Finance")
        boss.sign_in(ADMIN)
        assert groups(hub, ADMIN) == {"user", "finance"}
        hub.api("/groups/admin/users", "POST", json={"users": [ADMIN]})
        assert ask(boss, "POST", "/groups/finance/users", users=[ADMIN]).status_code == 403
        assert ask(boss, "DELETE", "/groups/finance").status_code == 403
        assert ask(boss, "POST", "/groups/other").status_code == 201
    finally:
        hub.stop()


@pytest.mark.parametrize(
    "name", ["Admin", "ADMIN", " admin", "a/b", "..", ".hidden", "x" * 101, "a\\b", "a\nb", ""]
)
def test_a_group_is_a_folder_and_no_folder_has_such_a_name(
    name: str, hub: Hub, manager: Person
) -> None:
    assert ask(manager, "POST", "/groups", groups=[name]).status_code in {400, 403, 409}
    assert name not in [group["name"] for group in hub.api("/groups").json()]


@pytest.mark.parametrize(
    "groups",
    [{"analysts": 1}, {"..": 1}, "analysts", ["fresh", "fresh"], ["fresh", "Fresh"], [["x"]], [7]],
    ids=str,
)
def test_a_list_of_groups_is_a_list_of_names(groups: Any, hub: Hub, manager: Person) -> None:
    before = hub.api("/groups").json()
    answer = ask(manager, "POST", "/groups", groups=groups, users=[MEMBER])
    assert answer.status_code == 400
    assert hub.api("/groups").json() == before


@pytest.mark.parametrize(
    "body",
    [{"users": [MEMBER], "name": 5}, {"users": MEMBER}, {"users": [MEMBER, "nobody@x.test"]}],
    ids=str,
)
def test_a_refused_change_is_not_carried_out(
    body: dict[str, Any], hub: Hub, manager: Person
) -> None:
    ask(manager, "POST", "/groups/tried")
    assert ask(manager, "POST", "/groups/tried/users", **body).status_code == 400
    Person(hub).sign_in(MEMBER)
    assert "tried" not in groups(hub, MEMBER)


FORBIDDEN = [
    ("PATCH", f"/users/{ADMIN}", {"admin": True}),
    ("POST", "/users/new@acme.test", {"admin": True}),
    ("POST", "/users", {"usernames": ["new@acme.test"], "admin": True}),
    ("DELETE", f"/users/{MEMBER}", {}),
    ("POST", f"/users/{MEMBER}/tokens", {"note": "x"}),
    ("GET", f"/users/{MEMBER}/tokens", {}),
    ("POST", f"/users/{MEMBER}/server", {}),
    ("DELETE", f"/users/{MEMBER}/server", {}),
    ("POST", f"/users/{MEMBER}/servers/admin", {}),
    ("POST", f"/users/{ADMIN}/tokens", {"note": "x", "roles": ["admin"]}),
    ("POST", f"/users/{ADMIN}/tokens", {"note": "x", "scopes": ["admin:users"]}),
    ("POST", "/shutdown", {"servers": True}),
    ("GET", "/proxy", {}),
    ("POST", "/proxy", {}),
    ("GET", "/services", {}),
    ("GET", "/claims", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), FORBIDDEN, ids=str)
def test_a_group_manager_is_no_full_admin(
    method: str, path: str, body: dict[str, Any], hub: Hub, manager: Person
) -> None:
    answer = ask(manager, method, path, **body)
    assert answer.status_code in {400, 403, 404} or answer.json() in ([], {})
    assert hub.api(f"/users/{ADMIN}").json()["admin"] is False
    assert hub.api("/users/new@acme.test").status_code == 404


@pytest.mark.parametrize("path", ["/groups", "/groups/sales/users", "/users", f"/users/{ADMIN}"])
def test_a_member_manages_nothing(path: str, hub: Hub, manager: Person) -> None:
    member = Person(hub)
    member.sign_in(MEMBER)
    for method in ("POST", "DELETE", "PATCH", "GET"):
        answer = ask(member, method, path, groups=["mine"], users=[MEMBER])
        assert answer.status_code in {403, 404, 405}
    assert member.get("/hub/admin").status_code == 403


def test_a_role_changed_at_the_provider_counts_at_the_next_sign_in(
    hub: Hub, manager: Person
) -> None:
    person = Person(hub)
    set_roles(hub, MEMBER, "Analyst", "tenant admin", "Unmapped")
    try:
        person.sign_in(MEMBER)
        assert groups(hub, MEMBER) == {"user", "analysts"}
    finally:
        set_roles(hub, MEMBER)
    person.get("/hub/logout")
    person.sign_in(MEMBER)
    assert groups(hub, MEMBER) == {"user"}


def test_an_admin_has_a_server_of_its_own_for_the_admin_folder(hub: Hub, manager: Person) -> None:
    manager.open_server("admin")
    assert hub.api(f"/users/{ADMIN}").json()["servers"]["admin"]["ready"]
    member = Person(hub)
    member.sign_in(MEMBER)
    assert member.get(f"/hub/spawn/{MEMBER}/admin").status_code == 403
    assert member.get(f"/hub/spawn/{MEMBER}/lab").status_code == 403
    assert member.get(f"/user/{ADMIN}/admin/").status_code in {403, 404}
