"""What is taken away ends while somebody looks at it, and what is given shows by itself."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from websockets.exceptions import InvalidStatus, WebSocketException

from tests.conftest import StartHub
from tests.hub import Hub, wait_until
from tests.integration.test_groups import groups
from tests.person import SIGNED_OUT, TAKEN, Person, answers, closed_with, is_open

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"
#: What the hub promises by default. The tests ask for 6, so that they need not wait for long.
SECONDS = 6


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    """A hub that follows quickly, with a folder for the groups `analysts` and `finance`."""
    hub = start_hub(ATRIUM_REVOKE_SECONDS=str(SECONDS))
    for group in ("analysts", "finance"):
        folder = hub.notebooks / group
        folder.mkdir()
        shutil.copy(hub.notebooks / "user" / "penguins.ipynb", folder)
    return hub


@pytest.fixture
def analyst(hub: Hub) -> Person:
    hub.project.set_roles(ANALYST, "acme", "Analyst")
    person = Person(hub)
    person.sign_in(ANALYST)
    person.open_dashboards()
    return person


def put_into(hub: Hub, group: str, name: str) -> None:
    hub.api(f"/groups/{group}", "POST")
    assert hub.api(f"/groups/{group}/users", "POST", json={"users": [name]}).ok


def test_a_role_taken_at_the_provider_closes_what_it_opened_and_nothing_else(
    hub: Hub, analyst: Person
) -> None:
    taken, kept = analyst.watch("analysts", "penguins"), analyst.watch("user", "penguins")
    page = analyst.get(f"/user/{ANALYST}/dashboards/analysts/penguins")
    hub.project.set_roles(ANALYST, "acme")
    assert closed_with(taken) == TAKEN
    assert is_open(kept)
    assert analyst.get(page.url).status_code == 404
    closed = analyst.get("/hub/closed?dashboard=analysts/penguins").text
    assert "no longer shared with you" in closed
    assert "Your role at the sign-in service has changed" in closed
    kept.close()


def test_a_group_taken_in_the_hub_is_gone_within_two_seconds(hub: Hub, analyst: Person) -> None:
    put_into(hub, "finance", ANALYST)
    socket = wait_until(lambda: analyst.watch("finance", "penguins"), "the new dashboard")
    began = time.monotonic()
    hub.api("/groups/finance/users", "DELETE", json={"users": [ANALYST]})
    assert closed_with(socket) == TAKEN
    assert time.monotonic() - began < SECONDS
    said = analyst.get("/hub/closed?dashboard=finance/penguins").text
    assert "An admin took you out of the group" in said


def disable(hub: Hub) -> None:
    hub.project.mgmt.user.deactivate(ANALYST)


def revoke_refresh_token(hub: Hub) -> None:
    hub.project.mgmt.user.logout_user(ANALYST)


def sign_out_elsewhere(hub: Hub) -> None:
    other = Person(hub)
    other.sign_in(ANALYST)
    other.get("/hub/logout")


@pytest.mark.parametrize("end", [disable, revoke_refresh_token, sign_out_elsewhere])
def test_the_end_of_a_session_closes_everything(
    hub: Hub, analyst: Person, end: Callable[[Hub], None]
) -> None:
    socket = analyst.watch("user", "penguins")
    try:
        end(hub)
        assert closed_with(socket) == SIGNED_OUT
        wait_until(lambda: not hub.api(f"/users/{ANALYST}").json()["servers"], "the server's end")
        assert not analyst.is_signed_in()
        assert "You are signed out" in analyst.get("/hub/closed?dashboard=user/penguins").text
    finally:
        hub.project.mgmt.user.activate(ANALYST)


#: It hears what it is told for some milliseconds in each half second.
BUSY = """
import time
import panel as pn
pn.state.add_periodic_callback(lambda: time.sleep(0.5), period=510)
pn.pane.Markdown("busy").servable()
"""


def write_notebook(path: Path, source: str) -> None:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": source}
    cell["execution_count"] = None
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))


def blocking_notebook(folder: Path) -> None:
    """A notebook that some moments after it was opened does nothing but hold up its process."""
    source = (
        "import os, time\nfrom pathlib import Path\nimport panel as pn\n"
        "def block():\n    Path(os.environ['HOME'], 'blocks').touch()\n"
        "    while True:\n        try:\n            time.sleep(60)\n"
        "        except BaseException:\n            pass\n"
        "pn.state.add_periodic_callback(block, period=500)\npn.pane.Markdown('blocks').servable()"
    )
    write_notebook(folder / "blocks.ipynb", source)


def is_blocked(hub: Hub, name: str) -> bool:
    """Whether it does; says so once."""
    sign = hub.home_of(name) / "blocks"
    found = sign.exists()
    sign.unlink(missing_ok=True)
    return found


def test_a_dashboard_whose_notebook_blocks_is_ended_and_nothing_else(
    hub: Hub, analyst: Person
) -> None:
    put_into(hub, "finance", ANALYST)
    blocking_notebook(hub.notebooks / "finance")
    other, socket = analyst.watch("user", "penguins"), analyst.watch("finance", "blocks")
    server = hub.server_of(ANALYST)
    assert server is not None
    wait_until(lambda: is_blocked(hub, ANALYST), "the notebook blocks", seconds=30)
    hub.api("/groups/finance/users", "DELETE", json={"users": [ANALYST]})
    assert closed_with(socket) == TAKEN
    wait_until(lambda: len(hub.sessions_of(ANALYST)) == 1, "its end")
    assert answers(other)
    assert hub.server_of(ANALYST) == server


def test_who_opens_socket_after_socket_keeps_none(hub: Hub, analyst: Person) -> None:
    """A dashboard that is busy meets the openings and the hub's word at the same moment."""
    write_notebook(hub.notebooks / "finance" / "busy.ipynb", BUSY)
    put_into(hub, "finance", ANALYST)
    place = f"/user/{ANALYST}/dashboards/finance/busy"
    page = wait_until(lambda: (page := analyst.get(place)).ok and page, "the new dashboard")
    token = page.text.partition('"token":"')[2].partition('"')[0]
    over, opened = threading.Event(), []

    def open_and_open() -> None:
        while not over.is_set():
            with contextlib.suppress(WebSocketException, OSError):
                opened.append(analyst.connect(f"{place}/ws", "bokeh", token))
            time.sleep(0.1)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(open_and_open)
        try:
            wait_until(lambda: len(opened) > 20, "open sockets")
            hub.api("/groups/finance/users", "DELETE", json={"users": [ANALYST]})
            wait_until(lambda: analyst.get(place).status_code == 404, "the closed dashboard")
        finally:
            over.set()
    for socket in opened:
        closed_with(socket, 5)  # TimeoutError: it is still open


