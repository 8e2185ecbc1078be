"""The hub's own access rules over a real database, in a world of which the time stands still.

Real: JupyterHub's database and users, the table of grants, the sessions, the follower with its
loops, the authenticator, the sign-in. Of the test: the provider behind the HTTP client and the
directory, the dashboard servers, and the clock, which an event loop moves on when it has nothing
to do. A second of the world costs some milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import selectors
import shutil
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from jupyterhub import orm
from jupyterhub.crypto import CryptKeeper
from jupyterhub.roles import create_role, get_default_roles
from jupyterhub.user import User, UserDict
from sqlalchemy import event, text
from sqlalchemy.orm import Session
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse

from hub_extensions import grants
from hub_extensions.access import follow, provider_state, servers
from hub_extensions.access.directory import Directory, DirectoryRefused, Known
from hub_extensions.access.follow import Follower
from hub_extensions.access.provider_state import Provider
from hub_extensions.authenticator import DescopeAuthenticator
from hub_extensions.signing_in import sessions
from hub_extensions.signing_in.provider import ProviderUnreachable
from hub_extensions.signing_in.sign_in import CallbackHandler

#: The settings of this hub.
SECONDS, GRACE, HOURS = 6, 40, 0.04
TENANT = "acme"
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_KEY = ECKey.generate_key("P-256", {"kid": "k", "alg": "ES256"})
_AT_PROVIDER = "https://provider.test"


class Crash(BaseException):
    """The hub's process has ended here."""


class Clock:
    """The time of a world. Stands where `time.monotonic` and `datetime` do in the hub's modules."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self, _zone: Any = None) -> datetime:
        return _BEGINNING + timedelta(seconds=self.seconds)


class _Loop(asyncio.SelectorEventLoop):
    """Has the clock go on instead of waiting."""

    def __init__(self, clock: Clock) -> None:
        class Selector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> Any:
                ready = super().select(0)
                if not ready and timeout is None:
                    raise RuntimeError("everybody waits, and for nothing")
                clock.seconds += 0 if ready else max(timeout or 0, 0)
                return ready

        super().__init__(Selector())
        self._clock, self._clock_resolution = clock, 1e-6

    def time(self) -> float:
        return self._clock.seconds


class _AtOnce(ThreadPoolExecutor):
    """Threads that have done their work when they begin, so that a test runs twice alike."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _OnTheWay(_AtOnce):
    """Answers of the directory that arrive when they are let through."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = False
        self.held: list[tuple[Future[Any], Future[Any]]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        answer = super().submit(fn, *args, **kwargs)
        asked = getattr(fn, "args", fn)[0]  # asyncio.to_thread hands over a partial
        if not self.slow or asked.__name__ != "people":
            return answer
        arrives: Future[Any] = Future()
        self.held.append((arrives, answer))
        return arrives

    def let_through(self) -> None:
        self.slow, held, self.held = False, self.held, []
        for arrives, answer in held:
            if arrives.cancelled():
                continue
            if error := answer.exception():
                arrives.set_exception(error)
            else:
                arrives.set_result(answer.result())


# -- the provider ----------------------------------------------------------------------------


@dataclass
class Account:
    """Somebody at the provider. `tokens`: refresh tokens, the one that counts last."""

    subject: str
    email: str
    roles: set[str] = field(default_factory=set)
    enabled: bool = True
    tokens: list[str] = field(default_factory=list)

    @property
    def tenants(self) -> dict[str, Any]:
        return {TENANT: {"roles": sorted(self.roles), "permissions": []}}


class IdentityProvider:
    """Signs people in, and rotates refresh tokens: one that is used twice ends its session."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.accounts = {account.subject: account for account in accounts}
        self.up, self.key_counts = True, True
        #: Whether the management key has counted when it was last used.
        self.key_was_good = True
        #: Whether the hub's following has had an answer since the last outage.
        self.heard = True
        #: How long it takes to answer the hub.
        self.seconds = 0.05
        self._made = 0

    async def fetch(self, request: HTTPRequest, **_options: Any) -> HTTPResponse:
        """In the place of Tornado's HTTP client."""
        await asyncio.sleep(self.seconds)
        if not self.up:
            raise HTTPClientError(503)
        path = request.url.removeprefix(_AT_PROVIDER)
        body = dict(parse_qsl((request.body or b"").decode()))
        if path == "/jwks":
            return _answer(request, {"keys": [_KEY.as_dict(private=False)]})
        if path == "/userinfo":
            account = self.accounts[request.headers["Authorization"].partition(" ")[2]]
            return _answer(request, self._claims(account))
        if path == "/revoke":
            for account in self.accounts.values():
                if body["token"] in account.tokens:
                    account.tokens.clear()
            return _answer(request, {})
        return self._tokens(request, body)

    def _tokens(self, request: HTTPRequest, body: dict[str, str]) -> HTTPResponse:
        account = self._whose(body)
        if body["grant_type"] == "refresh_token":
            self.heard = True
        if account is None or not account.enabled:
            return _answer(request, {"error": "invalid_grant"}, 400)
        self._made += 1
        account.tokens.append(f"refresh-{self._made}")
        moment = int(time.time())
        token = {"iss": _AT_PROVIDER, "aud": "P", "iat": moment, "exp": moment + 600}
        id_token = jwt.encode(
            {"alg": "ES256", "kid": "k"}, {**token, **self._claims(account)}, _KEY
        )
        answer = {"access_token": account.subject, "token_type": "Bearer"}
        answer |= {"refresh_token": account.tokens[-1], "id_token": id_token}
        return _answer(request, answer)

    def _whose(self, body: dict[str, str]) -> Account | None:
        if code := body.get("code"):
            self.accounts[code].tokens.clear()
            return self.accounts[code]
        token = body["refresh_token"]
        for account in self.accounts.values():
            if token in account.tokens:
                if token == account.tokens[-1]:
                    return account
                account.tokens.clear()
        return None

    def _claims(self, account: Account) -> dict[str, Any]:
        return {
            "sub": account.subject,
            "email": account.email,
            "email_verified": True,
            "tenants": account.tenants,
        }


