"""Why somebody sees a dashboard, in words; every reason comes from the table of grants."""

from __future__ import annotations

from datetime import timedelta

import pytest
from jupyterhub import orm
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from hub_extensions import grants
from hub_extensions.access import report as access_report
from hub_extensions.access.report import Person
from hub_extensions.notebook_files import Notebook

BOSS = "boss@acme.test"
NOTEBOOKS = tuple(
    Notebook(group=group, name=name, readable=name != "broken")
    for group, name in (
        ("admin", "the_hub"),
        ("analysts", "model"),
        ("finance", "broken"),
        ("finance", "costs"),
        ("user", "penguins"),
    )
)
BY_ID = {notebook.id: notebook for notebook in NOTEBOOKS}


def new_user(db: Session, name: str = "ada@acme.test", *, signed_in: bool = True) -> orm.User:
    user = orm.User(name=name)
    db.add(user)
    db.flush()
    if signed_in:
        moment = grants.now()
        db.add(
            grants.Identity(user_id=user.id, issuer="P", subject=f"U{user.id}", confirmed_at=moment)
        )
    db.commit()
    return user


def give_role(db: Session, user: orm.User, group: str, role: str) -> None:
    reasons = {"user": "member of tenant acme", group: f"role {role} in tenant acme"}
    grants.set_provider_groups(db, user, {"user", group}, by="provider", reasons=reasons)


def read(db: Session, name: str = "ada@acme.test") -> Person:
    db.commit()
    (person,) = access_report.read_people(db, name)
    return person


def today() -> str:
    return access_report.day(grants.now())


def test_what_the_provider_gives_names_role_and_tenant(db: Session) -> None:
    give_role(db, new_user(db), "analysts", "Analyst")
    ada = read(db)
    assert ada.groups == {"user", "analysts"}
    assert ada.why("analysts") == "role Analyst in tenant acme"
    assert ada.why("user") == "member of tenant acme"


def test_a_row_from_before_reasons_were_kept_says_what_is_known(db: Session) -> None:
    grants.set_provider_groups(db, new_user(db), {"user"}, by="provider")
    assert read(db).why("user") == "given by the sign-in provider"


def test_an_admins_gift_names_the_admin_the_day_and_the_end(db: Session) -> None:
    ada = new_user(db)
    grants.grant(db, ada, "finance", BOSS)
    assert read(db).why("finance") == f"granted by {BOSS} on {today()}"
    end = grants.now().replace(microsecond=0) + timedelta(days=40)
    grants.grant(db, ada, "finance", BOSS, until=end)
    until = f"{access_report.day(end)}, {end:%H:%M} UTC"
    assert read(db).why("finance") == f"granted by {BOSS} on {today()}, until {until}"


def test_a_gift_that_is_over_gives_nothing_and_is_told(db: Session) -> None:
    ada = new_user(db)
    grants.grant(db, ada, "finance", BOSS, until=grants.now() + timedelta(days=1))
    db.execute(update(grants.Grant).values(until=grants.now() - timedelta(seconds=1)))
    person = read(db)
    assert person.groups == frozenset()
    assert ", ended " in person.why("finance")
    assert not access_report.explain(person, BY_ID["finance/costs"]).may


def test_both_sources_are_told(db: Session) -> None:
    ada = new_user(db)
    give_role(db, ada, "analysts", "Analyst")
    grants.grant(db, ada, "analysts", BOSS)
    assert read(db).why("analysts") == (
        f"role Analyst in tenant acme; granted by {BOSS} on {today()}"
    )


def test_what_an_admin_took_away_is_told_with_the_role_that_gives_it(db: Session) -> None:
    ada = new_user(db)
    give_role(db, ada, "analysts", "Analyst")
    grants.take(db, ada, "analysts", BOSS)
    person = read(db)
    assert person.groups == {"user"}
    assert person.why("analysts") == (
        f"taken away by {BOSS} on {today()}, although role Analyst in tenant acme gives it"
    )
    answer = access_report.explain(person, BY_ID["analysts/model"])
    assert not answer.may
    assert answer.reasons[-1] == f"Group analysts: {person.why('analysts')}."
    assert answer.mend == "Put them into the group analysts again, under People and groups."


