"""An object that is looked up alone is loaded alone; lists bring what belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy import event
from sqlalchemy.orm import Session

from hub_extensions.queries import load_one_alone


@pytest.fixture
def asked(db: Session) -> Callable[[Callable[[], Any]], int]:
    """How many queries something takes, with two people who share a group with a role."""
    people = [orm.User(name=name) for name in ("ada", "bob")]
    group = orm.Group(name="finance", users=people)
    role = orm.Role(name="reader", groups=[group])
    db.add_all([*people, group, role])
    db.commit()
    load_one_alone(db)
    statements: list[str] = []

    @event.listens_for(db.get_bind(), "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement != "SELECT 1":  # JupyterHub's question whether the database is there
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