class _Directory(Directory):
    """The provider's management API."""

    def __init__(self, provider: IdentityProvider) -> None:
        self._provider = provider

    def people(self, subjects: Sequence[str]) -> dict[str, Known]:
        if not self._provider.up:
            raise ProviderUnreachable
        self._provider.key_was_good = self._provider.key_counts
        if not self._provider.key_counts:
            raise DirectoryRefused
        self._provider.heard = True
        return {
            subject: Known(subject=subject, confirmed=account.enabled, tenants=account.tenants)
            for subject in subjects
            for account in [self._provider.accounts[subject]]
        }

    def sign_out(self, subject: str) -> None:
        if not self._provider.up:
            raise ProviderUnreachable
        self._provider.accounts[subject].tokens.clear()


def _answer(request: HTTPRequest, body: Any, code: int = 200) -> HTTPResponse:
    content = json.dumps(body).encode()
    if request.streaming_callback:
        request.streaming_callback(content)
    return HTTPResponse(request, code, buffer=BytesIO(content))


# -- dashboard servers -----------------------------------------------------------------------


class Server:
    """A dashboard server, as its spawner shows it. It outlives the hub.

    Attributes:
        groups: what it was told, or has asked the hub.
        groups_told: what it was started with; the next hub does not know that.
        blocks: it answers nothing.
    """

    name, pending, ready, active, _spawn_future = "", None, True, True, None

    def __init__(self, owner: str, notebooks: Path, groups: frozenset[str], number: int) -> None:
        self.notebooks, self.groups, self.blocks = str(notebooks), groups, False
        self.groups_told: frozenset[str] | None = groups
        self.orm_spawner = SimpleNamespace(started=number)
        self._log_name = f"{owner}:"

    async def tell_groups(self, groups: frozenset[str], *, ended: bool = False) -> bool:
        await asyncio.sleep(4 if self.blocks else 0.02)
        if self.blocks:
            return False
        self.groups = frozenset() if ended else frozenset(groups)
        return True

    async def stop(self) -> None:
        await asyncio.sleep(3 if self.blocks else 0.2)
        self.ready = self.active = False
        self.groups = frozenset()


