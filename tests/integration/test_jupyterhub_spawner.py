"""DashboardSpawner is a spawner as JupyterHub's own are.

First JupyterHub's own cases, those of the installed release, with ours in the place of the spawner
that they test: it starts the programs that they name. Then the same of a real hub, where it starts
dashboard servers, with the template process and without it.
"""

from __future__ import annotations

import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.tests import test_spawner as cases
from jupyterhub.tests.conftest import db as bare_db  # noqa: F401 - a fixture

# Left out: what looks at JupyterHub's own defaults, and what tests `User` with a mocked hub.
from jupyterhub.tests.test_spawner import test_hub_connect_url as test_hub_connect_url
from jupyterhub.tests.test_spawner import test_popen_kwargs as test_popen_kwargs
from jupyterhub.tests.test_spawner import test_shell_cmd as test_shell_cmd
from jupyterhub.tests.test_spawner import test_spawner as test_spawner
from jupyterhub.tests.test_spawner import test_spawner_env as test_spawner_env
from jupyterhub.tests.test_spawner import test_spawner_poll as test_spawner_poll
from jupyterhub.tests.test_spawner import test_spawner_server as test_spawner_server
from jupyterhub.tests.test_spawner import (
    test_stop_spawner_sigint_fails as test_stop_spawner_sigint_fails,
)
from jupyterhub.tests.test_spawner import test_stop_spawner_stop_now as test_stop_spawner_stop_now
from jupyterhub.tests.test_spawner import test_string_formatting as test_string_formatting
from sqlalchemy.orm import Session
from tornado import web

from hub_extensions.spawner import DashboardSpawner
from tests.conftest import StartHub
from tests.hub import Hub, wait_until
from tests.integration.test_template import template
from tests.person import Person

pytestmark = [
    pytest.mark.slow,
    # Their cases leave processes and coroutines to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::RuntimeWarning"),
]

ADMIN, ANALYST, MEMBER = "admin@acme.test", "analyst@acme.test", "member@acme.test"


# -- JupyterHub's own cases ---------------------------------------------------------------------


@pytest.fixture
def db(bare_db: Session) -> Session:  # noqa: F811
    """JupyterHub's database with one person, who is a member of `user`."""
    bare_db.add(orm.Group(name="user", users=[bare_db.query(orm.User).one()]))
    bare_db.commit()
    return bare_db


@pytest.fixture(autouse=True)
def in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let their cases make a DashboardSpawner."""
    (tmp_path / "notebooks" / "user").mkdir(parents=True)
    spawner = partial(
        DashboardSpawner,
        notebooks=str(tmp_path / "notebooks"),
        homes=str(tmp_path / "people"),
    )
    monkeypatch.setattr(cases, "SimpleLocalProcessSpawner", spawner)


SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]


async def test_a_start_that_was_stopped_meanwhile_leaves_no_process(db: Session) -> None:
    spawner = cases.new_spawner(db, cmd=SLEEPS)
    spawner.run_post_stop_hook()
    with pytest.raises(web.HTTPError, match="stopped while it started"):
        await spawner.start()
    assert spawner.proc.wait(5) == -signal.SIGKILL


async def test_a_start_leaves_no_process_of_the_one_before(db: Session) -> None:
    spawner = cases.new_spawner(db, cmd=SLEEPS)
    await spawner.start()
    lost = spawner.proc
    spawner.clear_state()  # as JupyterHub before a start
    await spawner.start()
    assert lost.wait(5) == -signal.SIGKILL
    assert await spawner.poll() is None
    await spawner.stop(now=True)


async def test_a_bad_command_is_said_and_leaves_no_process(db: Session) -> None:
    spawner = cases.new_spawner(db, cmd=["/no/such/program"])
    assert isinstance(spawner, DashboardSpawner)
    with pytest.raises(FileNotFoundError):
        await spawner.start()
    assert await spawner.poll() is not None
    spawner = cases.new_spawner(db, cmd=[sys.executable, "-c", "raise SystemExit(3)"])
    await spawner.start()
    spawner.proc.wait(20)
    assert await spawner.poll() == 3
    await spawner.stop()


# -- the same, of a real hub ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["on", "off"])
def hub(request: pytest.FixtureRequest, start_hub: StartHub) -> Hub:
    """A hub where somebody has signed in, with the template process or without it."""
    hub = start_hub(ATRIUM_TEMPLATE=request.param)
    Person.signed_in(hub, MEMBER)
    return hub


def server(hub: Hub, name: str = MEMBER) -> dict[str, Any]:
    """Somebody's server as the REST API lists it; empty where there is none."""
    return hub.api(f"/users/{name}").json()["servers"].get("", {})


