"""Requests for access: what is taken, what is refused, and what a grant does."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from jupyterhub import orm
from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from hub_extensions import audit, grants
from hub_extensions.access import requests as access_requests
from hub_extensions.access.request_queue import RequestQueue
from hub_extensions.access.requests import MOST, AccessRequest
from hub_extensions.folders import dashboard_in, dashboard_named
from hub_extensions.refusals import Refused

CUSTOMERS = {"globex", "globex.eu", "initech"}
PROVIDED = {"admin", "user", "analysts", "globex", "globex.admin"}


@pytest.fixture
def ada(db: Session) -> orm.User:
    return person(db, "ada@acme.test", "user")


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    for name in ("finance/money", "globex.reports/sales", "analysts/models", "finance.board/plan"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.ipynb").touch()
    return tmp_path


def person(db: Session, name: str, *groups: str) -> orm.User:
    user = orm.User(name=name)
    db.add(user)
    db.flush()
    for group in groups:
        grants.grant(db, user, group, by="test")
    db.commit()
    return user


def asked(db: Session, user: orm.User, group: str, name: str = "money") -> AccessRequest:
    access_requests.ask(db, user, (group, name), "For the board")
    return access_requests.open_of(db, user)[0]


def queue(user: orm.User, notebooks: Path) -> RequestQueue:
    """A manager's, as the hub makes it for each of their requests."""
    db = object_session(user)
    assert db is not None
    return RequestQueue(
        db=db,
        manager=user,
        notebooks=notebooks,
        provided_groups=PROVIDED,
        customer_tenants=CUSTOMERS,
    )


def groups(user: orm.User) -> set[str]:
    return {str(group.name) for group in user.groups}


def test_a_grant_gives_the_group_and_closes_the_request(
    db: Session, ada: orm.User, notebooks: Path
) -> None:
    boss = person(db, "boss@acme.test", "admin")
    request = asked(db, ada, "finance")
    queue(boss, notebooks).grant(request, None, "Welcome")
    assert groups(ada) == {"user", "finance"}
    assert (request.state, request.decided_by, request.note) == (
        "granted",
        "boss@acme.test",
        "Welcome",
    )
    assert not queue(boss, notebooks).requests()


