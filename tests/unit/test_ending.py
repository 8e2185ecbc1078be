"""The end of everything of somebody, with a lab that does not answer, and what it may do then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm, roles
from jupyterhub.apihandlers.users import ActivityAPIHandler
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from hub_extensions.folders import LAB
from hub_extensions.signing_in import kept_lab, pending, sessions, sign_out
from hub_extensions.signing_in.kept_lab import ActivityHandler
from hub_extensions.spawner import DashboardSpawner

NAME = "ada@acme.test"


class FakeServer:
    """A server that answers at once, or when it is let."""

    def __init__(self, token: str) -> None:
        self.api_token, self._log_name = token, "a server"
        self.ready = self.active = True
        self.pending = self._spawn_future = None
        self.answers = asyncio.Event()
        self.told = False

    async def tell_groups(self, groups: frozenset[str], *, ended: bool) -> bool:
        self.told = ended and not groups
        await self.answers.wait()
        return True


class FakeUser:
    """Somebody with a dashboard server and a lab, a token for each, and one made by hand."""

    _auth_refreshed: float | None = 1.0

    def __init__(self, db: Any) -> None:
        self.db, self.name, self.cookie_id = db, NAME, "old"
        self.orm_user = orm.User(name=NAME)
        db.add(self.orm_user)
        db.commit()
        self.id = self.orm_user.id
        sessions.begin(db, self.orm_user)
        self.by_hand = self.orm_user.new_api_token()
        self.spawners = {name: FakeServer(self.orm_user.new_api_token()) for name in ("", LAB)}

    async def save_auth_state(self, _state: None) -> None: ...

    async def stop(self, name: str) -> None:
        self.spawners[name].active = self.spawners[name].ready = False

    def knows(self, token: str) -> bool:
        return orm.APIToken.find(self.db, token) is not None


async def no_way(*_: Any) -> None: ...


@pytest.fixture
def app(db: Any) -> Any:
    sessions.create_tables(db)
    pending.create_tables(db)
    db.add(orm.OAuthClient(identifier="jupyterhub"))
    for role in roles.get_default_roles():
        roles.create_role(db, role)
    proxy = SimpleNamespace(delete_user=no_way)
    return SimpleNamespace(db=db, proxy=proxy, log=logging.getLogger("test"))


@pytest.mark.parametrize("lab", [True, False])
async def test_a_lab_that_does_not_answer_delays_no_other_end(db: Any, app: Any, lab: bool) -> None:
    user: Any = FakeUser(db)
    dashboards, laboratory = user.spawners[""], user.spawners[LAB]
    dashboards.answers.set()
    ending = asyncio.create_task(sign_out.end_everything(app, user, lab=lab))
    async with asyncio.timeout(5):
        while dashboards.active or user.knows(dashboards.api_token):
            await asyncio.sleep(0)
    assert laboratory.told
    assert not ending.done()
    assert not user.knows(user.by_hand)
    assert user.cookie_id != "old"
    assert user._auth_refreshed is None  # whoever comes now is asked for
    laboratory.answers.set()
    await asyncio.wait_for(ending, 5)
    assert laboratory.active is not lab
    assert user.knows(laboratory.api_token) is not lab


@pytest.mark.parametrize("whose", ["lab", "another", "none"])
async def test_only_the_token_of_a_lab_reports_its_use_without_a_session(
    db: Any, app: Any, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user: Any = FakeUser(db)
    tokens = {"lab": user.spawners[LAB].api_token, "another": user.by_hand}
    token = orm.APIToken.find(db, tokens[whose]) if whose in tokens else None

    async def refused(*_: Any) -> None: ...

    monkeypatch.setattr(ActivityAPIHandler, "refresh_auth", refused)
    handler = ActivityHandler.__new__(ActivityHandler)
    monkeypatch.setattr(handler, "get_token", lambda: token, raising=False)
    assert (await handler.refresh_auth(user) is user) is (whose == "lab")
    user.spawners[LAB].active = False
    assert await handler.refresh_auth(user) is None
    assert kept_lab.handlers == [(r"/api/users/([^/]+)/activity", ActivityHandler)]


class Large(RequestHandler):
    """What a lab's code could answer in the place of the lab."""

    def put(self, kilobytes: str) -> None:
        self.write(b"x" * 1024 * int(kilobytes))


@pytest.fixture
async def address() -> AsyncIterator[str]:
    socket, port = bind_unused_port()
    server = HTTPServer(Application([(r"/([0-9]+)", Large)]))
    server.add_socket(socket)
    yield f"http://127.0.0.1:{port}/"
    server.stop()


@pytest.mark.parametrize(("kilobytes", "heard"), [("1", True), ("10000", False)])
async def test_no_server_fills_the_hubs_memory_by_its_answer(
    address: str, kilobytes: str, heard: bool
) -> None:
    spawner: Any = SimpleNamespace(
        server=SimpleNamespace(url=address),
        server_key="k",
        log=logging.getLogger("test"),
        _log_name="a server",
    )
    assert await DashboardSpawner.tell(spawner, kilobytes, {}) is heard