def ready(hub: Hub, name: str = MEMBER) -> dict[str, Any]:
    """Start somebody's server if need be; returns it when it is ready."""
    hub.api(f"/users/{name}/server", "POST")
    return wait_until(lambda: (one := server(hub, name)).get("ready") and one, "a server")


@pytest.fixture
def stopped(hub: Hub) -> None:
    """The member's server does not run; it came with the sign-in."""
    if server(hub):
        ready(hub)
        assert hub.api(f"/users/{MEMBER}/server", "DELETE").status_code == 204
        wait_until(lambda: not server(hub), "its end")


@pytest.mark.usefixtures("stopped")
def test_a_start_is_listed_as_that_of_any_server_and_so_is_a_stop(hub: Hub) -> None:
    assert hub.api(f"/users/{MEMBER}/server", "POST").status_code in {201, 202}
    listed = ready(hub)
    assert (listed["name"], listed["pending"], listed["stopped"]) == ("", None, False)
    assert listed["url"] == f"/user/{MEMBER}/"
    assert listed["progress_url"] == f"/hub/api/users/{MEMBER}/server/progress"
    process = hub.server_of(MEMBER)
    assert process is not None
    assert listed["state"]["pid"] == process.pid
    assert hub.api(f"/users/{MEMBER}/server", "POST").status_code == 400  # it runs already
    assert [user["name"] for user in hub.api("/users?state=ready").json()] == [MEMBER]
    assert hub.api(f"/users/{MEMBER}/server", "DELETE").status_code == 204
    assert server(hub) == {}
    assert not process.is_running()


def test_the_admin_page_lists_it(hub: Hub) -> None:
    ready(hub)
    admin = Person.signed_in(hub, ADMIN)
    assert admin.get("/hub/admin").ok
    asked = "/hub/api/users?include_stopped_servers=1&offset=0&limit=50&name_filter=member"
    (listed,) = admin.get(asked, headers=admin.xsrf).json()
    assert listed["servers"][""]["ready"]
    assert hub.api(f"/users/{MEMBER}/server", "DELETE").status_code == 204
    (listed,) = admin.get(asked, headers=admin.xsrf).json()
    assert listed["servers"][""]["stopped"]


@pytest.mark.usefixtures("stopped")
def test_one_that_is_slow_to_start_is_listed_as_pending(hub: Hub) -> None:
    warm = template(hub) if "The template process" in hub.log_text() else None
    if warm:
        warm.send_signal(signal.SIGSTOP)  # without it a server is slow enough by itself
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(hub.api, f"/users/{MEMBER}/server", "POST")
        pending = wait_until(lambda: server(hub), "a server that starts")
        if warm:
            warm.send_signal(signal.SIGCONT)
        assert (pending["pending"], pending["ready"]) == ("spawn", False)
        assert answer.result().status_code in {201, 202}
    assert ready(hub)["pending"] is None


@pytest.mark.usefixtures("stopped")
def test_one_that_cannot_start_is_not_listed_and_the_next_start_is_a_new_one(hub: Hub) -> None:
    home = hub.home_of(MEMBER)
    shutil.rmtree(home)
    home.write_text("no folder")
    assert hub.api(f"/users/{MEMBER}/server", "POST").status_code == 500
    assert server(hub) == {}
    assert hub.server_of(MEMBER) is None
    home.unlink()
    assert hub.api(f"/users/{MEMBER}/server", "POST").status_code in {201, 202}
    assert ready(hub)


def test_one_that_has_ended_by_itself_is_no_longer_listed(hub: Hub) -> None:
    ready(hub)
    process = hub.server_of(MEMBER)
    assert process is not None
    process.kill()
    wait_until(lambda: not server(hub), "the hub's look at it")
    assert ready(hub)["state"]["pid"] != process.pid


@pytest.mark.parametrize(
    "hub", ["on", pytest.param("off", marks=pytest.mark.slow)], indirect=True
)  # each restart of a hub takes its seconds
def test_the_next_hub_finds_those_that_run_and_no_others(hub: Hub) -> None:
    Person.signed_in(hub, ANALYST)
    for name in (MEMBER, ANALYST):
        ready(hub, name)
    before, gone = server(hub), hub.server_of(ANALYST)
    process = hub.server_of(MEMBER)
    assert process is not None
    assert gone is not None
    hub.send(signal.SIGTERM)
    gone.kill()
    hub.start()
    assert server(hub)["ready"]
    assert {**server(hub), "last_activity": 0} == {**before, "last_activity": 0}
    assert server(hub, ANALYST) == {}
    assert hub.api(f"/users/{MEMBER}/server", "DELETE").status_code == 204
    wait_until(lambda: process not in hub.processes(), "the end of a server of the earlier hub")
