"""Who is handed the cookie of their own server at the end of a sign-in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm

from hub_extensions.signing_in.opening import set_server_cookie


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tokens that were made."""
    made: list[Any] = []
    monkeypatch.setattr(orm.APIToken, "new", lambda **what: made.append(what) or "token")
    return made


def handed(cookie_id: str = "mine", **of_the_hub: Any) -> list[str]:
    """The names of the cookies that a browser with this cookie of the hub gets."""
    cookies: list[str] = []
    spawner: Any = SimpleNamespace(name="", cookie_secret=b"secret", server=None)
    spawner.user = SimpleNamespace(name="ada", cookie_id="mine", orm_user=None)
    spawner.server = SimpleNamespace(base_url="/user/ada/")
    client = SimpleNamespace(identifier="jupyterhub-user-ada", spawner=spawner)
    spawner.orm_spawner = SimpleNamespace(oauth_client=client)
    app = {"subdomain_host": "", "cookie_host_prefix_enabled": False, "oauth_token_expires_in": 60}
    handler: Any = SimpleNamespace(
        app=SimpleNamespace(**{**app, **of_the_hub}),
        get_session_cookie=lambda: "session",
        _set_cookie=lambda name, *_given, **_options: cookies.append(name),
    )
    set_server_cookie(handler, spawner, cookie_id)
    return cookies


def test_a_token_for_this_server_and_no_more(given: list[Any]) -> None:
    assert handed() == ["jupyterhub-user-ada"]
    [token] = given
    assert token["scopes"] == {
        "access:servers!server=ada/",
        "read:users:name!user",
        "read:users:groups!user",
    }


def test_nothing_for_who_was_signed_out_meanwhile(given: list[Any]) -> None:
    assert handed("of a session that is over") == given == []


@pytest.mark.parametrize(
    "of_the_hub",
    [{"subdomain_host": "https://hub.example.com"}, {"cookie_host_prefix_enabled": True}],
)
def test_nothing_where_the_servers_cookies_are_not_the_hubs(
    given: list[Any], of_the_hub: dict[str, Any]
) -> None:
    assert handed(**of_the_hub) == given == []
