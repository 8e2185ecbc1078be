"""Ways around a revocation: what was open, known or made before it opens nothing after it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import psutil
import pytest
import requests
from websockets.exceptions import InvalidStatus, InvalidURI

from tests.attacks import attack
from tests.attacks.test_sign_in_forgery import copy_of
from tests.attacks.test_sockets import load
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until
from tests.person import SIGNED_OUT, TAKEN, Person, closed_with, is_open
from tests.requests_page import add_person, give, take

GROUP = "finance"
#: Work that comes to no end, and does not let itself be stopped.
FOR_EVER = """
import asyncio, os, pathlib
import panel as pn
async def work():
    pathlib.Path(os.environ["HOME"], "works").touch()
    while True:
        try:
            await asyncio.sleep(0.05)
        except BaseException:
            pass
pn.state.add_periodic_callback(work, period=100)
pn.pane.Markdown("works").servable()
"""
BLOCKS = """
import os, pathlib, time
import panel as pn
def work():
    pathlib.Path(os.environ["HOME"], "works").touch()
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
pn.state.add_periodic_callback(work, period=500)
pn.pane.Markdown("works").servable()
"""


@pytest.fixture(scope="module")
def name(hub: Hub) -> str:
    """Somebody whom no other test knows."""
    name = "leaver@acme.test"
    add_person(hub, name)
    folder = hub.notebooks / GROUP
    folder.mkdir(exist_ok=True)
    shutil.copy(hub.notebooks / "user" / "penguins.ipynb", folder)
    write_notebook(folder / "for_ever.ipynb", code(FOR_EVER))
    write_notebook(folder / "blocks.ipynb", code(BLOCKS))
    return name


@pytest.fixture
def leaver(hub: Hub, name: str) -> Iterator[Person]:
    """They are in the group, and look at it."""
    person = Person(hub)
    person.sign_in(name)
    give(hub, GROUP, name)
    person.open_dashboards()
    wait_until(lambda: person.get(f"/user/{name}/dashboards/{GROUP}/penguins").ok, "the group")
    yield person
    person.close()


@attack("revocation bypass", "what is open is closed when its group is taken away")
def test_a_page_that_is_looked_at_and_a_second_tab_are_closed(hub: Hub, leaver: Person) -> None:
    name = leaver.cookies_name()
    tabs = [leaver.watch(GROUP, "penguins") for _ in range(2)]
    kept = leaver.watch("user", "penguins")
    take(hub, GROUP, name)
    assert [closed_with(tab) for tab in tabs] == [TAKEN, TAKEN]
    assert is_open(kept)


def session_token_again(leaver: Person, opened: str, token: str) -> int:
    """Open the WebSocket with the token of a page that was loaded before."""
    try:
        leaver.connect(f"{opened}/ws", "bokeh", token)
    except InvalidStatus as error:
        return error.response.status_code
    except InvalidURI:  # a redirect to signing in
        return 302
    return 101


@attack("revocation bypass", "what is opened is checked when it is opened")
@pytest.mark.parametrize("what", ["page", "new WebSocket", "used WebSocket", "own API token"])
def test_nothing_from_before_opens_it_again(what: str, hub: Hub, leaver: Person) -> None:
    name = leaver.cookies_name()
    opened = load(leaver, f"{GROUP}/penguins")
    made = leaver.post(f"/hub/api/users/{name}/tokens", headers=leaver.xsrf, json={"note": "x"})
    header = {"Authorization": f"token {made.json()['token']}"}
    socket = leaver.watch(GROUP, "penguins")
    if what == "used WebSocket":
        used = leaver.connect(f"{opened.url}/ws", "bokeh", opened.token)
        used.recv(timeout=20)
    assert requests.get(opened.url, headers=header, timeout=20).ok
    take(hub, GROUP, name)
    assert closed_with(socket) == TAKEN
    if what == "page":
        assert leaver.get(opened.url).status_code == 404
    elif what == "own API token":
        assert requests.get(opened.url, headers=header, timeout=20).status_code == 404
    else:
        assert session_token_again(leaver, opened.url, opened.token) in {403, 404}


def has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@attack("revocation bypass", "a dashboard that does not let go is killed")
@pytest.mark.parametrize("notebook", ["for_ever", "blocks"])
def test_work_that_comes_to_no_end_is_ended_with_its_dashboard(
    notebook: str, hub: Hub, leaver: Person
) -> None:
    name = leaver.cookies_name()
    server = hub.server_of(name)
    assert server is not None
    kept, before = leaver.watch("user", "penguins"), set(server.children())
    socket = leaver.watch(GROUP, notebook)
    (session,) = set(server.children()) - before
    works = hub.home_of(name) / "works"
    wait_until(works.exists, "the work")
    works.unlink()
    take(hub, GROUP, name)
    assert closed_with(socket) == TAKEN
    wait_until(lambda: has_ended(session), "its end")
    assert is_open(kept)


def disabled(hub: Hub, name: str) -> None:
    hub.project.mgmt.user.deactivate(name)


def signed_out_at_the_provider(hub: Hub, name: str) -> None:
    hub.project.mgmt.user.logout_user(name)


def signed_out_by_an_admin(hub: Hub, name: str) -> None:
    assert hub.api(f"/users/{name}/sign-out", "POST").ok


@attack("revocation bypass", "the end of a session ends cookies, tokens and servers")
@pytest.mark.parametrize("end", [disabled, signed_out_at_the_provider, signed_out_by_an_admin])
def test_nothing_is_left_of_a_session_that_has_ended(
    end: Callable[[Hub, str], None], hub: Hub, leaver: Person
) -> None:
    name = leaver.cookies_name()
    opened = load(leaver, f"{GROUP}/penguins")
    made = leaver.post(f"/hub/api/users/{name}/tokens", headers=leaver.xsrf, json={"note": "x"})
    header = {"Authorization": f"token {made.json()['token']}"}
    thief, gallery = copy_of(leaver), leaver.connect(f"{opened.server}changes")
    socket = leaver.watch("user", "penguins")
    try:
        end(hub, name)
        assert closed_with(socket) == SIGNED_OUT
        assert closed_with(gallery) == SIGNED_OUT
        wait_until(lambda: not hub.api(f"/users/{name}").json()["servers"], "the server's end")
        for person in (leaver, thief):
            assert not person.is_signed_in()
            answer = person.get(opened.url, allow_redirects=False)
            assert answer.status_code in {302, 403, 503}
            assert session_token_again(person, opened.url, opened.token) in {302, 403, 404, 503}
        assert requests.get(f"{hub.url}/hub/api/user", headers=header).status_code == 403
    finally:
        hub.project.mgmt.user.activate(name)


@attack("forged push", "the hub's key of a server")
@pytest.mark.parametrize("key", ["", "Bearer ", "Bearer wrong", "token x", "own token"])
@pytest.mark.parametrize("ended", [False, True])
def test_nobody_but_the_hub_says_which_groups_somebody_has(
    key: str, ended: bool, hub: Hub, leaver: Person
) -> None:
    name = leaver.cookies_name()
    if key == "own token":
        made = leaver.post(f"/hub/api/users/{name}/tokens", headers=leaver.xsrf, json={})
        key = f"Bearer {made.json()['token']}"
    seen = len(hub.log_text())
    headers = {"Authorization": key} if key else {}
    told = {"groups": ["admin", "user"], "ended": ended}
    answer = leaver.put(f"/user/{name}/groups", headers=headers, json=told)
    assert answer.status_code == 403
    assert leaver.get(f"/user/{name}/dashboards/user/penguins").ok
    said = [line for line in hub.log_text()[seen:].splitlines() if "/groups " in line]
    assert len(said) <= 2  # one of the proxy's own and one of the server's
    assert not any(word in "".join(said) for word in key.split() if len(word) > 20)
