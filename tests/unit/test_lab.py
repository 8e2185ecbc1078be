"""Who may have a lab, where nobody may, and what a lab is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from tornado import web

from hub_extensions import lab
from hub_extensions.accounts.unix_accounts import Isolation
from hub_extensions.publishing import rights
from hub_extensions.settings import Settings
from hub_extensions.signing_in import sessions

PROJECT = {"DESCOPE_PROJECT_ID": "P2abcdefghijklmnopqrstuvwxyz", "DESCOPE_TENANT_ID": "acme"}
SHARED = Isolation(obstacle="the hub was not started by root")
ACCOUNTS = Isolation(ids=range(70_000, 70_010))
SUBDOMAINS = {
    "ATRIUM_PUBLIC_URL": "https://hub.acme.test",
    "ATRIUM_SUBDOMAIN_HOST": "https://hub.acme.test",
}


def settings(**given: Any) -> Settings:
    return Settings.model_validate(given)


def test_who_is_refused_reads_what_the_operator_can_do() -> None:
    obstacle = lab.obstacle(settings(**PROJECT), SHARED)
    with pytest.raises(web.HTTPError, match="ATRIUM_UNISOLATED=yes") as refused:
        lab.check_allowed({"user", "analysts"}, obstacle)
    assert refused.value.status_code == 403
    assert obstacle == rights.obstacle(settings(**PROJECT), SHARED)
    assert SHARED.obstacle in obstacle


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({}, False),
        (PROJECT, True),
        ({**PROJECT, "ATRIUM_TRUST_AUTHORS": "no"}, True),
        ({**PROJECT, "ATRIUM_TRUST_AUTHORS": "yes"}, False),
        ({**PROJECT, "ATRIUM_UNISOLATED": "yes"}, False),
        ({**PROJECT, **SUBDOMAINS}, False),
    ],
)
def test_none_serves_pages_on_the_origin_of_the_hub_itself(
    given: dict[str, str], refused: bool
) -> None:
    said = lab.obstacle(settings(**given), ACCOUNTS)
    assert ("ATRIUM_SUBDOMAIN_HOST" in said and "ATRIUM_TRUST_AUTHORS=yes" in said) is refused
    assert bool(said) is refused
    assert rights.obstacle(settings(**given), ACCOUNTS) == ""  # publishing goes on


@pytest.mark.parametrize("groups", [set(), {"user"}, {"admin"}, {"Analysts"}, {"x.analysts"}])
def test_it_is_for_members_of_analysts_only(groups: set[str]) -> None:
    with pytest.raises(web.HTTPError, match="people who write dashboards"):
        lab.check_allowed(groups, "")


@pytest.mark.parametrize(
    ("tenant", "told"),
    [
        ("acme", "acme,globex,initech"),
        ("globex", "acme,globex"),
        ("", "acme"),
        (None, "acme"),
    ],
)
def test_previews_know_the_tenants_that_their_author_may_know(
    db: Any, tenant: str | None, told: str
) -> None:
    user = orm.User(name="ada")
    db.add(user)
    db.commit()
    if tenant is not None:
        sessions.begin(db, user)
        db.get(sessions.Session, user.id).tenant = tenant
    author: Any = SimpleNamespace(db=db, id=user.id)
    customers = {**PROJECT, "ATRIUM_CUSTOMER_TENANTS": "initech, globex"}
    assert lab.environment_for(settings(**customers))(author)["ATRIUM_TENANTS"] == told
