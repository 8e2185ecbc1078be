"""Who is handed the cookie of their own server at the end of a sign-in."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm

from hub_extensions.signing_in.opening import _expected, set_server_cookie


class Spawner(SimpleNamespace):
    """A server that has been started."""

    __hash__ = object.__hash__


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tokens that were made."""
    made: list[Any] = []
    monkeypatch.setattr(
        orm.APIToken, "new", lambda **what: made.append(what) or f"token {len(made)}"
    )
    return made


def a_server() -> Any:
    spawner = Spawner(name="", cookie_secret=b"secret", api_token="of this start")
    spawner.user = SimpleNamespace(name="ada", cookie_id="mine", id=1, admin=True, orm_user=None)
    spawner.user.groups = [SimpleNamespace(name="user")]
    spawner.user.db = SimpleNamespace(get=lambda *_which: SimpleNamespace(seen="roles"))
    spawner.groups_told = frozenset({"user"})
    spawner.server = SimpleNamespace(base_url="/user/ada/")
    client = SimpleNamespace(identifier="jupyterhub-user-ada", spawner=spawner)
    spawner.orm_spawner = SimpleNamespace(oauth_client=client)
    return spawner


def a_browser(session: str = "session", **of_the_hub: Any) -> Any:
    """A request of a browser; `cookies` has the names of those that it gets."""
    app = {"subdomain_host": "", "cookie_host_prefix_enabled": False, "oauth_token_expires_in": 60}
    cookies: list[str] = []
    return SimpleNamespace(
        app=SimpleNamespace(**{**app, **of_the_hub}),
        request=SimpleNamespace(headers={}, protocol="http", host="127.0.0.1"),
        cookies=cookies,
        get_session_cookie=lambda: session,
        _set_cookie=lambda name, *_given, **_options: cookies.append(name),
    )


def handed(cookie_id: str = "mine", **of_the_hub: Any) -> list[str]:
    """The names of the cookies that a browser with this cookie of the hub gets."""
    browser = a_browser(**of_the_hub)
    set_server_cookie(browser, a_server(), cookie_id)
    return browser.cookies


def announced(
    browser: Any, spawner: Any, cookie_id: str = "mine", seen: str = "roles"
) -> dict[str, Any] | None:
    """What a server is told as it starts."""
    known = {"name": "ada", "groups": []}
    return _expected(browser, spawner, cookie_id, "/user/ada/x", known, seen)


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


def test_the_token_that_was_announced_is_handed_to_its_browser_once(given: list[Any]) -> None:
    server, browser = a_server(), a_browser()
    told = announced(browser, server)
    assert told is not None
    assert told["session"] == "session"
    assert told["token"] == hashlib.sha256(b"token 1").hexdigest()
    assert told["known"] == {"name": "ada", "groups": ["user"]}
    assert told["is_hub_admin"] is True
    set_server_cookie(browser, server, "mine")
    assert len(given) == len(browser.cookies) == 1
    set_server_cookie(browser, server, "mine")
    assert len(given) == 2


@pytest.mark.parametrize("another", ["browser", "start", "server", "sign-in", "groups"])
def test_another_token_is_made_for_another(given: list[Any], another: str) -> None:
    server, browser, cookie_id = a_server(), a_browser(), "mine"
    announced(browser, server)
    match another:
        case "sign-in":  # after a sign-out in another browser
            server.user.cookie_id = cookie_id = "mine again"
        case "groups":  # which the server has not been told: it is to ask the hub
            server.user.groups = []
        case "browser":
            browser = a_browser("another session")
        case "start":
            server.api_token = "of the next start"
        case "server":
            server = a_server()
    set_server_cookie(browser, server, cookie_id)
    assert len(given) == 2
    assert len(browser.cookies) == 1


def test_another_browser_does_not_use_it_up(given: list[Any]) -> None:
    server, browser = a_server(), a_browser()
    announced(browser, server)
    set_server_cookie(a_browser("another session"), server, "mine")
    set_server_cookie(browser, server, "mine")
    assert len(given) == 2


def test_nobody_is_announced_who_was_signed_out_or_given_other_roles_in_line(
    given: list[Any],
) -> None:
    assert announced(a_browser(), a_server(), "of a session that is over") is None
    assert announced(a_browser(), a_server(), seen="other roles") is None
    assert not given