def test_a_grant_until_a_date_ends_like_any_other(
    db: Session, ada: orm.User, notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = person(db, "boss@acme.test", "admin")
    until = access_requests.end_of("7", "")
    assert until is not None
    queue(boss, notebooks).grant(asked(db, ada, "finance"), until, "")
    assert "finance" in groups(ada)
    monkeypatch.setattr(grants, "now", lambda: until + timedelta(seconds=1))
    grants.expire(db)
    assert groups(ada) == {"user"}


def test_who_has_the_group_meanwhile_keeps_it_as_it_is(
    db: Session, ada: orm.User, notebooks: Path
) -> None:
    boss = person(db, "boss@acme.test", "admin")
    request = asked(db, ada, "finance")
    grants.grant(db, ada, "finance", by="other")
    db.commit()
    queue(boss, notebooks).grant(request, access_requests.end_of("7", ""), "")
    row = db.scalars(select(grants.Grant).filter_by(user_id=ada.id, group_name="finance")).one()
    assert row.until is None
    assert request.until is None


def test_a_group_is_asked_for_once_until_it_is_answered(db: Session, ada: orm.User) -> None:
    first = asked(db, ada, "finance")
    assert asked(db, ada, "finance", "other") is first
    access_requests.decline(db, first, "boss", "")
    assert asked(db, ada, "finance") is not first


def test_nobody_floods_the_managers_not_by_withdrawing_either(db: Session, ada: orm.User) -> None:
    for number in range(MOST):
        request = asked(db, ada, f"group {number}")
        access_requests.withdraw(db, ada, str(request.id))
    with pytest.raises(Refused) as refused:
        asked(db, ada, "one more")
    assert refused.value.status == 429
    other = person(db, "bob@acme.test")
    assert asked(db, other, "one more").user_id == other.id


def test_answers_are_forgotten_after_a_while(
    db: Session, ada: orm.User, monkeypatch: pytest.MonkeyPatch
) -> None:
    access_requests.decline(db, asked(db, ada, "finance"), "boss", "")
    later = grants.now() + timedelta(days=91)
    monkeypatch.setattr(grants, "now", lambda: later)
    asked(db, ada, "sales")
    assert [row.group_name for row in db.scalars(select(AccessRequest))] == ["sales"]


@pytest.mark.parametrize("reason", ["", "  \r\n ", "x" * 501])
def test_a_reason_is_given_and_is_short(db: Session, ada: orm.User, reason: str) -> None:
    with pytest.raises(Refused):
        access_requests.ask(db, ada, ("finance", "money"), reason)
    assert not access_requests.open_requests(db)


def test_a_reason_is_kept_as_text_without_signs_that_mislead(db: Session, ada: orm.User) -> None:
    access_requests.ask(db, ada, ("finance", "money"), "a\r\nb \u202egro.evil\x00\x1b[31m é ✓")
    assert access_requests.open_of(db, ada)[0].reason == "a\nb gro.evil[31m é ✓"


@pytest.mark.parametrize("request_id", ["", "0", "-1", "1e3", "1; --", "٣", "9" * 40, "None"])
def test_an_id_is_a_number_of_a_row(db: Session, ada: orm.User, request_id: str) -> None:
    asked(db, ada, "finance")
    assert access_requests.find(db, request_id) is None


@pytest.mark.parametrize(
    ("term", "day"),
    [
        ("day", ""),
        ("day", "soon"),
        ("day", "2020-01-01"),
        ("day", "9999-12-31"),
        ("day", "275760-09-13"),
        ("day", "2030-02-30"),
        ("-7", ""),
        ("99999999999", ""),
        ("9" * 5000, ""),
        ("for ever", ""),
    ],
)
def test_a_grant_ends_at_a_day_that_there_is(term: str, day: str) -> None:
    with pytest.raises(Refused):
        access_requests.end_of(term, day)


def test_a_grant_lasts_to_the_end_of_its_last_day() -> None:
    today = grants.now().date()
    assert access_requests.end_of("", "2020-01-01") is None
    assert access_requests.end_of("day", today.isoformat()) == end(today)
    assert access_requests.end_of("30", "") == end(today + timedelta(days=30))


def end(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("finance/money", ("finance", "money")),
        ("one only/a b", ("one only", "a b")),
        ("finance", None),
        ("finance/", None),
        ("/money", None),
        ("../x", None),
        ("a/../b", None),
        ("a/b/c", None),
        (".hidden/x", None),
        ("a\\b/c", None),
        ("admin /x", None),
        ("a/b\x00", None),
        ("x" * 101 + "/a", None),
        ("a/" + "x" * 201, None),
    ],
)
def test_what_is_asked_for_is_a_folders_name_and_a_notebooks(
    text: str, expected: tuple[str, str] | None
) -> None:
    assert dashboard_named(text) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/user/ada/dashboards/finance/money", "finance/money"),
        ("/atrium/user/ada%40acme.test/dashboards/one%20only/a%20b/?x=1", "one only/a b"),
        ("https://ada.hub.test/user/ada/admin/dashboards/admin/hub", "admin/hub"),
        ("/user/ada/dashboards/..%2fx/y", ""),
        ("/user/ada/", ""),
        ("", ""),
        ("//[", ""),
    ],
)
def test_an_address_says_which_dashboard_it_leads_to(address: str, expected: str) -> None:
    assert dashboard_in(address) == expected


# -- who answers -----------------------------------------------------------------------------


def test_a_request_for_nothing_is_seen_by_members_of_admin_only(
    db: Session, ada: orm.User, notebooks: Path
) -> None:
    boss = person(db, "boss@acme.test", "admin")
    manager = person(db, "fin@acme.test", "finance.admin")
    request = asked(db, ada, "finance", "no such")
    assert queue(boss, notebooks).requests() == [request]
    assert queue(manager, notebooks).requests() == []
    with pytest.raises(Refused, match="no dashboard"):
        queue(boss, notebooks).grant(request, None, "")
    assert groups(ada) == {"user"}


