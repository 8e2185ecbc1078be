"""Openings and favourites in the database, and what is read from them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from jupyterhub import orm
from sqlalchemy import inspect, select, text
from sqlalchemy.orm import Session

from hub_extensions import grants
from hub_extensions.usage import budget, favourites, openings, report
from hub_extensions.usage.openings import Opening


@pytest.fixture
def people(db: Session) -> tuple[orm.User, orm.User]:
    """Two people, with the tables."""
    openings.create_tables(db)
    favourites.create_tables(db)
    ada, bob = orm.User(name="ada"), orm.User(name="bob")
    db.add_all([ada, bob])
    db.commit()
    return ada, bob


def age(db: Session, key: str, **by: float) -> None:
    """Make an opening older."""
    for opening in db.scalars(select(Opening).where(Opening.key == key)):
        opening.opened_at -= timedelta(**by)
    db.commit()


def test_the_last_six_dashboards_each_once(db: Session, people: tuple[orm.User, orm.User]) -> None:
    ada, bob = people
    for number in range(8):
        openings.add(db, ada, "user", f"d{number}")
    openings.add(db, ada, "user", "d3")
    openings.add(db, bob, "user", "bobs")
    assert openings.recent_of(db, ada) == [
        ("user", name) for name in ("d3", "d7", "d6", "d5", "d4", "d2")
    ]
    assert openings.recent_of(db, bob) == [("user", "bobs")]


def test_the_table_of_an_earlier_atrium_goes_on(
    db: Session, people: tuple[orm.User, orm.User]
) -> None:
    openings.add(db, people[0], "user", "before")
    column = "reference VARCHAR(16) DEFAULT '' NOT NULL"
    db.execute(text(f"ALTER TABLE atrium_openings ADD COLUMN {column}"))
    db.commit()
    for _ in range(2):
        openings.create_tables(db)
    columns = inspect(db.connection()).get_columns("atrium_openings")
    assert "reference" not in {column["name"] for column in columns}
    assert openings.recent_of(db, people[0]) == [("user", "before")]


def test_an_opening_ends_once_and_by_its_owner(
    db: Session, people: tuple[orm.User, orm.User]
) -> None:
    ada, bob = people
    openings.add(db, ada, "user", "d", "k1")
    openings.add(db, ada, "user", "d", "k2")
    openings.add(db, ada, "user", "d")
    assert not openings.end(db, bob, "k1", 1.0)
    assert not openings.end(db, ada, "other", 1.0)
    assert not openings.end(db, ada, "", 1.0)
    assert openings.end(db, ada, "k1", 1.5)
    assert not openings.end(db, ada, "k1", 0.1)
    assert openings.end(db, ada, "k2", None)
    assert not openings.end(db, ada, "k2", 0.1)
    rows = db.scalars(select(Opening).order_by(Opening.id))
    assert [(row.seconds, row.failed) for row in rows] == [
        (1.5, False),
        (None, True),
        (None, False),
    ]


def test_what_is_too_late_is_not_measured(db: Session, people: tuple[orm.User, orm.User]) -> None:
    openings.add(db, people[0], "user", "d", "k")
    age(db, "k", hours=2)
    assert not openings.end(db, people[0], "k", 1.0)


def test_openings_are_forgotten_after_90_days(
    db: Session, people: tuple[orm.User, orm.User]
) -> None:
    ada, _ = people
    openings.add(db, ada, "user", "old", "old")
    openings.add(db, ada, "user", "young", "young")
    age(db, "old", days=90, minutes=1)
    age(db, "young", days=89, hours=23)
    assert openings.recent_of(db, ada) == [("user", "young")]
    openings.forget_old(db)
    assert list(db.scalars(select(Opening.dashboard))) == ["young"]


def test_whoever_is_deleted_leaves_nothing(db: Session, people: tuple[orm.User, orm.User]) -> None:
    ada, bob = people
    for user in people:
        openings.add(db, user, "user", "d")
        favourites.keep(db, user, "user", "d")
    db.delete(ada)
    db.commit()
    assert list(db.scalars(select(Opening.user_id))) == [bob.id]
    assert list(db.scalars(select(favourites.Favourite.user_id))) == [bob.id]


def test_favourites_are_each_persons_own(db: Session, people: tuple[orm.User, orm.User]) -> None:
    ada, bob = people
    for name in ("b", "a", "b"):
        favourites.keep(db, ada, "user", name)
    favourites.keep(db, bob, "user", "c")
    favourites.drop(db, bob, "user", "a")
    assert favourites.favourites_of(db, ada) == [("user", "b"), ("user", "a")]
    favourites.drop(db, ada, "user", "b")
    favourites.drop(db, ada, "user", "b")
    assert favourites.favourites_of(db, ada) == [("user", "a")]
    assert favourites.favourites_of(db, bob) == [("user", "c")]


def test_favourites_have_an_end(db: Session, people: tuple[orm.User, orm.User]) -> None:
    ada, bob = people
    for number in range(favourites.MOST):
        favourites.keep(db, ada, "user", f"{number}")
    favourites.keep(db, ada, "user", "0")
    with pytest.raises(favourites.TooMany):
        favourites.keep(db, ada, "user", "one more")
    favourites.keep(db, bob, "user", "one more")


def test_openings_are_counted_by_what_is_asked_for(
    db: Session, people: tuple[orm.User, orm.User]
) -> None:
    ada, bob = people
    for number, (user, name) in enumerate([(ada, "d"), (ada, "d"), (bob, "d"), (bob, "e")]):
        openings.add(db, user, "user", name, f"k{number}")
    openings.end(db, ada, "k0", 1.0)
    openings.end(db, ada, "k1", 2.0)
    openings.end(db, bob, "k2", None)
    age(db, "k3", days=3)
    today = grants.now().date()

    def row(count: int, people: int, failed: int = 0, *seconds: float) -> dict[str, object]:
        measured = report.quantiles(seconds)
        counts = {"openings": count, "people": people, "failed": failed}
        return {**counts, "measured": len(seconds), "seconds": measured}

    assert report.rows(db, report.Query()) == [row(4, 2, 1, 1.0, 2.0)]
    assert report.rows(db, report.Query(days=3)) == [row(3, 2, 1, 1.0, 2.0)]
    assert report.rows(db, report.Query(by=("dashboard",), user="bob")) == [
        {"group": "user", "dashboard": "d", **row(1, 1, 1)},
        {"group": "user", "dashboard": "e", **row(1, 1)},
    ]
    assert report.rows(db, report.Query(by=("day", "user"), dashboard="d")) == [
        {"day": f"{today}", "user": "ada", **row(2, 1, 0, 1.0, 2.0)},
        {"day": f"{today}", "user": "bob", **row(1, 1, 1)},
    ]
    assert report.rows(db, report.Query(group="none")) == []


def test_quantiles_are_numbers_that_were_measured() -> None:
    assert report.quantiles([]) is None
    assert report.quantiles([2.0]) == {"p50": 2.0, "p75": 2.0, "p95": 2.0}
    hundred = [float(number) for number in range(100, 0, -1)]
    assert report.quantiles(hundred) == {"p50": 50.0, "p75": 75.0, "p95": 95.0}


@pytest.mark.parametrize(
    ("p50", "p95", "said"),
    [(1.0, 2.0, "in time"), (2.0, 2.1, "at times too slow"), (2.1, 9.0, "too slow")],
)
def test_whether_a_budget_holds(p50: float, p95: float, said: str) -> None:
    assert budget.verdict({"p50": p50, "p75": p50, "p95": p95}, 2.0) == said


@pytest.mark.parametrize("notebook", [b"", b"{", b"[" * 100_000, b"{}", b"7", b"\xff"])
def test_what_is_no_notebook_has_the_usual_budget(notebook: bytes) -> None:
    assert budget.budget_in(notebook) == budget.USUAL
    assert budget.budget_in(b" " * budget.LARGEST + b"{}") == budget.USUAL
