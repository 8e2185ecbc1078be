"""Who may have a lab, and where nobody may."""

from __future__ import annotations

from typing import Any

import pytest
from tornado import web

from hub_extensions import lab
from hub_extensions.accounts.unix_accounts import Isolation
from hub_extensions.publishing import rights
from hub_extensions.settings import Settings

PROJECT = {"DESCOPE_PROJECT_ID": "P2abcdefghijklmnopqrstuvwxyz", "DESCOPE_TENANT_ID": "acme"}
SHARED = Isolation(obstacle="the hub was not started by root")


def settings(**given: Any) -> Settings:
    return Settings.model_validate(given)


def test_who_is_refused_reads_what_the_operator_can_do() -> None:
    obstacle = rights.obstacle(settings(**PROJECT), SHARED)
    with pytest.raises(web.HTTPError, match="ATRIUM_UNISOLATED=yes") as refused:
        lab.check_allowed({"user", "analysts"}, obstacle)
    assert refused.value.status_code == 403
    assert SHARED.obstacle in obstacle


@pytest.mark.parametrize("groups", [set(), {"user"}, {"admin"}, {"Analysts"}, {"x.analysts"}])
def test_it_is_for_members_of_analysts_only(groups: set[str]) -> None:
    with pytest.raises(web.HTTPError, match="people who write dashboards"):
        lab.check_allowed(groups, "")


def test_previews_know_the_tenants_the_owners_first() -> None:
    assert lab.environment(settings())["ATRIUM_TENANTS"] == "acme,globex"
    customers = {**PROJECT, "ATRIUM_CUSTOMER_TENANTS": "initech, globex"}
    assert lab.environment(settings(**customers))["ATRIUM_TENANTS"] == "acme,globex,initech"
