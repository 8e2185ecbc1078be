from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from dashboards.identity import current_user, user_from

CLAIMS = {
    "sub": "U1",
    "name": "Ann Example",
    "email": "ann@acme.test",
    "tenants": {
        "acme": {"roles": ["Tenant Admin"], "permissions": ["read"]},
        "globex": {"roles": ["Analyst"]},
    },
}


def test_roles_are_those_of_the_persons_tenant() -> None:
    user = user_from("ann@acme.test", {"user", "admin"}, "acme", CLAIMS)
    assert user.display_name == "Ann Example"
    assert user.groups == ("admin", "user")
    assert user.roles == ("Tenant Admin",)
    assert user.permissions == ("read",)
    assert user.user_info["tenants"]["globex"]["roles"] == ["Analyst"]
    assert user.user_info["groups"] == ["admin", "user"]


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"tenants": None},
        {"tenants": ["acme"]},
        {"tenants": {"acme": None}},
        {"tenants": {"acme": {"roles": None, "permissions": "all"}}},
        {"tenants": {"acme": {"roles": [1, None]}}, "email": 5, "name": ["x"]},
        {"roles": ["Tenant Admin"]},
    ],
)
def test_claims_of_a_wrong_shape_count_for_nothing(claims: dict[str, Any]) -> None:
    user = user_from("ann", ["user"], "acme", claims)
    assert (user.roles, user.permissions) == ((), ())
    assert (user.email, user.display_name) == ("", "ann")
    assert user.user_info["groups"] == ["user"]


def test_a_notebook_cannot_change_what_the_next_one_reads() -> None:
    user = user_from("ann", [], "acme", CLAIMS)
    user.user_info["tenants"].clear()
    assert user.user_info["tenants"]["acme"]["roles"] == ["Tenant Admin"]
    with pytest.raises(TypeError):
        user.claims["email"] = "other@acme.test"  # pyright: ignore[reportIndexIssue]


def test_outside_of_a_server_it_is_who_runs_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "analyst@acme.test")
    assert current_user().name == "analyst@acme.test"
    assert current_user().claims == {}


def test_the_import_brings_no_panel() -> None:
    program = "import sys; from dashboards import current_user; print('panel' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
