"""What a refresh brings does not undo what the directory has said while it was under way."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm, roles
from sqlalchemy.orm import Session

from hub_extensions import grants
from hub_extensions.authenticator import DescopeAuthenticator
from hub_extensions.signing_in import sessions

ANALYST = {"acme": {"roles": ["Analyst"]}}
NO_MORE: dict[str, Any] = {"acme": {"roles": []}}


@pytest.fixture
def db(db: Session) -> Session:
    """With roles, and one person."""
    for role in roles.get_default_roles():
        roles.create_role(db, role)
    db.add(orm.User(name="ada@acme.test"))
    db.commit()
    return db


class Ada:
    """Somebody who signed in as an analyst."""

    def __init__(self, db: Any) -> None:
        self.db, self.orm_user = db, db.query(orm.User).one()
        self.id, self.name = self.orm_user.id, self.orm_user.name
        claims = {"sub": "U1", "email": self.name, "email_verified": True, "tenants": ANALYST}
        self.state: dict[str, Any] = {"refresh_token": "r1", "oauth_user": claims}

    async def get_auth_state(self) -> dict[str, Any]:
        return self.state

    async def save_auth_state(self, state: dict[str, Any]) -> None:
        self.state = state


@pytest.mark.parametrize("ask_roles", [True, False])
async def test_a_role_taken_while_a_refresh_is_under_way_stays_taken(
    db: Any, monkeypatch: pytest.MonkeyPatch, ask_roles: bool
) -> None:
    ada, asked, answers = Ada(db), asyncio.Event(), asyncio.Event()
    authenticator = DescopeAuthenticator(
        project_id="P1", base_uri="http://127.0.0.1", owner_tenant="acme", client_secret="s"
    )
    authenticator.follower = SimpleNamespace()  # type: ignore[assignment]

    async def get_token_info(_handler: Any, params: dict[str, Any]) -> dict[str, Any]:
        assert params["refresh_token"] == "r1"
        asked.set()
        await answers.wait()
        return {"access_token": "a", "refresh_token": "r2"}

    async def token_to_user(_tokens: Any) -> dict[str, Any]:
        return dict(told)

    told = dict(ada.state["oauth_user"])
    monkeypatch.setattr(authenticator, "get_token_info", get_token_info)
    monkeypatch.setattr(authenticator, "token_to_user", token_to_user)
    sessions.begin(db, ada.orm_user)
    authenticator.record(db, ada.orm_user, ada.state["oauth_user"])
    assert grants.groups_of(db, ada.orm_user) == {"user", "analysts"}
    refresh = asyncio.create_task(authenticator.confirm(ada, ask_roles=ask_roles))  # type: ignore
    await asked.wait()
    await authenticator.take_over(ada, NO_MORE, grants.now())  # type: ignore[arg-type]
    assert grants.groups_of(db, ada.orm_user) == {"user"}
    answers.set()
    assert await refresh
    assert ada.state["refresh_token"] == "r2"
    assert grants.groups_of(db, ada.orm_user) == {"user"}
