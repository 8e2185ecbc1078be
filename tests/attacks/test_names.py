"""Class: names. Groups that are no folder, and people who look like others, are refused."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests

from tests.attacks import attack
from tests.attacks.addresses import From
from tests.hub import Hub
from tests.integration.test_groups import ask
from tests.odd_provider import OddProvider
from tests.person import Person

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"


@pytest.fixture(scope="module")
def manager(hub: Hub) -> Person:
    Person(hub).sign_in(MEMBER)
    return Person.signed_in(hub, ADMIN)


GROUPS = {
    "a path": "../x",
    "a slash": "a/b",
    "admin with a space": "admin ",
    "Admin": "Admin",
    "USER": "USER",
    "hidden": ".hidden",
    "a backslash": "a\\b",
    "a line": "a\nb",
    "300 characters": "x" * 300,
    "nothing": "",
}


@attack("look-alike names", "names that a group can have")
@pytest.mark.parametrize("which", GROUPS)
def test_a_group_of_a_bad_name_is_not_made(which: str, hub: Hub, manager: Person) -> None:
    name = GROUPS[which]
    before = hub.api("/groups").json()
    one = ask(manager, "POST", f"/groups/{quote(name, safe='')}", users=[MEMBER])
    several = ask(manager, "POST", "/groups", groups=[name], users=[MEMBER])
    assert one.status_code in {400, 403, 404, 409}, one.text
    assert several.status_code in {400, 403, 409}, several.text
    assert hub.api("/groups").json() == before


@attack("look-alike names", "no right comes with a name")
@pytest.mark.parametrize("name", ["🦀", "lab", "static", "api", "données"])
def test_a_group_of_an_odd_name_gives_nothing_but_its_folder(
    name: str, hub: Hub, manager: Person
) -> None:
    assert ask(manager, "POST", f"/groups/{quote(name, safe='')}").status_code == 201
    added = ask(manager, "POST", f"/groups/{quote(name, safe='')}/users", users=[MEMBER])
    assert added.status_code == 200
    assert hub.api(f"/users/{MEMBER}").json()["roles"] == ["user"]
    assert ask(manager, "DELETE", f"/groups/{quote(name, safe='')}").status_code == 204


@attack("privilege escalation", "which servers there are")
@pytest.mark.parametrize("server", ["lab", "Admin", "admin ", "../admin", "x" * 300, "🦀"])
def test_no_server_of_another_name_is_started(server: str, hub: Hub, manager: Person) -> None:
    answer = ask(manager, "POST", f"/users/{ADMIN}/servers/{quote(server, safe='')}")
    assert answer.status_code in {400, 403, 404}, answer.text
    assert set(hub.api(f"/users/{ADMIN}").json()["servers"]) <= {"", "admin"}


#: Addresses that look like ada@acme.test, or might be taken for it. Each is somebody else.
LOOK_ALIKE = {
    "dotless i": "ad\u0131@acme.test",
    "Cyrillic a": "\u0430da@acme.test",
    "full width": "\uff41da@acme.test",
    "percent form": "ada%40acme.test@acme.test",
    "trailing dot": "ada@acme.test.",
    "trailing space": "ada@acme.test ",
    "zero width": "ada\u200b@acme.test",
    "slash": "ada/x@acme.test",
    "two dots": "ada@acme..test",
    "line": "ada@acme.test\n",
}


@attack("look-alike names", "grammar of addresses")
@pytest.mark.parametrize("which", LOOK_ALIKE)
def test_an_address_that_looks_like_anothers_signs_nobody_in(
    which: str, project_hub: Hub, provider: OddProvider
) -> None:
    provider.claims.update(sub=f"U-{which}", email=LOOK_ALIKE[which])
    person = Person(project_hub)
    assert person.get("/hub/home").status_code == 403
    assert not person.is_signed_in()


@attack("account takeover", "identity is bound to issuer and subject")
def test_case_is_one_person_and_plus_is_another(project_hub: Hub, provider: OddProvider) -> None:
    first = Person(project_hub)
    first.get("/hub/home")
    provider.claims.update(email="ADA@Acme.test")
    assert Person(project_hub).get("/hub/home").ok  # the same person, by their own identity
    provider.claims.update(sub="U-another", email="Ada@ACME.test")
    assert Person(project_hub).get("/hub/home").status_code == 403
    provider.claims.update(sub="U-plus", email="ada+x@acme.test")
    plus = Person(project_hub)
    plus.get("/hub/home")
    assert plus.cookies_name() == "ada+x@acme.test"
    assert plus.get("/user/ada@acme.test/").status_code in {403, 404}


@attack("account takeover", "identity is bound to issuer and subject")
def test_a_refused_identity_is_put_before_the_admins_until_it_is_settled(
    project_hub: Hub, provider: OddProvider
) -> None:
    provider.claims.update(sub="U-old", email="shared@acme.test")
    Person(project_hub).get("/hub/home")
    provider.claims.update(sub="U-new")
    newcomer = Person(project_hub)
    for _ in range(2):
        assert newcomer.get("/hub/home").status_code == 403
    provider.claims.update(
        sub="U-boss", email="boss@acme.test", tenants={"acme": {"roles": ["Tenant Admin"]}}
    )
    boss = From("127.0.4.1", project_hub.url)
    page = boss.get("/hub/sessions").text
    assert "Somebody else came with the address shared@acme.test" in page
    assert "<code>U-new</code>, was refused 2 times" in page
    assert "for full admins" in page
    assert project_hub.api("/users/shared@acme.test", "PATCH", json={"name": "first@acme.test"}).ok
    provider.claims.update(sub="U-new", email="shared@acme.test", tenants={"acme": {"roles": []}})
    assert newcomer.get("/hub/home").ok
    assert "with the address shared@acme.test" not in boss.get("/hub/sessions").text
    provider.claims.update(sub="U-old")  # who came first keeps their account under its new name
    first = Person(project_hub)
    assert "first@acme.test" in first.get("/hub/home").text


def settle(hub: Hub, client: requests.Session) -> requests.Response:
    page = client.get(f"{hub.url}/hub/sessions").text
    xsrf = page.partition('name="_xsrf" value="')[2].partition('"')[0]
    form = {"_xsrf": xsrf, "notice": "1"}
    return client.post(f"{hub.url}/hub/sessions/settled", data=form)


@attack("broken access control", "notices are for full admins")
def test_only_a_full_admin_settles_a_notice(project_hub: Hub, provider: OddProvider) -> None:
    provider.claims.update(
        sub="U-boss", email="boss@acme.test", tenants={"acme": {"roles": ["Tenant Admin"]}}
    )
    boss = From("127.0.4.2", project_hub.url)
    boss.get("/hub/home")
    assert settle(project_hub, boss).status_code == 403
