"""The attacks on asking succeed when their guards are taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy.orm import Session

from hub_extensions.access import manager_rules, request_queue
from hub_extensions.access import requests as access_requests
from hub_extensions.access.requests import AccessRequest
from hub_extensions.refusals import Refused
from tests.attacks import attack, guard_out
from tests.unit.test_access_requests import asked, groups, person
from tests.unit.test_access_requests import queue as queue_of


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    for name in ("finance/money", "globex.reports/sales", "globex.eu/sales", "analysts/models"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.ipynb").touch()
    return tmp_path


def given(
    db: Session, notebooks: Path, by: tuple[str, ...], to: tuple[str, ...], group: str
) -> bool:
    """Whether a manager in the groups `by` can give `group` to somebody in the groups `to`."""
    manager, asker = person(db, "manager@a.test", *by), person(db, "asker@a.test", *to)
    name = next(iter(sorted((notebooks / group).glob("*.ipynb"))), Path("x.ipynb")).stem
    request = asked(db, asker, group, name)
    try:
        table = queue_of(manager, notebooks)
        table.grant(table.take(str(request.id)), None, "")
    except Refused:
        return False
    return group in groups(asker)


def yes(*_: Any) -> bool:
    return True


def no(*_: Any) -> bool:
    return False


#: Guard -> how it is taken out, and the attempt: groups of who decides, of who asked, what for.
ATTACKS = {
    "who decides is who manages the group": (
        (manager_rules.__name__, "manages", yes),
        (("sales.admin",), ("user",), "finance"),
    ),
    "a tenant is more than how its name begins": (
        (manager_rules.__name__, "customer_of", lambda *_: None),
        (("globex.admin",), ("globex", "user"), "globex.eu"),
    ),
    "requests of one's own people": (
        (
            request_queue.__name__,
            "decides",
            lambda held, group, *_: manager_rules.manages(held, group),
        ),
        (("globex", "globex.admin"), ("initech",), "globex.reports"),
    ),
    "groups that carry rights are not granted": (
        (request_queue.__name__, "carries_rights", no),
        (("admin",), ("user",), "analysts"),
    ),
    "only folders that are there are granted": (
        (request_queue.__name__, "has_dashboard", yes),
        (("admin",), ("user",), "Finance"),
    ),
}


@pytest.mark.parametrize(
    "guard_name",
    [
        pytest.param(name, marks=[guard_out(name), attack("privilege escalation", name)])
        for name in ATTACKS
    ],
)
def test_a_grant_without_a_right(
    guard_name: str, db: Session, notebooks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (module, guard, without), attempt = ATTACKS[guard_name]
    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.{guard}", without)
        assert given(db, notebooks, *attempt)
    for row in db.query(orm.User):
        db.delete(row)
    db.commit()
    assert not given(db, notebooks, *attempt)


@guard_out("nobody answers themselves")
def test_ones_own_request(db: Session, notebooks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = person(db, "fin@a.test", "finance.admin")
    request = asked(db, manager, "finance")
    with pytest.raises(Refused):
        queue_of(manager, notebooks).take(str(request.id))

    def take(own: request_queue.RequestQueue, request_id: str) -> AccessRequest | None:
        return access_requests.find(own.db, request_id)

    monkeypatch.setattr(request_queue.RequestQueue, "take", take)
    table = queue_of(manager, notebooks)
    table.grant(table.take(str(request.id)), None, "")
    assert "finance" in groups(manager)


@guard_out("most open requests")
def test_a_flood(db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    flood = person(db, "flood@a.test")
    most = access_requests.MOST
    monkeypatch.setattr(access_requests, "MOST", 1000)
    for number in range(most + 1):
        asked(db, flood, f"group {number}")
    assert len(access_requests.open_requests(db)) == most + 1
    monkeypatch.setattr(access_requests, "MOST", most)
    with pytest.raises(Refused):
        asked(db, flood, "one more")


@guard_out("signs that mislead are taken out")
@attack("spoofed text", "signs that mislead are taken out")
def test_signs_that_mislead(db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = person(db, "ada@a.test")
    evil = "fdp.\u202egro"
    access_requests.ask(db, ada, ("finance", "money"), evil)
    assert "\u202e" not in access_requests.open_of(db, ada)[0].reason
    monkeypatch.setattr(access_requests, "plain", lambda text, *_: text)
    access_requests.ask(db, ada, ("sales", "money"), evil)
    assert access_requests.open_of(db, ada)[0].reason == evil
