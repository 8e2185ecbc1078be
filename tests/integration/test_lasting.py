"""What lasts: people's servers over a restart of the hub, and what is theirs alone."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.conftest import StartHub
from tests.hub import FEW_SERVERS, Hub, wait_until
from tests.odd_provider import odd_provider
from tests.person import Person

pytestmark = pytest.mark.slow

MEMBER = "member@acme.test"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_dashboards_outlive_the_hub_and_the_next_start_finds_them(
    hub: Hub, number: signal.Signals
) -> None:
    person = Person.signed_in(hub, MEMBER)
    person.open_dashboards()
    before = hub.server_of(MEMBER)
    assert before is not None
    hub.send(number)
    assert before.is_running()
    hub.start()
    assert person.get(f"/user/{MEMBER}/?all").ok
    assert hub.server_of(MEMBER) == before
    person.get("/hub/logout")
    wait_until(lambda: not before.is_running() or before.status() == "zombie", "its end")


def test_a_killed_hub_leaves_no_proxy_and_no_service(start_hub: StartHub) -> None:
    hub = start_hub(**FEW_SERVERS)
    others = hub.processes() - {psutil.Process(hub.process.pid)} if hub.process else set()
    assert len(others) >= 2
    hub.send(signal.SIGKILL)
    wait_until(lambda: not hub.processes(), "the end of proxy and service")


def test_a_process_id_that_is_anothers_by_now_is_not_touched(hub: Hub) -> None:
    Person.signed_in(hub, MEMBER).open_dashboards()
    server = hub.server_of(MEMBER)
    assert server is not None
    hub.send(signal.SIGTERM)
    with closing(sqlite3.connect(hub.state / "jupyterhub.sqlite")) as db, db:
        (state,) = db.execute("select state from spawners where name = ''").fetchone()
        started = str(state).partition('"process_started": ')[2].partition(",")[0].rstrip("}")
        db.execute("update spawners set state = replace(state, ?, '1.0')", (started,))
    hub.start()
    assert hub.api(f"/users/{MEMBER}").json()["servers"] == {}
    assert server.is_running()
    server.kill()


def test_no_file_of_a_home_is_imported_by_the_next_server(hub: Hub) -> None:
    person = Person.signed_in(hub, MEMBER)
    person.open_dashboards()
    homes = hub.state / "people"
    for home in homes.iterdir():
        for name in ("psutil.py", "csv.py", "sitecustomize.py", "usercustomize.py"):
            (home / name).write_text("raise SystemExit('imported from a home')")
    hub.api(f"/users/{MEMBER}/server", "DELETE")
    wait_until(lambda: not hub.api(f"/users/{MEMBER}").json()["servers"], "its end")
    assert person.open_dashboards().ok
    assert "imported from a home" not in hub.log_text()
    person.get("/hub/logout")


def test_a_deleted_persons_home_is_nobody_elses(hub: Hub) -> None:
    homes = set()
    for _ in range(2):
        Person.signed_in(hub, MEMBER).open_dashboards()
        homes.add(frozenset(path.name for path in (hub.state / "people").iterdir()))
        hub.api(f"/users/{MEMBER}", "DELETE")
    assert len(homes) == 2


def test_the_database_of_one_project_is_not_opened_by_another(
    start_hub: StartHub, tmp_path: Path
) -> None:
    database = {"ATRIUM_DB_URL": f"sqlite:///{tmp_path}/hub.sqlite"}
    with odd_provider() as provider:
        hub = start_hub(**FEW_SERVERS, **provider.settings, **database)
        Person(hub).get("/hub/home")
        hub.stop()
    with pytest.raises(AssertionError, match="ended with status 1") as failure:
        start_hub(**database)
    assert "ATRIUM_DB_URL holds the people of" in "".join(failure.value.__notes__)


def test_a_taken_port_is_one_sentence(start_hub: StartHub, hub: Hub) -> None:
    with pytest.raises(AssertionError, match="ended with status 1") as failure:
        start_hub(ATRIUM_BIND_URL=hub.url)
    said = "".join(failure.value.__notes__)
    assert "cannot be used" in said
    assert "ATRIUM_BIND_URL" in said
    assert "Traceback" not in said


def test_a_command_line_cannot_put_the_stand_in_on_the_network(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    everywhere = hub.url.replace("127.0.0.1", "0.0.0.0")
    with pytest.raises(AssertionError, match="ended with status 1") as failure:
        hub.start(f"--JupyterHub.bind_url={everywhere}")
    assert "which others can reach" in "".join(failure.value.__notes__)
