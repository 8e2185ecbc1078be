"""Claims come from outside: whatever has not the expected shape gives no group and no crash."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hub_extensions import claims as rules

ADMIN = {"tenants": {"acme": {"roles": ["Tenant Admin"]}}}


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        (ADMIN, {"user", "admin"}),
        ({"tenants": {"acme": {"roles": ["Analyst"], "permissions": []}}}, {"user", "analysts"}),
        ({"tenants": {"acme": {}}}, {"user"}),
        (
            {"tenants": {"acme": {"roles": ["Tenant Admin", "Analyst"]}}},
            {"user", "admin", "analysts"},
        ),
        # another tenant's admin is nobody here, and so is an admin of the whole Descope project
        ({"tenants": {"globex": {"roles": ["Tenant Admin"]}}}, set()),
        ({"roles": ["Tenant Admin"], "tenants": {}}, set()),
        ({"roles": ["Tenant Admin"], "tenants": {"acme": {}}}, {"user"}),
        # only mapped roles, exact and case-sensitive
        (
            {"tenants": {"acme": {"roles": ["tenant admin", "Tenant Admin ", "admin", "user"]}}},
            {"user"},
        ),
        # wrong shapes
        ({}, set()),
        ({"tenants": None}, set()),
        ({"tenants": ["acme"]}, set()),
        ({"tenants": "acme"}, set()),
        ({"tenants": {"acme": None}}, {"user"}),
        ({"tenants": {"acme": ["Tenant Admin"]}}, {"user"}),
        ({"tenants": {"acme": {"roles": None}}}, {"user"}),
        ({"tenants": {"acme": {"roles": "Tenant Admin"}}}, {"user"}),
        ({"tenants": {"acme": {"roles": {"Tenant Admin": True}}}}, {"user"}),
        ({"tenants": {"acme": {"roles": [["Tenant Admin"], 7, None, "x" * 10_000]}}}, {"user"}),
    ],
)
def test_groups_follow_the_owner_tenants_mapped_roles(
    claims: dict[str, Any], groups: set[str]
) -> None:
    assert rules.groups_from_claims(claims, "acme").keys() == groups


@pytest.mark.parametrize(
    ("roles", "reasons"),
    [
        ([], {"user": "member of tenant acme"}),
        (["Analyst"], {"user": "member of tenant acme", "money": "role Analyst in tenant acme"}),
        (
            ["Clerk", "Other", "Analyst"],
            {
                "user": "member of tenant acme",
                "money": "role Analyst and role Clerk in tenant acme",
            },
        ),
    ],
)
def test_each_group_has_a_reason(roles: list[str], reasons: dict[str, str]) -> None:
    claims = {"tenants": {"acme": {"roles": roles}, "globex": {"roles": ["Clerk"]}}}
    role_groups = {"Analyst": "money", "Clerk": "money"}
    assert rules.groups_from_claims(claims, "acme", role_groups) == reasons


def in_tenant(*roles: Any, tenant: str = "globex") -> dict[str, Any]:
    return {"tenants": {tenant: {"roles": list(roles)}}}


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        (in_tenant(), {"globex", "customers"}),
        (in_tenant("Tenant Admin"), {"globex", "customers", "globex.admin"}),
        # never a plain group, whatever the role is called
        (
            in_tenant("Analyst", "admin", "user", "tenant admin", "Tenant Admin ", "globex.admin"),
            {"globex", "customers"},
        ),
        (in_tenant("Tenant Admin", tenant="umbrella"), set()),  # not listed
        (in_tenant("Tenant Admin", tenant="Globex"), set()),
        (
            {"tenants": {"globex": None, "initech": ["Tenant Admin"]}},
            {"globex", "initech", "customers"},
        ),
        (
            {"tenants": {"acme": {}, "globex": {"roles": ["Tenant Admin"]}}},
            {"user", "globex", "customers", "globex.admin"},
        ),
        ({"tenants": "globex"}, set()),
        ({"tenants": ["globex"]}, set()),
        ({"roles": ["Tenant Admin"], "tenants": {"globex": {}}}, {"globex", "customers"}),
    ],
)
def test_a_listed_customers_roles_give_that_customers_groups_only(
    claims: dict[str, Any], groups: set[str]
) -> None:
    given = rules.groups_from_claims(claims, "acme", customer_tenants=("globex", "initech"))
    assert given.keys() == groups
    assert given.keys() - {"user"} <= rules.customer_groups(("globex", "initech"))


def test_a_flood_of_claims_is_read_in_no_time() -> None:
    roles = [f"Role {number}" for number in range(5000)]
    claims = {"tenants": {f"t{number}": {"roles": roles} for number in range(50_000)}}
    claims["tenants"]["globex"] = {"roles": [*roles, "Tenant Admin"]}
    started = time.perf_counter()
    given = rules.groups_from_claims(claims, "acme", customer_tenants=("globex",))
    assert rules.tenant_of(claims, "acme", ("globex",)) == "globex"
    assert time.perf_counter() - started < 0.1
    assert given.keys() == {"globex", "customers", "globex.admin"}


def test_a_role_map_of_the_operators_own() -> None:
    assert rules.groups_from_claims(ADMIN, "acme", {"Tenant Admin": "finance"}).keys() == {
        "user",
        "finance",
    }


@pytest.mark.parametrize(
    ("email", "name"),
    [
        ("Ada@Acme.TEST", "ada@acme.test"),
        ("o'brien+x@acme.test", "o'brien+x@acme.test"),
        ("ADA@ACME.TEST", "ada@acme.test"),
    ],
)
def test_the_name_is_the_folded_address(email: str, name: str) -> None:
    assert rules.username_from_claims({"email": email, "email_verified": True}) == name


@pytest.mark.parametrize("verified", [False, None, "true", 1, {}])
def test_an_unverified_address_signs_nobody_in(verified: Any) -> None:
    with pytest.raises(rules.RefusedClaims, match="verified"):
        rules.username_from_claims({"email": "ada@acme.test", "email_verified": verified})


@pytest.mark.parametrize(
    "email",
    [
        None,
        "",
        7,
        ["ada@acme.test"],
        "ada",
        "ada@",
        "a b@acme.test",
        "ada@acme.test/admin",
        "../ada@acme.test",
        "<b>@acme.test",
        "аda@acme.test",  # noqa: RUF001 - a Cyrillic letter that looks Latin
        "\uff41da@acme.test",  # a full-width letter, which folds to an a
        "straße@acme.test",
        "\u212aim@acme.test",  # the sign of the Kelvin, which folds to a k
        "ada@acme..test",
        "a" * 65 + "@acme.test",
        "ada@acme.test\n",
    ],
)
def test_addresses_outside_the_grammar_are_refused(email: Any) -> None:
    with pytest.raises(rules.RefusedClaims):
        rules.username_from_claims({"email": email, "email_verified": True})


def test_notebooks_get_an_allow_list_and_no_token() -> None:
    claims = {**ADMIN, "sub": "U1", "name": "Ada", "refresh_token": "secret", "nonce": "n"}
    assert set(rules.notebook_claims(claims)) == {"tenants", "sub", "name"}


@pytest.mark.parametrize(
    ("tenants", "chosen", "tenant"),
    [
        ({"acme": {}, "globex": {}}, "globex", "acme"),
        ({"globex": {}}, None, "globex"),
        ({"globex": {}, "umbrella": {}}, "umbrella", "globex"),  # not listed
        ({"umbrella": {}}, "umbrella", None),
        ({"globex": {}, "initech": {}}, None, None),
        ({"globex": {}, "initech": {}}, "initech", "initech"),
        ({"globex": {}, "initech": {}}, ["initech"], None),
        ({"globex": {}}, "initech", "globex"),  # chosen, and no member of it
        ({}, "globex", None),
        (None, "globex", None),
        (["globex"], "globex", None),
    ],
)
def test_the_tenant_that_somebody_is_here_for(
    tenants: Any, chosen: Any, tenant: str | None
) -> None:
    claims = {"tenants": tenants, "dct": chosen}
    assert rules.tenant_of(claims, "acme", ("globex", "initech")) == tenant


@pytest.mark.parametrize(
    ("amr", "required", "groups", "held_back"),
    [
        (["email"], set(), {"user", "admin"}, set()),
        (["email", "mfa"], {"mfa"}, {"user", "admin"}, set()),
        (["fed"], {"mfa", "fed"}, {"user", "admin"}, set()),
        (["email"], {"mfa"}, {"user"}, {"Tenant Admin"}),
        (["MFA"], {"mfa"}, {"user"}, {"Tenant Admin"}),
        ([], {"mfa"}, {"user"}, {"Tenant Admin"}),
        (None, {"mfa"}, {"user"}, {"Tenant Admin"}),
        ("mfa", {"mfa"}, {"user"}, {"Tenant Admin"}),
        ({"mfa": True}, {"mfa"}, {"user"}, {"Tenant Admin"}),
        ([["mfa"], 1], {"mfa"}, {"user"}, {"Tenant Admin"}),
    ],
)
def test_roles_count_for_the_required_ways_of_signing_in_only(
    amr: Any, required: set[str], groups: set[str], held_back: set[str]
) -> None:
    claims = {**ADMIN, "amr": amr}
    assert rules.groups_from_claims(claims, "acme", required_amr=required).keys() == groups
    back = rules.roles_held_back(claims, "acme", rules.ROLE_GROUPS, required)
    assert back == held_back


def test_a_customers_role_counts_for_the_required_ways_of_signing_in_only() -> None:
    claims = {**in_tenant("Tenant Admin", "Analyst"), "amr": ["email"]}
    customers = ("globex",)
    given = rules.groups_from_claims(
        claims, "acme", required_amr={"mfa"}, customer_tenants=customers
    )
    assert given.keys() == {"globex", "customers"}
    back = rules.roles_held_back(claims, "acme", rules.ROLE_GROUPS, {"mfa"}, customers)
    assert back == {"Tenant Admin"}
