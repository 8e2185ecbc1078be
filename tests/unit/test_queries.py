"""An object that is looked up alone is loaded alone, without another question before; lists bring
what belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import event
from sqlalchemy.orm import Session

from hub_extensions import grants
from hub_extensions.queries import leave_out_pings, let_go_of_deleted, load_one_alone
from hub_extensions.signing_in import sessions


@pytest.fixture
def asked(db: Session) -> Callable[[Callable[[], Any]], int]:
    """How many queries something takes, with two people who share a group with a role."""
    people = [orm.User(name=name) for name in ("ada", "bob")]
    group = orm.Group(name="finance", users=people)
    role = orm.Role(name="reader", groups=[group])
    db.add_all([*people, group, role])
    db.commit()
    load_one_alone(db)
    leave_out_pings(db)
    statements: list[str] = []

    @event.listens_for(db.get_bind(), "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    def count(work: Callable[[], Any]) -> int:
        statements.clear()
        work()
        return len(statements)

    return count


def test_somebody_looked_up_by_name_costs_one_query(
    db: Session, asked: Callable[[Callable[[], Any]], int]
) -> None:
    db.expunge_all()
    assert asked(lambda: orm.User.find(db, "ada")) == 1
    ada = orm.User.find(db, "ada")
    assert [group.name for group in ada.groups] == ["finance"]
    assert [role.name for group in ada.groups for role in group.roles] == ["reader"]


def test_what_is_loaded_already_stays(
    db: Session, asked: Callable[[Callable[[], Any]], int]
) -> None:
    ada = orm.User.find(db, "ada")
    assert ada.groups[0].roles
    assert asked(lambda: orm.User.find(db, "ada").groups[0].roles) == 1


def test_a_list_does_not_ask_for_each_of_its_people(
    db: Session, asked: Callable[[Callable[[], Any]], int]
) -> None:
    def groups(page: Any) -> list[str]:
        return [role.name for user in page for group in user.groups for role in group.roles]

    db.expunge_all()
    few = asked(lambda: groups(db.query(orm.User)))
    db.add_all([orm.User(name=f"more{number}") for number in range(20)])
    db.commit()
    db.expunge_all()
    assert asked(lambda: groups(db.query(orm.User))) == few
    db.expunge_all()
    assert asked(lambda: groups(db.query(orm.User).limit(20))) == few


@pytest.mark.parametrize("is_expired", [False, True])
def test_whoever_gets_the_number_of_somebody_deleted_is_not_taken_for_them(
    db: Session, is_expired: bool
) -> None:
    grants.create_tables(db)
    sessions.create_tables(db)
    let_go_of_deleted(db)
    people = [orm.User(id=number, name=f"{number}") for number in (1, 2)]
    db.add_all(people)
    db.flush()
    for user in people:
        who: dict[str, Any] = {"user_id": user.id, "issuer": "P", "subject": f"U{user.id}"}
        db.add(grants.Identity(**who, confirmed_at=grants.now()))
        sessions.begin(db, user)
    db.commit()
    held = sessions.everybody(db)  # as by what waits for the provider's answer
    if is_expired:
        db.rollback()
    db.delete(people[1])
    db.commit()
    db.add(another := orm.User(id=2, name="another"))
    db.commit()
    assert db.get(grants.Identity, 2) is None
    sessions.begin(db, another)
    db.commit()
    assert sessions.whose(db) == {1, 2}
    assert is_expired or db.get(grants.Identity, 1) is held[0][1]