def test_of_two_who_decide_the_second_is_told_of_the_first(
    db: Session, ada: orm.User, notebooks: Path
) -> None:
    boss = person(db, "boss@acme.test", "admin")
    manager = person(db, "fin@acme.test", "finance.admin")
    request = asked(db, ada, "finance")
    queue(manager, notebooks).grant(queue(manager, notebooks).take(str(request.id)), None, "")
    with pytest.raises(Refused, match=r"fin@acme\.test has granted") as refused:
        queue(boss, notebooks).take(str(request.id))
    assert refused.value.status == 409


def test_a_request_goes_with_its_person(db: Session, ada: orm.User, notebooks: Path) -> None:
    boss = person(db, "boss@acme.test", "admin")
    request_id = str(asked(db, ada, "finance").id)
    db.delete(ada)
    db.commit()
    assert queue(boss, notebooks).requests() == []
    with pytest.raises(Refused, match="gone with its person"):
        queue(boss, notebooks).take(request_id)


def test_a_right_that_was_lost_meanwhile_counts(
    db: Session, ada: orm.User, notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = person(db, "fin@acme.test", "finance.admin")
    request = asked(db, ada, "finance")
    grants.grant(db, manager, "finance.admin", "boss", grants.now() + timedelta(hours=1))
    db.commit()
    assert queue(manager, notebooks).take(str(request.id)) is request
    later = grants.now() + timedelta(hours=2)
    monkeypatch.setattr(grants, "now", lambda: later)  # before anything has noticed the end
    assert not queue(manager, notebooks).is_there
    with pytest.raises(Refused):
        queue(manager, notebooks).take(str(request.id))


def test_nobody_decides_on_their_own_request(db: Session, notebooks: Path) -> None:
    manager = person(db, "fin@acme.test", "finance.admin")
    request = asked(db, manager, "finance")
    assert queue(manager, notebooks).requests() == []
    with pytest.raises(Refused, match="of their own"):
        queue(manager, notebooks).take(str(request.id))


def test_a_group_of_the_provider_is_not_given_here(
    db: Session, ada: orm.User, notebooks: Path
) -> None:
    boss = person(db, "boss@acme.test", "admin")
    request = asked(db, ada, "analysts", "models")
    with pytest.raises(Refused, match="sign-in provider"):
        queue(boss, notebooks).grant(request, None, "")
    assert groups(ada) == {"user"}
    access_requests.decline(db, request, boss.name, "Your role has to change")
    assert request.state == "declined"


def test_a_group_that_could_be_taken_for_another_is_not_made(
    db: Session, ada: orm.User, notebooks: Path
) -> None:
    boss = person(db, "boss@acme.test", "admin", "Finance")
    with pytest.raises(Refused, match="could be taken"):
        queue(boss, notebooks).grant(asked(db, ada, "finance"), None, "")
    assert groups(ada) == {"user"}


def test_a_customers_manager_sees_their_own_people_only(
    db: Session, ada: orm.User, notebooks: Path
) -> None:
    manager = person(db, "boss@globex.test", "globex", "globex.admin")
    own = person(db, "mia@globex.test", "globex", "customers")
    rival = person(db, "ray@initech.test", "initech", "customers")
    seen = asked(db, own, "globex.reports", "sales")
    for other in (rival, ada):
        asked(db, other, "globex.reports", "sales")
    asked(db, own, "finance")
    assert queue(manager, notebooks).requests() == [seen]


def test_what_happens_is_told_to_the_audit_trail(
    db: Session, ada: orm.User, notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(
        audit, "record", lambda action, **details: told.append((action, details.get("by", "")))
    )
    boss = person(db, "boss@acme.test", "admin")
    told.clear()
    queue(boss, notebooks).grant(asked(db, ada, "finance"), None, "")
    access_requests.decline(db, asked(db, ada, "sales"), boss.name, "")
    assert told == [
        ("access-asked", ""),
        ("group-given", "boss@acme.test"),
        ("access-granted", "boss@acme.test"),
        ("access-asked", ""),
        ("access-declined", "boss@acme.test"),
    ]
