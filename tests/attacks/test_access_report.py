"""Reading who may see what without being an admin; and markup in what an admin then looks at.

Guards: the scope `custom:atrium:read`, and the escaping of every name in the dashboard Access.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import expect

from tests.attacks import attack
from tests.browser.visitor import NewVisitor
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub
from tests.integration.test_groups import ask, set_roles
from tests.person import Person

ADMIN, MEMBER, CUSTOMER = "admin@acme.test", "member@acme.test", "member@globex.test"
PATHS = ("/access", f"/access/{ADMIN}", f"/access/{ADMIN}?dashboard=user/penguins")
MARKUP = "<img src=x onerror=hit()>"


@pytest.fixture(scope="module")
def people(hub: Hub) -> Iterator[dict[str, Person]]:
    """Somebody of each kind that is signed in and no admin; and an admin."""
    set_roles(hub, MEMBER, "Analyst")
    hub.project.set_roles(CUSTOMER, "globex", "Tenant Admin")
    people = {name: Person(hub) for name in (ADMIN, MEMBER, CUSTOMER)}
    for name, person in people.items():
        person.sign_in(name)
    hub.api("/groups/finance.admin", "POST", json={"users": [MEMBER]})  # manager of one group
    yield people
    hub.api("/groups/finance.admin", "DELETE")
    set_roles(hub, MEMBER)
    hub.project.set_roles(CUSTOMER, "globex")


@attack("broken access control", "scope of the access report")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", [MEMBER, CUSTOMER])
def test_somebody_who_is_no_admin_reads_nothing(
    name: str, path: str, people: dict[str, Person]
) -> None:
    assert ask(people[ADMIN], "GET", path).status_code == 200
    answer = ask(people[name], "GET", path)
    assert answer.status_code == 403
    assert ADMIN not in answer.text


@attack("broken access control", "scope of the access report")
def test_a_stranger_on_the_network_reads_nothing(hub: Hub, people: dict[str, Person]) -> None:
    for path in PATHS:
        assert requests.get(f"{hub.url}/hub/api{path}", timeout=20).status_code == 403


@attack("enumeration", "refused before anything is looked up")
def test_an_unknown_name_answers_as_a_known_one(people: dict[str, Person]) -> None:
    known, unknown = (
        ask(people[MEMBER], "GET", f"/access/{name}") for name in (ADMIN, "nobody@acme.test")
    )
    assert (known.status_code, known.json()["message"]) == (
        unknown.status_code,
        unknown.json()["message"],
    )


@attack("broken access control", "scope of the access report")
def test_the_token_of_an_admins_default_server_reads_nothing(
    hub: Hub, people: dict[str, Person]
) -> None:
    """A notebook of another folder runs with it, and with the role `server`."""
    made = hub.api(f"/users/{ADMIN}/tokens", "POST", json={"roles": ["server"]})
    headers = {"Authorization": f"token {made.json()['token']}"}
    for path in PATHS:
        assert requests.get(f"{hub.url}/hub/api{path}", headers=headers).status_code == 403


@attack("privilege escalation", "a token can do no more than its maker")
def test_a_person_can_make_no_token_that_reads_it(hub: Hub, people: dict[str, Person]) -> None:
    wanted = {"note": "x", "scopes": ["custom:atrium:read"]}
    assert ask(people[MEMBER], "POST", f"/users/{MEMBER}/tokens", **wanted).status_code == 400


@attack("stored cross-site scripting", "escaping on the dashboard Access")
def test_names_with_markup_are_text(
    new_visitor: NewVisitor, hub: Hub, people: dict[str, Person]
) -> None:
    notebook = write_notebook(
        hub.notebooks / f"g {MARKUP}" / f"n {MARKUP}.ipynb",
        markdown(f"# t &lt;img src=x onerror=hit()&gt; {MARKUP}"),
        code("1"),
    )
    group = requests.utils.quote(notebook.parent.name, safe="")
    assert ask(people[ADMIN], "POST", f"/groups/{group}", users=[MEMBER]).status_code == 201
    page = new_visitor(hub).sign_in(ADMIN, "/hub/home")
    page.evaluate("window.name = 'clean'")
    page.context.add_init_script("window.hit = () => { window.name = 'hit' }")
    target = f"/user/{ADMIN}/admin/dashboards/admin/access"
    page.goto(f"{hub.url}/hub/spawn/{ADMIN}/admin?next={target}")
    person = page.get_by_label("Person", exact=True)
    person.select_option(MEMBER)
    expect(page.get_by_role("heading", name=f"{MEMBER} sees")).to_be_visible()
    dashboard = page.get_by_label("Dashboard", exact=True)
    dashboard.select_option(f"t {MARKUP} (g {MARKUP}/n {MARKUP})")
    expect(page.get_by_text(f"{MEMBER} sees g {MARKUP}/n {MARKUP}.")).to_be_visible()
    expect(page.get_by_role("cell", name="t <img src=x onerror=hit()>")).to_be_visible()
    assert page.locator("img[onerror]").count() == 0
    assert page.evaluate("window.name") == "clean"