class _User(User):
    async def stop(self, server_name: str = "") -> None:
        await self.spawners[server_name].stop()
        self.spawners.pop(server_name, None)


class _Users(UserDict):
    def __getitem__(self, key: Any) -> User:
        return super().__getitem__(key.id if isinstance(key, orm.User) else key)

    def from_orm(self, orm_user: orm.User) -> User:
        return _User(orm_user, self.settings)


# -- the hub -----------------------------------------------------------------------------------


class World:
    """One hub with its provider, its people and their servers.

    Attributes:
        by_directory: whether the hub has a management key.
        dead: the hub has ended; nothing that it still does has an effect.
    """

    def __init__(self, folder: Path, accounts: Sequence[Account], by_directory: bool) -> None:
        self.folder, self.by_directory = folder, by_directory
        self.clock = Clock()
        self.provider = IdentityProvider(accounts)
        self.servers: dict[int, Server] = {}
        self.crash_after: int | None = None
        self._started = 0
        self.loop: Any = None
        self._patches = pytest.MonkeyPatch()
        self._patches.setattr(grants, "datetime", self.clock)
        self._patches.setattr(follow, "time", self.clock)
        self._patches.setattr(provider_state, "time", self.clock)
        self._patches.setattr(servers, "time", self.clock)
        self.start()

    # -- from start to crash

    def start(self) -> None:
        """Start the hub over the database that there is."""
        self.dead, self.crash_after = False, None
        self.loop = _Loop(self.clock)
        self.on_the_way = _OnTheWay()
        self.loop.set_default_executor(self.on_the_way)
        self.loop.set_exception_handler(lambda *_: None)  # a crash leaves tasks that have failed
        factory = orm.new_session_factory(f"sqlite:///{self.folder}/hub.sqlite")
        self.db: Session = factory()
        self.db.execute(text("PRAGMA synchronous=OFF"))  # the disk does not fail here
        event.listen(self.db, "before_commit", self._before_commit)
        event.listen(self.db, "after_commit", self._after_commit)
        CryptKeeper.instance(keys=[b"k" * 32]).executor = _AtOnce()
        self.authenticator = DescopeAuthenticator(
            project_id="P",
            client_secret="secret",
            owner_tenant=TENANT,
            provider_metadata={
                "issuer": _AT_PROVIDER,
                "authorization_endpoint": f"{_AT_PROVIDER}/authorize",
                "token_endpoint": f"{_AT_PROVIDER}/token",
                "userinfo_endpoint": f"{_AT_PROVIDER}/userinfo",
                "jwks_uri": f"{_AT_PROVIDER}/jwks",
                "revocation_endpoint": f"{_AT_PROVIDER}/revoke",
            },
            session_hours={"": HOURS},
            grace_seconds=GRACE,
            http_client=self.provider,
            manage_groups=True,
            log=_log,
        )
        settings = {"authenticator": self.authenticator, "db": self.db, "log": _log}
        users = settings["users"] = _Users(lambda: self.db, settings)
        for role in get_default_roles() if self.db.query(orm.Role).first() is None else ():
            create_role(self.db, role)
        self.app = settings["app"] = SimpleNamespace(
            db=self.db,
            users=users,
            log=_log,
            http_server=True,
            authenticator=self.authenticator,
            proxy=SimpleNamespace(delete_user=_nothing),
        )
        self.settings = settings
        for user_id, server in self.servers.items():  # as JupyterHub finds them again
            users[user_id].spawners[""] = server
            server.groups_told = None
        grants._listeners.clear()
        directory = _Directory(self.provider) if self.by_directory else None
        self.loop.run_until_complete(self._follow(directory))

    async def _follow(self, directory: Directory | None) -> None:
        follower = Follower(self.app, self.authenticator, SECONDS, directory)
        follower.provider = Provider(log=_log, seconds=SECONDS, last_sweep=self.clock.seconds)
        self.authenticator.follower = self.follower = follower
        self._following = asyncio.create_task(follower.run())

    def crash(self) -> None:
        """End the hub's process: what it has not committed is gone, and all that it knew."""
        self.dead = True
        while tasks := asyncio.all_tasks(self.loop):  # a wait that just ended is not cancelled
            for task in tasks:
                task.cancel()
            with contextlib.suppress(RuntimeError):  # it was stopped before
                self.loop.run_until_complete(_all_done(tasks))
        self.loop.close()
        self.db.close()
        self.db.get_bind().dispose()  # type: ignore[union-attr]

    def close(self) -> None:
        """The end of this world."""
        self.crash()
        self._patches.undo()

    def _before_commit(self, _db: Session) -> None:
        if self.dead:
            raise Crash

    def _after_commit(self, _db: Session) -> None:
        if self.crash_after is not None:
            self.crash_after -= 1
            if self.crash_after <= 0:
                self.dead = True
                self.loop.stop()
                raise Crash

    # -- time

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Let the hub do something, and all else that it does meanwhile.

        Raises:
            Crash: it ended while doing it.
        """
        task = self.loop.create_task(work)
        try:
            return self.loop.run_until_complete(task)
        except RuntimeError:
            if not self.dead:
                raise
            raise Crash from None

    def pass_time(self, seconds: float) -> None:
        """Time goes by.

        Raises:
            Crash: the hub ended in it.
        """
        self.run(asyncio.sleep(seconds))
        if self._following.done():
            raise AssertionError("the following has ended") from self._following.exception()

    # -- what people do

    def user(self, user_id: int) -> User | None:
        return self.app.users.get(user_id)

    async def sign_in(self, account: Account) -> User:
        """What happens between the browser's return and the page."""
        handler: Any = object.__new__(CallbackHandler)
        handler.application = SimpleNamespace(settings=self.settings)
        parameters = {"grant_type": "authorization_code", "code": account.subject}
        token_info = await self.authenticator.get_token_info(handler, parameters)
        authenticated = await self.authenticator._token_to_auth_model(token_info)
        authenticated["groups"] = None
        handler.bind(authenticated)
        async with self.authenticator.lock(authenticated["name"]):
            return await handler.auth_to_user(authenticated)

    def start_server(self, user: User) -> None:
        """Somebody's dashboards start, with what the hub says at this moment."""
        groups = frozenset(str(group.name) for group in user.groups)
        self._started += 1
        server = Server(user.name, self.folder / "notebooks", groups, self._started)
        user.spawners[""] = self.servers[user.id] = server

    def served(self, user_id: int) -> frozenset[str]:
        """The groups whose dashboards somebody can look at."""
        server = self.servers.get(user_id)
        return server.groups if server and server.active else frozenset()

    def is_signed_in(self, user_id: int) -> bool:
        return self.db.get(sessions.Session, user_id) is not None


_log = logging.getLogger("world")
_log.setLevel(logging.CRITICAL)


async def _all_done(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks, timeout=0.1)


async def _nothing(*_args: Any) -> None:
    pass


def prepared_folder(folder: Path) -> Path:
    """A database with all tables, and folders of notebooks: to be copied, which is faster."""
    session = orm.new_session_factory(f"sqlite:///{folder}/hub.sqlite")()
    session.close()
    session.get_bind().dispose()  # type: ignore[union-attr]
    for name in ("user", "analysts", "finance"):
        (folder / "notebooks" / name).mkdir(parents=True)
    return folder


def copied(prepared: Path, folder: Path) -> Path:
    shutil.copytree(prepared, folder)
    return folder