def test_everything_opens_to_members_of_admin(db: Session) -> None:
    give_role(db, new_user(db), "admin", "Tenant Admin")
    ada = read(db)
    assert all(access_report.explain(ada, notebook).may for notebook in NOTEBOOKS)
    reason = "Group admin, which opens every folder: role Tenant Admin in tenant acme."
    assert access_report.explain(ada, BY_ID["finance/costs"]).reasons == (reason,)
    assert access_report.explain(ada, BY_ID["user/penguins"]).reasons == (
        "Group user: member of tenant acme.",
        reason,
    )


def test_an_unreadable_file_is_the_reason_for_its_own_group(db: Session) -> None:
    grants.grant(db, new_user(db), "finance", BOSS)
    answer = access_report.explain(read(db), BY_ID["finance/broken"])
    assert not answer.may
    assert "no readable notebook" in answer.reasons[0]
    assert answer.mend == "Mend the file finance/broken.ipynb."


@pytest.mark.parametrize(
    ("dashboard", "mend"),
    [
        ("analysts/model", "Give them the role Analyst at the sign-in provider."),
        ("admin/the_hub", "Give them the role Tenant Admin at the sign-in provider."),
        ("user/penguins", "Make them a member of the company's tenant at the sign-in provider."),
        ("finance/costs", "Put them into the group finance, under People and groups."),
    ],
)
def test_a_refusal_says_what_would_open_it(db: Session, dashboard: str, mend: str) -> None:
    new_user(db, signed_in=False)
    answer = access_report.explain(read(db), BY_ID[dashboard])
    assert (answer.may, answer.mend) == (False, mend)
    assert answer.reasons[0].startswith("They have never signed in")


def test_a_full_admin_sees_nothing_by_that(db: Session) -> None:
    new_user(db).admin = True
    answer = access_report.explain(read(db), BY_ID["user/penguins"])
    assert not answer.may
    assert answer.reasons[-1].startswith("They are a full admin of the hub")


def test_a_person_is_told_group_by_group(db: Session) -> None:
    ada = new_user(db)
    give_role(db, ada, "analysts", "Analyst")
    grants.take(db, ada, "analysts", BOSS)
    grants.grant(db, ada, "finance", BOSS)
    record = access_report.detailed_record(read(db), NOTEBOOKS)
    assert {group["name"]: (group["held"], group["opens"]) for group in record["groups"]} == {
        "analysts": (False, []),
        "finance": (True, ["finance/costs"]),
        "user": (True, ["user/penguins"]),
    }


def test_dashboards_say_who_can_open_them(db: Session) -> None:
    give_role(db, new_user(db), "admin", "Tenant Admin")
    grants.grant(db, new_user(db, "bob@acme.test"), "finance", BOSS)
    grants.set_provider_groups(db, new_user(db, "eve@acme.test"), {"user"}, by="provider")

    def told(people: list[Person]) -> dict[str, tuple[str, int]]:
        records = access_report.dashboard_records(people, NOTEBOOKS)
        return {
            f"{one['group']}/{one['name']}": (one["open_to"], len(one["people"])) for one in records
        }

    people = access_report.read_people(db)
    assert told(people) == {
        "admin/the_hub": ("admins", 1),
        "analysts/model": ("admins", 1),
        "finance/broken": ("admins", 1),
        "finance/costs": ("some", 2),
        "user/penguins": ("some", 2),
    }
    assert {kind for kind, _ in told([]).values()} == {"nobody"}
    ada, bob, eve = people
    new_user(db, "zoe@acme.test")
    zoe = read(db, "zoe@acme.test")
    assert told([ada, eve, zoe])["user/penguins"] == ("everybody", 2)
    assert told([bob])["user/penguins"] == ("nobody", 0)


def test_reading_is_quick_with_many_people(db: Session) -> None:
    """One query for people and one for grants, however many there are."""
    for number in range(20):
        give_role(db, new_user(db, f"p{number}@acme.test"), "analysts", "Analyst")
    asked: list[str] = []
    event.listen(db.get_bind(), "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert len(access_report.read_people(db)) == 20
    assert len([statement for statement in asked if "FROM" in statement]) == 2
