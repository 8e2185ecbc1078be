"""What the server asks the hub and tells it, against a small stand-in for the hub's API."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from dashboards.identity import CurrentUser
from dashboards.lab.preview import PreviewHub
from dashboards.lab.viewers import sample_viewers
from dashboards.settings import Settings, settings_from
from dashboards.web.activity import Activity
from dashboards.web.hub import Hub, Usage
from dashboards.web.visitors import Visitor

ANN = Visitor(name="ann", groups=frozenset({"user"}), is_owner=True)


class Api(RequestHandler):
    """Answers with what a test gives it, and keeps what it was sent."""

    def initialize(self, answer: tuple[int, Any], seen: list[tuple[str, Any]]) -> None:
        self.answer, self.seen = answer, seen

    def get(self) -> None:
        self.seen.append((self.request.headers["Authorization"], self.request.body))
        self.set_status(self.answer[0])
        self.finish(self.answer[1])

    post = get


def ask(
    tmp_path: Path,
    question: Callable[[Settings], Awaitable[Any]],
    answer: tuple[int, Any] = (200, {}),
    seen: list[tuple[str, Any]] | None = None,
) -> tuple[Any, list[tuple[str, Any]]]:
    """Ask something while the stand-in answers; returns what came of it, and what was sent."""
    seen = [] if seen is None else seen

    async def run() -> Any:
        socket, port = bind_unused_port()
        server = HTTPServer(Application([(r"/.*", Api, {"answer": answer, "seen": seen})]))
        server.add_socket(socket)
        api = f"http://127.0.0.1:{port}/hub/api"
        settings = settings_from(
            {
                "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1/user/ann/",
                "JUPYTERHUB_SERVICE_PREFIX": "/user/ann/",
                "JUPYTERHUB_API_URL": api,
                "JUPYTERHUB_API_TOKEN": "own-token",
                "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ann",
                "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=ann/"]',
                "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/ann/oauth_callback",
                "JUPYTERHUB_ACTIVITY_URL": f"{api}/users/ann/activity",
                "JUPYTERHUB_USER": "ann",
                "ATRIUM_NOTEBOOKS": str(tmp_path),
            }
        )
        try:
            return await question(settings)
        finally:
            server.stop()

    return asyncio.run(run()), seen


async def who(settings: Settings) -> CurrentUser:
    hub = Hub(settings)
    await hub.current_user(ANN)
    return await hub.current_user(ANN)


def test_claims_come_from_the_hub_and_are_kept_for_a_while(tmp_path: Path) -> None:
    claims = {"email": "ann@acme.test", "tenants": {"acme": {"roles": ["Analyst"]}}}
    answer = {"name": "ann", "groups": ["user"], "tenant": "acme", "claims": claims}
    user, seen = ask(tmp_path, who, (200, answer))
    assert (user.tenant, user.roles, user.email) == ("acme", ("Analyst",), "ann@acme.test")
    assert user.groups == ("user",)
    assert [token for token, _ in seen] == ["token own-token"]


@pytest.mark.parametrize(
    "answer",
    [
        (404, {}),
        (500, {}),
        (200, "no json"),
        (200, "[]"),
        (200, {"name": "bob", "tenant": "acme", "claims": {"email": "bob@acme.test"}}),
        (200, {"name": "ann", "tenant": 5, "claims": ["no"]}),
    ],
)
def test_without_claims_of_theirs_somebody_is_known_by_the_hub_alone(
    tmp_path: Path, answer: tuple[int, Any]
) -> None:
    user, _ = ask(tmp_path, who, answer)
    assert user == CurrentUser(name="ann", display_name="ann", groups=("user",))


def test_what_was_asked_ahead_is_not_asked_again(tmp_path: Path) -> None:
    async def use(settings: Settings) -> list[str | None]:
        hub = Hub(settings)
        hub.ask_ahead()
        users = await asyncio.gather(hub.current_user(ANN), hub.current_user(ANN))
        return [user.tenant for user in users]

    tenants, seen = ask(tmp_path, use, (200, {"name": "ann", "tenant": "acme"}))
    assert tenants == ["acme", "acme"]
    assert len(seen) == 1


def test_an_answer_from_before_the_hub_told_of_a_change_is_not_kept(tmp_path: Path) -> None:
    async def use(settings: Settings) -> None:
        hub = Hub(settings)
        hub.ask_ahead()
        under_way = hub._ahead
        await asyncio.sleep(0)
        hub.told(frozenset())
        await under_way
        await hub.current_user(ANN)

    _, seen = ask(tmp_path, use, (200, {"name": "ann", "tenant": "acme"}))
    assert len(seen) == 2


Asked = list[str]


def announced(hub: Hub, answer: dict[str, Any] | None) -> Asked:
    """Tell of ann, who will come in the session "one" with the token "good"; returns the tokens of
    which the hub is asked, and answers this."""
    asked: Asked = []

    async def ask_hub(_method: str, _url: str, *, headers: dict[str, str], **_: Any) -> Any:
        asked.append(headers["Authorization"])
        return answer

    hub.auth._api_request = ask_hub
    token = hashlib.sha256(b"good").hexdigest()
    hub.know_visitor("one", token, ["user", "finance"], is_hub_admin=True)
    return asked


def comes(session: str, token: str) -> Any:
    """A request of a browser with these cookies."""
    return SimpleNamespace(
        request=SimpleNamespace(headers={"Sec-Fetch-Mode": "navigate"}, method="GET", path="/"),
        get_argument=lambda _name, default="": default,
        get_cookie=lambda name, default="": session if "session" in name else default,
        get_secure_cookie=lambda _name: token.encode(),
        clear_cookie=lambda _name, **_: None,
        settings={},
    )


@pytest.mark.parametrize(
    ("session", "token", "is_known"),
    [("one", "good", True), ("other", "good", False), ("one", "bad", False), ("", "bad", False)],
)
def test_who_is_announced_is_known_by_their_token_and_session(
    tmp_path: Path, session: str, token: str, is_known: bool
) -> None:
    async def use(settings: Settings) -> None:
        asked = announced(hub := Hub(settings), None)
        visitor = await hub.visitor(comes(session, token))
        announced_one = replace(ANN, groups={"user", "finance"}, is_hub_admin=True)
        assert visitor == (announced_one if is_known else None)
        assert asked == ([] if is_known else [f"token {token}"])

    ask(tmp_path, use)


def test_who_was_announced_is_asked_about_when_the_groups_have_changed(tmp_path: Path) -> None:
    async def use(settings: Settings) -> None:
        scopes = ["access:servers!server=ann/"]
        before = {"kind": "user", "name": "ann", "groups": ["user", "finance"], "scopes": scopes}
        asked = announced(hub := Hub(settings), before)
        hub.told(frozenset({"user"}))
        assert await hub.visitor(comes("one", "good")) == ANN
        assert asked == ["token good"]

    ask(tmp_path, use)


def test_use_is_reported_once_and_silence_not_at_all(tmp_path: Path) -> None:
    async def use(settings: Settings) -> None:
        activity = Activity(settings)
        await activity.report()
        activity.noticed()
        await activity.report()
        await activity.report()

    _, seen = ask(tmp_path, use)
    ((token, body),) = seen
    assert token == "token own-token"
    report = json.loads(body)
    assert report["servers"][""]["last_activity"] == report["last_activity"]


def test_use_is_reported_as_often_as_the_hub_wants_it(tmp_path: Path) -> None:
    seen: list[tuple[str, Any]] = []

    async def use(settings: Settings) -> None:
        activity = Activity(replace(settings, activity_seconds=0.01))
        activity.noticed()
        activity.start()
        async with asyncio.timeout(5):
            while not seen:
                await asyncio.sleep(0.01)
        activity.stop()

    ask(tmp_path, use, seen=seen)
    assert len(seen) == 1


def test_a_report_that_the_hub_did_not_take_is_made_again(tmp_path: Path) -> None:
    async def use(settings: Settings) -> None:
        activity = Activity(settings)
        activity.noticed()
        await activity.report()
        await activity.report()

    _, seen = ask(tmp_path, use, (503, {}))
    assert len(seen) == 2


@pytest.mark.parametrize("status", [204, 404, 403, 503])
def test_an_opened_dashboard_is_told_and_nobody_waits(tmp_path: Path, status: int) -> None:
    async def open_one(settings: Settings) -> str:
        hub = Hub(settings)
        key = hub.telling.opened("user", "who")
        await asyncio.gather(*hub.telling._tasks)
        assert not hub.telling._tasks
        return key

    key, seen = ask(tmp_path, open_one, (status, {}))
    ((token, body),) = seen
    assert token == "token own-token"
    assert json.loads(body) == {"group": "user", "dashboard": "who", "opening": key}


@pytest.mark.parametrize(("status", "is_told"), [(204, True), (404, False)])
def test_how_an_opening_ended_is_told_once_and_after_it(
    tmp_path: Path, status: int, is_told: bool
) -> None:
    async def open_two(settings: Settings) -> list[str]:
        hub = Hub(settings)
        keys = [hub.telling.opened("user", name) for name in ("who", "what")]
        ended = [hub.telling.opening_ended(*how) for how in ((keys[0], 1.5), (keys[1], None))]
        assert ended == [True, True]
        assert not hub.telling.opening_ended(keys[0], 0.1)
        assert not hub.telling.opening_ended("another", 0.1)
        while hub.telling._tasks:
            await asyncio.gather(*hub.telling._tasks)
        return keys

    (one, two), seen = ask(tmp_path, open_two, (status, None))
    told = [json.loads(body) for _, body in seen]
    ended = [{"opening": one, "seconds": 1.5}, {"opening": two, "failed": True}]
    found = {body["opening"]: body for body in told if "group" not in body}  # in any order
    assert found == ({body["opening"]: body for body in ended} if is_told else {})
    assert len(told) == len(found) + 2


def test_no_more_openings_are_remembered_than_a_person_has_pages(tmp_path: Path) -> None:
    async def open_many(settings: Settings) -> None:
        hub = Hub(settings)
        keys = [hub.telling.opened("user", "who") for _ in range(150)]
        assert not hub.telling.opening_ended(keys[0], 1.0)
        assert hub.telling.opening_ended(keys[-1], 1.0)
        while hub.telling._tasks:
            await asyncio.gather(*hub.telling._tasks)

    ask(tmp_path, open_many, (204, None))


def test_a_preview_tells_the_hub_nothing_and_asks_nothing(tmp_path: Path) -> None:
    async def use(settings: Settings) -> None:
        hub = PreviewHub(settings, sample_viewers(["acme"])[0].user, frozenset)
        hub.ask_ahead()
        hub.telling.gallery_shown()
        assert not hub.telling.opening_ended(hub.telling.opened("work", "a"), 1.5)
        assert not await hub.telling.favourite("work", "a", wanted=True)
        assert not await hub.secrets_of("work", "a")
        assert await hub.shared_data("work", "a") is None
        assert await hub.usage() is None
        assert await hub.announcement() is None
        await asyncio.gather(*hub.telling._tasks)

    assert ask(tmp_path, use, (204, None))[1] == []


USAGE = {"name": "ann", "favourites": [["user", "a"]], "recent": [["user", "b"], ["user", "a"]]}


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (USAGE, Usage(favourites=(("user", "a"),), recent=(("user", "b"), ("user", "a")))),
        ({"name": "ann", "favourites": [], "recent": []}, Usage(favourites=(), recent=())),
        (
            {"name": "ann", "favourites": [1, ["a"], ["a", 2], ["a", "b", "c"]]},
            Usage(favourites=(), recent=()),
        ),
        ({"name": "ann"}, None),
        ({"name": "bob", "favourites": [["user", "a"]]}, None),
    ],
)
def test_what_the_hub_keeps_of_the_owners_use(
    tmp_path: Path, answer: dict[str, Any], usage: Usage | None
) -> None:
    async def use(settings: Settings) -> Usage | None:
        return await Hub(settings).usage()

    assert ask(tmp_path, use, (200, answer))[0] == usage


def test_the_hub_is_asked_again_after_it_was_told_something(tmp_path: Path) -> None:
    async def use(settings: Settings) -> list[int]:
        hub, asked = Hub(settings), []
        for tell in (None, None, "favourite", "opening", None):
            if tell == "favourite":
                await hub.telling.favourite("user", "a", wanted=True)
            elif tell == "opening":
                hub.telling.opened("user", "a")
                await asyncio.gather(*hub.telling._tasks)
            await hub.usage()
            asked.append(sum(not body for _, body in seen))
        return asked

    seen: list[tuple[str, Any]] = []
    assert ask(tmp_path, use, (200, USAGE), seen)[0] == [1, 1, 2, 3, 3]
