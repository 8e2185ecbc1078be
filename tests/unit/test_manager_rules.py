"""Who manages which group, and who may know of a request for it."""

from __future__ import annotations

import pytest

from hub_extensions.access.manager_rules import decides, manages

CUSTOMERS = {"globex", "initech", "globex.eu"}


@pytest.mark.parametrize(
    ("groups", "group", "expected"),
    [
        ({"admin"}, "finance", True),
        ({"admin"}, "globex.reports", True),
        ({"finance.admin"}, "finance", True),
        ({"finance.admin"}, "finance.board", True),
        ({"globex.admin"}, "globex.reports", True),
        ({"finance.admin"}, "finance.admin", False),
        ({"finance.admin"}, "finance.board.admin", False),
        (set(), "finance", False),
        ({"finance"}, "finance", False),
        ({"user", "analysts"}, "user", False),
        ({"finance.admin"}, "financeless", False),
        ({"finance.admin"}, "Finance", False),
        ({"finance.admin"}, "sales", False),
        ({"Admin", "admin "}, "finance", False),
        ({".admin"}, ".hidden", False),
        ({".admin"}, "finance", False),
        ({"globex.admin"}, "initech.reports", False),
        ({"globex.admin"}, "globex.eu", False),
        ({"globex.admin"}, "globex.eu.reports", False),
        ({"globex.eu.admin"}, "globex.reports", False),
        ({"globex.admin"}, "customers", False),
        ({"admin"}, "finance.publish", True),
        ({"finance.admin"}, "finance.publish", False),
        ({"globex.admin"}, "globex.publish", False),
        ({"globex.admin"}, "globex.admin.publish", False),
        ({"finance.publish.admin"}, "finance.publish", False),
        ({"finance.publish"}, "finance.publish", False),
    ],
)
def test_a_manager_manages_their_area_and_no_other(
    groups: set[str], group: str, expected: bool
) -> None:
    assert manages(groups, group, CUSTOMERS) is expected


@pytest.mark.parametrize(
    ("groups", "group", "person", "expected"),
    [
        ({"admin"}, "globex.reports", {"user"}, True),
        ({"globex.admin"}, "globex.reports", {"customers", "globex"}, True),
        ({"globex.admin"}, "globex.reports", {"customers", "initech"}, False),
        ({"globex.admin"}, "globex.reports", {"user"}, False),
        ({"globex.admin"}, "globex.reports", set(), False),
        ({"globex.admin"}, "finance", {"globex"}, False),
        ({"finance.admin"}, "finance", {"user"}, True),
    ],
)
def test_a_customers_manager_knows_of_their_own_people_only(
    groups: set[str], group: str, person: set[str], expected: bool
) -> None:
    assert decides(groups, group, person, CUSTOMERS) is expected