@pytest.mark.parametrize("kind", ["changes", "announcement"])
def test_sockets_that_tell_pages_hear_nothing_and_are_few(
    kind: str, hub: Hub, analyst: Person
) -> None:
    path = f"/user/{ANALYST}/{kind}"
    sockets = [analyst.connect(path) for _ in range(50)]
    with pytest.raises(InvalidStatus, match="503"):
        analyst.connect(path)
    sockets[0].send("hello")
    assert closed_with(sockets[0]) == 1008
    wait_until(lambda: is_let_in(analyst, path), "room for another")
    for socket in sockets:
        socket.close()


def is_let_in(person: Person, path: str) -> bool:
    with contextlib.suppress(InvalidStatus):
        person.connect(path)
        return True
    return False


def test_a_server_reads_no_large_body(hub: Hub, analyst: Person) -> None:
    for size, is_read in ((1 << 20, True), ((1 << 20) + 1, False)):
        try:
            answer = analyst.put(f"/user/{ANALYST}/groups", data=b"x" * size)
        except requests.ConnectionError:
            assert not is_read
        else:
            # The proxy says 503 of a server that closes the connection.
            assert (answer.status_code == 403) is is_read, answer.status_code


def test_a_server_with_nothing_left_is_stopped(hub: Hub) -> None:
    person = Person(hub)
    hub.project.mgmt.user.create("guest@acme.test", email="guest@acme.test", verified_email=True)
    person.sign_in("guest@acme.test")
    put_into(hub, "finance", "guest@acme.test")
    person.open_dashboards()
    gallery = person.connect("/user/guest@acme.test/changes")
    hub.api("/groups/finance/users", "DELETE", json={"users": ["guest@acme.test"]})
    assert closed_with(gallery) == TAKEN
    servers = "/users/guest@acme.test"
    wait_until(lambda: not hub.api(servers).json()["servers"], "the server's end")


def test_an_admin_who_is_none_any_more_loses_the_admin_server_only(hub: Hub) -> None:
    admin = Person(hub)
    admin.sign_in(ADMIN)
    admin.open_dashboards()
    admin.open_server("admin")
    running = lambda: set(hub.api(f"/users/{ADMIN}").json()["servers"])  # noqa: E731
    assert running() == {"", "admin"}
    hub.project.set_roles(ADMIN, "acme")
    try:
        wait_until(lambda: running() == {""}, "the end of the admin's server")
        assert groups(hub, ADMIN) == {"user"}
    finally:
        hub.project.set_roles(ADMIN, "acme", "Tenant Admin")


def test_what_is_given_is_told_to_an_open_gallery(hub: Hub, analyst: Person) -> None:
    page = analyst.get(f"/user/{ANALYST}/?all").text
    seen = page.partition('data-seen="')[2].partition('"')[0]
    gallery = analyst.connect(f"/user/{ANALYST}/changes?seen={seen}")
    put_into(hub, "finance", ANALYST)
    assert gallery.recv(timeout=10) == "changed"
    assert "Finance" in analyst.get(f"/user/{ANALYST}/?all").text
    hub.api("/groups/finance/users", "DELETE", json={"users": [ANALYST]})
    assert gallery.recv(timeout=10) == "changed"
    assert "Finance" not in analyst.get(f"/user/{ANALYST}/?all").text
    gallery.close()
    late = analyst.connect(f"/user/{ANALYST}/changes?seen={seen[::-1]}")
    assert late.recv(timeout=10) == "changed"  # it was drawn before the last change
