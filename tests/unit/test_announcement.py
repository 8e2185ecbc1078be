"""What admins tell everybody: one thing at a time, plain, until its last day."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from hub_extensions import announcement, grants
from hub_extensions.refusals import Refused, plain

BY = "admin@acme.test"


@pytest.fixture
def db(db: Session) -> Session:
    announcement.create_tables(db)
    return db


def announce(db: Session, text: str = "Sales are late.", kind: str = "info", day: str = "") -> None:
    announcement.announce(db, text, kind, day, BY)


def seen(db: Session, *groups: str) -> dict[str, str] | None:
    somebody: Any = SimpleNamespace(db=db, groups=list(groups))
    return announcement.seen_by(somebody)


def test_one_takes_the_place_of_the_other(db: Session) -> None:
    assert seen(db, "user") is None
    announce(db)
    first = seen(db, "user")
    announce(db, "  Away\ntonight.\u202e ", "warn")
    second = seen(db, "globex")
    assert first
    assert second
    assert (second["text"], second["kind"]) == ("Away tonight.", "warn")
    assert first["key"] != second["key"]
    announcement.clear(db, BY)
    announcement.clear(db, BY)
    assert seen(db, "user") is None


def test_what_somebody_wrote_is_plain_and_short() -> None:
    assert plain(" a\r\nb\rc\x1b[31m\x00 ", 12, "Your note") == "a\nb\nc[31m"
    with pytest.raises(Refused, match="Your note has more than 2 characters"):
        plain("xxx", 2, "Your note")


def test_who_has_nothing_shared_with_them_is_told_nothing(db: Session) -> None:
    announce(db)
    assert seen(db) is None
    assert announcement.seen_by(None) is None


def test_it_is_seen_until_the_end_of_its_last_day(
    db: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = grants.now().date()
    announce(db, day=today.isoformat())
    assert seen(db, "user")
    tomorrow = datetime.combine(today + timedelta(days=1), datetime.min.time())
    monkeypatch.setattr(grants, "now", lambda: tomorrow)
    assert seen(db, "user") is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": " \n "}, "write what everybody should read"),
        ({"text": "x" * 301}, "more than 300 characters"),
        ({"kind": "bad"}, "choose information or warning"),
        ({"day": "2020-01-01"}, "That date is over"),
        ({"day": "soon"}, "choose a date"),
        ({"day": "2999-01-01"}, "an earlier one, or none"),
    ],
)
def test_what_cannot_be_told_leaves_the_one_before(
    db: Session, given: dict[str, str], said: str
) -> None:
    announce(db, "Before.")
    with pytest.raises(Refused, match=said):
        announce(db, **given)
    told = seen(db, "user")
    assert told
    assert told["text"] == "Before."
