"""Who may publish to which folder, and where nobody may."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from jupyterhub import orm

from dashboards.visitors import Visitor
from hub_extensions.accounts.unix_accounts import Isolation
from hub_extensions.authenticator import DescopeAuthenticator
from hub_extensions.publishing.rights import may_publish, obstacle, publishes_anywhere, warning
from hub_extensions.settings import Settings

ACCOUNTS, NO_ACCOUNTS = Isolation(ids=range(70_000, 70_010)), Isolation(obstacle="it is a laptop")
REAL = {"DESCOPE_PROJECT_ID": "P" + "a" * 27}


@pytest.mark.parametrize(
    ("groups", "folder", "expected"),
    [
        ({"finance.publish"}, "finance", True),
        ({"globex.admin.publish"}, "globex.admin", True),
        ({"analysts"}, "analysts", True),
        ({"admin"}, "finance", True),
        ({"admin"}, "user", True),
        ({"admin"}, "globex", True),
        ({"admin.publish"}, "admin", True),
        ({"admin"}, "admin", False),
        ({"finance"}, "finance", False),
        ({"finance.admin"}, "finance", False),
        ({"globex.admin"}, "globex", False),
        ({"analysts"}, "user", False),
        ({"analysts"}, "finance", False),
        ({"user.publish"}, "finance", False),
        ({"finance.publish"}, "Finance", False),
        ({"Finance.publish"}, "finance", False),
        ({"finance.publish"}, "finance.publish", False),
        ({"finance.publish.publish"}, "finance.publish", False),
        ({"admin"}, "finance.publish", False),
        ({"admin", "..publish"}, ".", False),
        ({"admin", ".publish"}, "", False),
        ({"admin"}, "../x", False),
        ({"admin"}, ".versions.git", False),
        (set(), "finance", False),
    ],
)
def test_a_right_is_for_one_folder(groups: set[str], folder: str, expected: bool) -> None:
    assert may_publish(groups, folder) is expected
    assert expected <= publishes_anywhere(groups)


@pytest.mark.parametrize("is_hub_admin", [False, True])
@pytest.mark.parametrize("folder", ["finance", "user", "admin", "analysts", "globex.admin"])
def test_dashboard_servers_know_it_as_the_hub_does(folder: str, is_hub_admin: bool) -> None:
    some = ("admin", "analysts", "user", "finance", "finance.publish", "admin.publish", "x.publish")
    for number in range(1 << len(some)):
        groups = frozenset(one for place, one in enumerate(some) if number >> place & 1)
        visitor = Visitor(name="a", groups=groups, is_owner=True, is_hub_admin=is_hub_admin)
        expected = may_publish(groups, folder, is_hub_admin=is_hub_admin)
        assert visitor.publishes_to(folder) is expected, groups


def test_a_full_admin_publishes_everywhere_but_to_what_is_no_audience() -> None:
    assert may_publish(set(), "admin", is_hub_admin=True)
    assert not may_publish(set(), "finance.publish", is_hub_admin=True)
    assert publishes_anywhere(set(), is_hub_admin=True)
    assert not publishes_anywhere({"user", "finance", "finance.admin", "publish"})


@pytest.mark.parametrize(
    ("given", "isolation", "refused", "warned"),
    [
        ({}, NO_ACCOUNTS, False, False),
        (REAL, ACCOUNTS, False, False),
        (REAL, NO_ACCOUNTS, True, False),
        ({**REAL, "ATRIUM_UNISOLATED": "yes"}, NO_ACCOUNTS, False, True),
        ({**REAL, "ATRIUM_UNISOLATED": "yes"}, ACCOUNTS, False, False),
        ({"ATRIUM_UNISOLATED": "yes"}, NO_ACCOUNTS, False, False),
    ],
)
def test_with_a_real_project_authors_need_accounts(
    given: dict[str, str], isolation: Isolation, refused: bool, warned: bool
) -> None:
    settings = Settings.model_validate(given)
    said = obstacle(settings, isolation)
    assert bool(said) is refused
    assert not said or "it is a laptop" in said
    assert bool(warning(settings, isolation)) is warned


def test_the_log_names_the_groups_that_are_a_right_to_publish(db: Any) -> None:
    ada = orm.User(name="ada")
    names = ("finance", "finance.publish", "hr_publish", "x.publish")
    groups = {name: orm.Group(name=name) for name in names}
    db.add_all([ada, *groups.values()])
    authenticator: Any = SimpleNamespace(log=Mock())
    db.commit()
    DescopeAuthenticator._tell_publishers(authenticator, db)
    for group in ("finance", "finance.publish"):
        groups[group].users.append(ada)
    db.commit()
    DescopeAuthenticator._tell_publishers(authenticator, db)
    none, some = authenticator.log.warning.call_args_list
    assert none.args[1] == "finance.publish (0), x.publish (0)"
    assert some.args[1] == "finance.publish (1), x.publish (0)"
    for group in groups.values():
        db.delete(group)
    db.commit()
    DescopeAuthenticator._tell_publishers(authenticator, db)
    assert authenticator.log.warning.call_count == 2
