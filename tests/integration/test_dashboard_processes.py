"""Each open dashboard has a process of its own: what happens to it happens to no other one."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dashboards.web.close_codes import ENDED
from dashboards.web.sessions import MOST
from tests.conftest import StartHub
from tests.dashboards.notebooks import code, write_notebook
from tests.dashboards.test_address_state import DRAWN
from tests.hub import Hub, wait_until
from tests.integration.test_faults import no_more_processes
from tests.person import Person, answers, closed_with

MEMBER = "member@acme.test"
HOME = "import os\nfrom pathlib import Path\nhome = Path(os.environ['HOME'])\n"
PLAIN = "import panel as pn\npn.pane.Str('a plain one').servable()"
#: Takes the processor, in Python, until somebody says that it is enough.
COMPUTES = HOME + "(home / 'computes').touch()\nwhile not (home / 'enough').exists():\n    pass"
COMPUTES_LATER = (
    HOME + "import panel as pn\ndef compute():\n    (home / 'computes').touch()\n"
    "    while not (home / 'enough').exists():\n        pass\n"
    "pn.state.onload(compute)\npn.pane.Str('later').servable()"
)
#: Waits for something else once its page asks, and then keeps what it has got.
SAVES = (
    HOME
    + """
import asyncio
import panel as pn
async def save():
    (home / "saving").touch()
    await asyncio.sleep(0.5)
    (home / "saved").touch()
pn.state.onload(save)
pn.pane.Str("saves").servable()
"""
)
KILLED = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
#: A component of the notebook's own, with a file beside it.
STYLED = """
import pathlib
import panel as pn
class Styled(pn.reactive.ReactiveHTML):
    _template = "<p>styled</p>"
    _stylesheets = [pathlib.Path(__file__).parent / "styled.css"]
"""
OWN_STYLE = "from styled import Styled\nStyled().servable()"
#: Leaves a process that is nobody's child, in a session of its own.
LEAVES = (
    HOME
    + """
import subprocess, sys
program = (
    "import subprocess; print(subprocess.Popen(['sleep', '600'], start_new_session=True,"
    " stdout=subprocess.DEVNULL).pid)"
)
done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
(home / "left").write_bytes(done.stdout)
"left"
"""
)
#: Says to the server's front what no session says.
HOSTILE = (
    HOME
    + """
import panel as pn
import stat
def lie():
    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                os.write(number, WHAT)
        except OSError:
            pass
