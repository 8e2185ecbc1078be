"""Members of one customer never see another's dashboards, names or counts."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from descope import AssociatedTenant

from tests.attacks import attack, guard_out
from tests.attacks.companies import ADMIN, COMPANIES, GLOBEX, INITECH, MEMBER, Company, Town
from tests.conftest import StartHub
from tests.hub import Hub
from tests.person import Person

TENANTS = "globex, initech"
BOTH_WAYS = pytest.mark.parametrize(
    ("mine", "theirs"), [COMPANIES, COMPANIES[::-1]], ids=lambda company: company.tenant
)


@pytest.fixture(scope="module")
def town(start_hub: StartHub) -> Town:
    return Town(start_hub(ATRIUM_CUSTOMER_TENANTS=TENANTS))


def test_what_a_customers_people_are_given(town: Town) -> None:
    for company in COMPANIES:
        assert town.groups_of(company.member) == {company.tenant, "customers", company.group}
        assert town.groups_of(company.boss) == {
            company.tenant,
            "customers",
            f"{company.tenant}.admin",
        }


def test_the_canaries_sing_where_they_may(town: Town) -> None:
    for company in COMPANIES:
        gallery = town.person(company.member).open_dashboards()
        assert company.secret in gallery.text
        assert "Your orders" in gallery.text
        page = town.person(company.member).get(f"/user/{company.member}/{company.dashboard}")
        assert page.ok
        assert company.secret in page.text
        people = town.ask(company.boss, "GET", "/users").json()
        assert {user["name"] for user in people["items"]} == {company.boss, company.member}
        groups = town.ask(company.boss, "GET", "/groups").json()
        assert {group["name"] for group in groups["items"]} == {
            f"{company.tenant}.admin",
            company.group,
        }


#: What somebody of one customer may ask for; `{me}` is they, the rest is the other customer's.
ADDRESSES = [
    "/",
    "/hub/home",
    "/hub/admin",
    "/hub/token",
    "/hub/spawn/{other}",
    "/hub/user/{other}/",
    "/hub/user-redirect/{dashboard}",
    "/hub/no-such-page",
    "/hub/error/404",
    "/hub/api/",
    "/hub/api/info",
    "/hub/api/user",
    "/hub/api/users",
    "/hub/api/users?offset=0&limit=1",
    "/hub/api/users?state=active",
    "/hub/api/users?sort=-last_activity&include_stopped_servers=1",
    "/hub/api/users?name_filter=a",
    "/hub/api/users/{other}",
    "/hub/api/users/{other}/shared",
    "/hub/api/groups",
    "/hub/api/groups?offset=0&limit=1",
    "/hub/api/groups/{tenant}",
    "/hub/api/groups/{group}",
    "/hub/api/groups/{group}/shared",
    "/hub/api/groups/customers",
    "/hub/api/services",
    "/hub/api/proxy",
    "/hub/api/claims",
    "/hub/api/shares/{other}",
    "/user/{me}/",
    "/user/{me}/?all",
    "/user/{me}/{dashboard}",
    "/user/{me}/dashboards/{tenant}/data.csv",
    "/user/{me}/dashboards/{tenant}/",
    "/user/{me}/dashboards/customers/your_orders",
    "/user/{me}/dashboards/customers/..%2F{tenant}%2F{canary}",
    "/user/{me}/no-such-page",
    "/user/{other}/",
    "/user/{other}/{dashboard}",
]


@attack("cross-tenant access", "answers hold one's own tenant")
@BOTH_WAYS
@pytest.mark.parametrize("role", ["member", "boss"])
def test_no_answer_holds_what_is_anothers(
    mine: Company, theirs: Company, role: str, town: Town
) -> None:
    me = mine.member if role == "member" else mine.boss
    person = town.person(me)
    person.open_dashboards()
    for address in ADDRESSES:
        asked = address.format(
            me=me,
            other=theirs.member,
            dashboard=theirs.dashboard,
            tenant=theirs.tenant,
            group=theirs.group,
            canary=theirs.canary,
        )
        api = asked.startswith("/hub/api")
        answer = town.ask(me, "GET", asked.removeprefix("/hub/api")) if api else person.get(asked)
        said = unquote(f"{answer.text} {answer.headers}").replace("\\/", "/")
        assert theirs.secret not in said, asked
        for part in (unquote(asked), *unquote(asked).split("/")):  # an answer may repeat these
            said = said.replace(part, "") if part else said
        assert theirs.canary not in said, asked
        assert theirs.tenant not in said.casefold(), asked


@attack("cross-tenant access", "totals are of what one sees")
@BOTH_WAYS
def test_counts_are_of_ones_own(mine: Company, theirs: Company, town: Town) -> None:
    for path, number in (("/users", 2), ("/groups", 2)):
        assert town.ask(mine.boss, "GET", path).json()["_pagination"]["total"] == number


UNSEEN = [
    ("GET", "/users/{}", {}),
    ("GET", "/users/{}/tokens", {}),
    ("POST", "/users/{}/server", {}),
    ("DELETE", "/users/{}", {}),
    ("POST", "/groups/{group}/users", {"users": ["{}"]}),
    ("POST", "/groups/{group}/users", {"users": ["{}", "nobody@x.test"]}),
    ("DELETE", "/groups/{group}/users", {"users": ["{}"]}),
    ("GET", "/shares/{}", {}),
]


@attack("enumeration", "somebody unseen is answered like nobody")
@pytest.mark.parametrize(("method", "path", "body"), UNSEEN, ids=str)
def test_somebody_unseen_is_answered_like_nobody(
    method: str, path: str, body: dict[str, Any], town: Town
) -> None:
    mine, theirs = COMPANIES
    said = []
    for name in (theirs.member, "nobody.at.all@nowhere.test"):
        users = {key: [each.format(name) for each in names] for key, names in body.items()}
        answer = town.ask(mine.boss, method, path.format(name, group=mine.group), **users)
        assert answer.status_code >= 400
        said.append((answer.status_code, answer.text.replace(name, "NAME")))
    assert said[0] == said[1]


@attack("cross-tenant access", "a manager knows their own people")
def test_the_owners_people_are_unseen_too(town: Town) -> None:
    town.person(MEMBER)
    answer = town.ask(GLOBEX.boss, "POST", f"/groups/{GLOBEX.group}/users", users=[MEMBER])
    assert answer.status_code == 400
    assert "acme" not in town.ask(GLOBEX.boss, "GET", "/users").text


@attack("look-alike names", "no group looks like a customer's")
@pytest.mark.parametrize(
    "name",
    [
        *("globex", "Globex", "\uff47lobex", "customers"),
        *("globex.admin", "GLOBEX.admin", "initech.admin", "Globex.sales", "\uff49nitech.sales"),
    ],
)
def test_no_group_can_be_taken_for_a_customers(name: str, town: Town) -> None:
    before = town.hub.api("/groups").json()
    for path, body in ((f"/groups/{name}", {}), ("/groups", {"groups": [name]})):
        assert town.ask(ADMIN, "POST", path, **body).status_code in {403, 409}
    assert town.ask(ADMIN, "POST", f"/groups/{name}/users", users=[MEMBER]).status_code >= 400
    assert town.hub.api("/groups").json() == before


@attack("privilege escalation", "groups are made by admins of the hub")
@pytest.mark.parametrize("name", ["globex.new", "initech.new", "new"])
def test_only_an_admin_of_the_hub_makes_a_customers_groups(name: str, town: Town) -> None:
    assert town.ask(GLOBEX.boss, "POST", f"/groups/{name}").status_code in {403, 404}
    assert town.ask(ADMIN, "POST", f"/groups/{name}").status_code == 201
    seen = {g["name"] for g in town.ask(GLOBEX.boss, "GET", "/groups").json()["items"]}
    assert (name in seen) == name.startswith("globex.")
    assert town.ask(ADMIN, "DELETE", f"/groups/{name}").status_code == 204
    assert name not in town.ask(GLOBEX.boss, "GET", "/groups").text


@attack("cross-tenant access", "only listed tenants give groups")
def test_a_tenant_that_is_not_listed_gives_nothing(hub: Hub) -> None:
    name, tenants = INITECH.boss, [AssociatedTenant("initech", ["Tenant Admin"])]
    hub.project.mgmt.tenant.create("Initech", id="initech")
    hub.project.mgmt.user.create(name, email=name, verified_email=True, user_tenants=tenants)
    boss = Person(hub)
    boss.sign_in(name)
    assert hub.api(f"/users/{name}").json()["groups"] == []
    assert boss.get("/hub/admin").status_code == 403
    assert "Nothing is shared with you yet" in boss.get("/hub/home").text


def counts_all_groups(town: Town) -> bool:
    total = town.ask(GLOBEX.boss, "GET", "/groups").json()["_pagination"]["total"]
    return total > len(town.ask(GLOBEX.boss, "GET", "/groups").json()["items"])


def reads_a_foreign_name_in_a_group(town: Town) -> bool:
    town.ask(ADMIN, "POST", f"/groups/{GLOBEX.group}/users", users=[INITECH.boss])
    said = town.ask(GLOBEX.boss, "GET", f"/groups/{GLOBEX.group}").text
    town.ask(ADMIN, "DELETE", f"/groups/{GLOBEX.group}/users", users=[INITECH.boss])
    return INITECH.boss in said


def adds_somebody_by_guessing_the_name(town: Town) -> bool:
    town.ask(GLOBEX.boss, "POST", f"/groups/{GLOBEX.group}/users", users=[INITECH.member])
    return GLOBEX.group in town.groups_of(INITECH.member)


def changes_a_groups_properties(town: Town) -> bool:
    return town.ask(GLOBEX.boss, "PUT", f"/groups/{GLOBEX.group}/properties", x="y").ok


def makes_a_group_that_looks_like_a_customers(town: Town) -> bool:
    return town.ask(ADMIN, "POST", "/groups/\uff47lobex").ok


def sees_the_owners_people_as_a_manager(town: Town) -> bool:
    town.ask(ADMIN, "POST", "/groups/finance.admin")
    town.ask(ADMIN, "POST", "/groups/finance.admin/users", users=[GLOBEX.member])
    return ADMIN in town.ask(GLOBEX.member, "GET", "/users").text


ATTACKS = {
    "totals are of what one sees": counts_all_groups,
    "a manager knows their own people": reads_a_foreign_name_in_a_group,
    "somebody unseen is answered like nobody": adds_somebody_by_guessing_the_name,
    "properties of groups are for admins of the hub": changes_a_groups_properties,
    "no group looks like a customer's": makes_a_group_that_looks_like_a_customers,
    "a customer's person manages no group of the owner's": sees_the_owners_people_as_a_manager,
}


@pytest.mark.parametrize(
    "guard",
    [
        pytest.param(guard, marks=[guard_out(guard), attack("cross-tenant access", guard)])
        for guard in ATTACKS
    ],
)
def test_the_guard_is_what_refuses(guard: str, town: Town, unguarded: Town) -> None:
    assert not ATTACKS[guard](town)
    assert ATTACKS[guard](unguarded)
