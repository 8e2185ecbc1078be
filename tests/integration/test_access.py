"""What Atrium says of who may see what is what it really serves."""

from __future__ import annotations

from html import unescape

import pytest

from tests.conftest import StartHub
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub
from tests.integration.test_groups import ask, set_roles
from tests.person import Person

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"
STRANGER = "member@globex.test"
PEOPLE = (ADMIN, MEMBER, ANALYST, STRANGER)
DASHBOARDS = ("admin/desk", "analysts/model", "finance/costs", "finance/broken", "user/news")


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    """A hub with a dashboard or two in each folder, each with a title of its own."""
    hub = start_hub(ATRIUM_CUSTOMER_TENANTS="initech")  # so nobody's group is a customer's
    for dashboard in DASHBOARDS:
        title = markdown(f"# Title of {dashboard.replace('/', ' ')}")
        write_notebook(hub.notebooks / f"{dashboard}.ipynb", title, code("1 + 1"))
    (hub.notebooks / "finance" / "broken.ipynb").write_text("{")
    return hub


@pytest.fixture(scope="module")
def people(hub: Hub) -> dict[str, Person]:
    """Four people, of whom one was given a group and one has lost one."""
    people = {name: Person(hub) for name in PEOPLE}
    for name, person in people.items():
        person.sign_in(name)
    assert ask(people[ADMIN], "POST", "/groups/finance", users=[MEMBER]).status_code == 201
    lost = hub.api("/groups/analysts/users", "DELETE", json={"users": [ANALYST]})
    assert lost.status_code == 200
    return people


def explained(people: dict[str, Person], name: str, dashboard: str) -> dict[str, object]:
    answer = ask(people[ADMIN], "GET", f"/access/{name}?dashboard={dashboard}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def card_of(dashboard: str) -> str:
    """What the card of a dashboard says."""
    return "Broken" if dashboard == "finance/broken" else f"Title of {dashboard.replace('/', ' ')}"


def opened(person: Person, name: str, dashboard: str) -> bool:
    """Whether a person's own server opens a dashboard to them."""
    server = "admin/" if dashboard.startswith("admin/") else ""
    page = person.get(f"/user/{name}/{server}dashboards/{dashboard}")
    return page.status_code == 200 and "/dashboards/" in page.url


@pytest.mark.parametrize("name", [ADMIN, MEMBER, ANALYST])
def test_an_explanation_is_what_the_server_does(
    name: str, hub: Hub, people: dict[str, Person]
) -> None:
    person = people[name]
    gallery = unescape(person.open_dashboards().text)
    if name == ADMIN:
        person.open_server("admin")
    said = {each: bool(explained(people, name, each)["may"]) for each in DASHBOARDS}
    assert {each: f"<h3>{card_of(each)}</h3>" in gallery for each in DASHBOARDS} == said
    readable = [each for each in DASHBOARDS if each != "finance/broken"]
    assert {each: opened(person, name, each) for each in readable} == {
        each: said[each] for each in readable
    }


def test_who_has_no_folder_sees_nothing(people: dict[str, Person]) -> None:
    assert not any(explained(people, STRANGER, each)["may"] for each in DASHBOARDS)
    assert people[STRANGER].get(f"/hub/spawn/{STRANGER}").status_code == 403


def test_the_report_says_why(people: dict[str, Person]) -> None:
    report = ask(people[ADMIN], "GET", "/access").json()
    why = {
        (person["name"], group["name"]): group["why"]
        for person in report["people"]
        for group in person["groups"]
    }
    assert why[ADMIN, "admin"] == "role Tenant Admin in tenant acme"
    assert why[MEMBER, "user"] == "member of tenant acme"
    assert why[MEMBER, "finance"].startswith(f"granted by {ADMIN} on ")
    assert why[ANALYST, "analysts"].endswith(", although role Analyst in tenant acme gives it")
    who = {f"{one['group']}/{one['name']}": one["people"] for one in report["dashboards"]}
    assert who["finance/costs"] == [ADMIN, MEMBER]
    assert who["finance/broken"] == [ADMIN]
    assert who["user/news"] == [ADMIN, ANALYST, MEMBER]


def test_a_role_given_at_the_provider_is_the_reason_from_then_on(
    hub: Hub, people: dict[str, Person]
) -> None:
    set_roles(hub, MEMBER, "Analyst")
    try:
        again = Person(hub)
        again.sign_in(MEMBER)
        answer = explained(people, MEMBER, "analysts/model")
        assert answer["may"]
        assert answer["reasons"] == ["Group analysts: role Analyst in tenant acme."]
    finally:
        set_roles(hub, MEMBER)
        Person(hub).sign_in(MEMBER)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/access/nobody@acme.test", 404),
        (f"/access/{MEMBER}?dashboard=nothing", 404),
        (f"/access/{MEMBER}?dashboard=../user/news", 404),
        ("/access/a%2Fb", 404),
    ],
)
def test_what_is_not_there_is_not_found(path: str, status: int, people: dict[str, Person]) -> None:
    assert ask(people[ADMIN], "GET", path).status_code == status


@pytest.mark.slow
def test_the_command_says_the_same_while_the_hub_runs_and_after(
    hub: Hub, people: dict[str, Person]
) -> None:
    def check() -> None:
        link = f"{hub.url}/user/{MEMBER}/dashboards/finance/costs"
        may = hub.atrium("access", "explain", MEMBER, link)
        assert (may.returncode, may.stderr) == (0, "")
        assert may.stdout.startswith(f"{MEMBER} sees finance/costs.\n")
        may_not = hub.atrium("access", "explain", ANALYST, "analysts/model")
        assert may_not.returncode == 1
        assert "although role Analyst in tenant acme gives it" in may_not.stdout
        unknown = hub.atrium("access", "explain", "nobody@acme.test")
        assert (unknown.returncode, unknown.stdout) == (2, "")

    check()
    hub.stop()
    try:
        check()
    finally:
        hub.start()