pn.state.add_periodic_callback(lie, period=100, count=1)
pn.pane.Str("hostile").servable()
"""
)
#: No frame at all; one that only a front sends; JSON of a wrong form, twice; one longer than any
#: memory; for a WebSocket that there is not.
LIES = (
    b"\xff" * 13,
    b"\x04" + bytes(12),
    b"\x02" + bytes(11) + b"\x05[1,2]",
    b"\x02" + bytes(11) + b"\x02{}",
    b"\x02" + bytes(4) + b"\x7f" + bytes(7) + b"{",
    b"\x05" + bytes(3) + b"\x63" + bytes(7) + b"\x02hi",
)


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    hub = start_hub()
    sources = {"plain": PLAIN, "computes": COMPUTES, "later": COMPUTES_LATER, "killed": KILLED}
    sources |= {"leaves": LEAVES, "saves": SAVES, "own_style": OWN_STYLE}
    (hub.notebooks / "user" / "styled.py").write_text(STYLED)
    (hub.notebooks / "user" / "styled.css").write_text("p { margin: 0 }")
    for number, said in enumerate(LIES):
        sources[f"lie{number}"] = HOSTILE.replace("WHAT", repr(said))
    for name, source in sources.items():
        write_notebook(hub.notebooks / "user" / f"{name}.ipynb", code(source))
    return hub


@pytest.fixture(scope="module")
def person(hub: Hub) -> Person:
    return Person.signed_in(hub, MEMBER)


@pytest.fixture
def member(hub: Hub, person: Person) -> Iterator[Person]:
    """Somebody with a server that has no dashboard open."""
    hub.api(f"/users/{MEMBER}/server", "DELETE")
    wait_until(lambda: hub.server_of(MEMBER) is None, "its end")
    person.open_dashboards()
    for name in ("computes", "enough"):
        (hub.home_of(MEMBER) / name).unlink(missing_ok=True)
    yield person
    (hub.home_of(MEMBER) / "enough").touch()


def address(name: str) -> str:
    return f"/user/{MEMBER}/dashboards/user/{name}"


def is_open(page: str) -> bool:
    return '"token":"' in page


def computes(hub: Hub) -> bool:
    return (hub.home_of(MEMBER) / "computes").exists()


def test_one_that_computes_as_it_opens_holds_up_no_other(hub: Hub, member: Person) -> None:
    with ThreadPoolExecutor() as threads:
        slow = threads.submit(Person.signed_in(hub, MEMBER).get, address("computes"), timeout=60)
        wait_until(lambda: computes(hub), "the computing one")
        assert is_open(member.get(address("plain")).text)
        assert member.get(f"/user/{MEMBER}/?all").ok
        assert not slow.done()
        (hub.home_of(MEMBER) / "enough").touch()
        assert is_open(slow.result().text)


def test_a_callback_that_computes_holds_up_no_other(hub: Hub, member: Person) -> None:
    other, busy = member.watch("user", "plain"), member.watch("user", "later")
    for part in ({"msgid": "2", "msgtype": "PATCH-DOC"}, {}, {"events": [DRAWN]}):
        busy.send(json.dumps(part))
    wait_until(lambda: computes(hub), "the computing one")
    assert answers(other)
    with pytest.raises(TimeoutError):
        answers(busy, 0.5)
    (hub.home_of(MEMBER) / "enough").touch()
    assert answers(busy)


def test_what_a_page_has_asked_for_is_done_though_it_is_gone(hub: Hub, member: Person) -> None:
    done = hub.home_of(MEMBER) / "saved"
    done.unlink(missing_ok=True)
    socket = member.watch("user", "saves")
    for part in ({"msgid": "2", "msgtype": "PATCH-DOC"}, {}, {"events": [DRAWN]}):
        socket.send(json.dumps(part))
    wait_until((hub.home_of(MEMBER) / "saving").exists, "its beginning")
    socket.close()
    wait_until(done.exists, "its end")


def test_one_that_is_killed_is_told_so_and_goes_alone(hub: Hub, member: Person) -> None:
    other = member.watch("user", "plain")
    before = set(hub.sessions_of(MEMBER))
    socket = member.watch("user", "plain")
    (killed,) = set(hub.sessions_of(MEMBER)) - before
    killed.kill()
    assert closed_with(socket) == ENDED
    assert answers(other)
    assert answers(member.watch("user", "plain"))
    assert re.search(r"user/plain failed, reference \w+: Its process was killed", hub.log_text())


def test_one_that_is_killed_as_it_opens_has_a_page(hub: Hub, member: Person) -> None:
    page = member.get(address("killed")).text
    assert "most likely because it needs more memory than there is" in page
    assert "Reference: <code>" in page
    assert is_open(member.get(address("plain")).text)


def test_a_fork_that_is_refused_has_a_page_and_ends_nothing(hub: Hub, member: Person) -> None:
    other, server = member.watch("user", "plain"), hub.server_of(MEMBER)
    assert server is not None
    with no_more_processes(server):
        page = member.get(address("plain")).text
    assert "There is no room for one more dashboard at the moment." in page
    assert answers(other)
    assert is_open(member.get(address("plain")).text)


def test_what_a_dashboard_leaves_running_ends_with_it(hub: Hub, member: Person) -> None:
    socket = member.watch("user", "leaves")
    left = psutil.Process(int((hub.home_of(MEMBER) / "left").read_text()))
    assert left.is_running()
    for session in hub.sessions_of(MEMBER):
        session.kill()
    closed_with(socket)
    wait_until(lambda: not left.is_running(), "the end of what it has left")


@pytest.mark.slow
def test_what_a_dashboard_leaves_running_ends_with_the_server(hub: Hub, member: Person) -> None:
    member.watch("user", "leaves")
    left = psutil.Process(int((hub.home_of(MEMBER) / "left").read_text()))
    hub.api(f"/users/{MEMBER}/server", "DELETE")
    wait_until(lambda: not left.is_running(), "the end of what it has left")


@pytest.mark.slow
def test_a_server_whose_front_is_killed_ends_whole(hub: Hub, member: Person) -> None:
    socket, server = member.watch("user", "plain"), hub.server_of(MEMBER)
    assert server is not None
    family = [server, *server.children()]
    hub.front_of(MEMBER).send_signal(signal.SIGKILL)
    assert closed_with(socket) == 1006
    wait_until(lambda: not any(process.is_running() for process in family), "the end of all")
    wait_until(lambda: f"{MEMBER} was killed" in hub.log_text(), "what the hub says")


@pytest.mark.parametrize("lie", range(len(LIES)))
def test_what_a_notebook_says_in_its_sessions_name_harms_itself_only(
    hub: Hub, member: Person, lie: int
) -> None:
    other, server = member.watch("user", "plain"), hub.server_of(MEMBER)
    with contextlib.suppress(InvalidStatus, ConnectionClosed):  # it has lied, and is gone already
        hostile = member.watch("user", f"lie{lie}")
        if lie < 5:
            assert closed_with(hostile) == ENDED
    assert answers(other)
    assert is_open(member.get(address("plain")).text)
    assert hub.server_of(MEMBER) == server


@pytest.mark.parametrize(
    "component", ["panel.reactive/ReactiveCustomBase/__css__/x", "os/path/__css__/x", "no/x/y/z"]
)
def test_an_address_of_no_component_ends_no_dashboard(
    hub: Hub, member: Person, component: str
) -> None:
    socket = member.watch("user", "plain")
    assert member.get(f"/user/{MEMBER}/components/{component}").status_code == 404
    assert answers(socket)


def test_a_component_is_served_by_the_dashboard_that_uses_it(hub: Hub, member: Person) -> None:
    page = member.get(address("own_style")).text
    assert is_open(page)
    css = f"/user/{MEMBER}/components/styled/Styled/_stylesheets/styled.css"
    answer = member.get(css)
    assert (answer.text, answer.headers["Content-Type"]) == ("p { margin: 0 }", "text/css")
    assert Person(hub).get(css, headers={"Sec-Fetch-Mode": "cors"}).status_code == 403


def test_who_leaves_while_it_opens_leaves_nothing_running(hub: Hub, member: Person) -> None:
    with pytest.raises(requests.exceptions.RequestException, match="timed out"):
        member.get(address("computes"), timeout=2)
    assert computes(hub)
    member.close()
    wait_until(lambda: not hub.sessions_of(MEMBER), "the end of the computing one")


@pytest.mark.slow
def test_nobody_has_more_than_so_many_open(hub: Hub, member: Person) -> None:
    token = re.search(r'"token":"([^"]+)"', member.get(address("plain")).text)
    assert token
    sockets = [member.watch("user", "plain") for _ in range(MOST)]
    with pytest.raises(InvalidStatus):  # nobody looked at it: it made room
        member.connect(f"{address('plain')}/ws", "bokeh", token[1])
    assert "close one of them" in member.get(address("plain")).text
    sockets.pop().close()
    wait_until(lambda: is_open(member.get(address("plain")).text), "room for one more")
    wait_until(lambda: len(hub.sessions_of(MEMBER)) <= MOST, "the end of the one")
