"""The table of grants is the truth: what either source gives, neither takes from the other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from jupyterhub import orm
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub_extensions import grants


@pytest.fixture
def ada(db: Session) -> orm.User:
    user = orm.User(name="ada@acme.test")
    db.add(user)
    db.commit()
    return user


def groups(user: orm.User) -> set[str]:
    return {str(group.name) for group in user.groups}


def test_an_admins_gift_survives_what_the_provider_says(db: Session, ada: orm.User) -> None:
    grants.set_provider_groups(db, ada, {"user"}, by="provider")
    grants.grant(db, ada, "finance", by="boss@acme.test")
    db.commit()
    grants.set_provider_groups(db, ada, {"user", "admin"}, by="provider")
    assert groups(ada) == {"user", "admin", "finance"}
    grants.set_provider_groups(db, ada, set(), by="provider")
    assert groups(ada) == {"finance"}


def test_why_the_provider_gives_a_group_follows_what_it_says(db: Session, ada: orm.User) -> None:
    def say(**reasons: str) -> dict[str, str]:
        grants.set_provider_groups(db, ada, {"user", "admin"}, by="provider", reasons=reasons)
        return {row.group_name: row.granted_by for row in db.scalars(select(grants.Grant))}

    assert say() == {"user": "provider", "admin": "provider"}
    assert say(admin="role A") == {"user": "provider", "admin": "role A"}
    assert say(admin="role B", other="role C") == {"user": "provider", "admin": "role B"}
    assert say() == {"user": "provider", "admin": "role B"}


def test_a_group_from_both_sources_stays_when_one_takes_it(db: Session, ada: orm.User) -> None:
    grants.set_provider_groups(db, ada, {"analysts"}, by="provider")
    grants.grant(db, ada, "analysts", by="boss")
    grants.set_provider_groups(db, ada, set(), by="provider")
    assert groups(ada) == {"analysts"}


def test_an_admins_removal_does_not_come_back_by_itself(db: Session, ada: orm.User) -> None:
    grants.set_provider_groups(db, ada, {"user", "analysts"}, by="provider")
    grants.take(db, ada, "analysts", by="boss")
    db.commit()
    grants.set_provider_groups(db, ada, {"user", "analysts"}, by="provider")
    assert groups(ada) == {"user"}
    grants.grant(db, ada, "analysts", by="boss")
    assert groups(ada) == {"user", "analysts"}


def test_a_removed_gift_leaves_no_denial(db: Session, ada: orm.User) -> None:
    grants.grant(db, ada, "finance", by="boss")
    grants.take(db, ada, "finance", by="boss")
    assert groups(ada) == set()
    assert not db.scalars(select(grants.Grant)).all()


def test_a_grant_ends_at_its_date(db: Session, ada: orm.User) -> None:
    grants.grant(db, ada, "finance", by="boss")
    row = db.scalars(select(grants.Grant)).one()
    row.until = grants.now() - timedelta(seconds=1)
    grants.apply(db, ada, by="test")
    assert groups(ada) == set()


def test_a_crash_before_the_commit_leaves_table_and_membership_alike(
    db: Session, ada: orm.User
) -> None:
    grants.set_provider_groups(db, ada, {"user"}, by="provider")
    grants.grant(db, ada, "finance", by="boss")
    db.rollback()
    db.expire_all()
    assert groups(ada) == set(grants.groups_of(db, ada)) == {"user"}


def test_memberships_from_before_are_kept_once(db: Session, ada: orm.User) -> None:
    ada.groups = [orm.Group(name="old")]
    db.commit()
    grants.adopt_memberships(db)
    grants.set_provider_groups(db, ada, {"user"}, by="provider")
    assert groups(ada) == {"user", "old"}
    ada.groups = [*ada.groups, orm.Group(name="smuggled")]
    db.commit()
    grants.adopt_memberships(db)
    grants.apply(db, ada, by="test")
    assert groups(ada) == {"user", "old"}


def test_a_deleted_persons_grants_go_with_them(db: Session, ada: orm.User) -> None:
    grants.grant(db, ada, "finance", by="boss")
    db.commit()
    db.delete(ada)
    db.commit()
    assert not db.scalars(select(grants.Grant)).all()
