"""Many at once, and what dies or is refused meanwhile, on a real hub: all get what is theirs.

The tests share one hub and its people, and go from one fault to the next.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from html import unescape
from pathlib import Path
from threading import Event

import psutil
import pytest
import requests
from descope import AssociatedTenant

from tests.conftest import StartHub
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub, wait_until
from tests.integration.test_template import template
from tests.person import PULL, Person, closed_with

pytestmark = pytest.mark.slow

MINE = """
import os
from pathlib import Path
import panel as pn
from dashboards import current_user
pn.extension()
kept = Path(os.environ["HOME"], "kept.txt")
kept.touch()
kept.write_text(kept.read_text() or current_user().name)
pn.pane.Str(f"<shown to {current_user().name}, kept by {kept.read_text()}>").servable()
"""
SHOWN = """
import panel as pn
from dashboards import current_user
pn.pane.Str(f"<shown to {current_user().name}>").servable()
"""


class Visit:
    """One of many people, signed in.

    Attributes:
        link: the one they were mailed, which signs them in.
        places: the places in line that they were told, the first by the page itself.
    """

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name = hub, name
        self.person = Person(hub)
        # Anew each time: the proxy closes what is idle for some seconds, maybe in mid-request.
        self.person.headers["Connection"] = "close"
        self.places: list[int] = []

    @property
    def home(self) -> str:
        return f"/user/{self.name}/"

    def sign_in(self) -> None:
        self.ask_for_link()
        self.open_link()

    def ask_for_link(self) -> None:
        self.person.ask_for_link(self.name, "/hub/home")
        self.link = self.person.mailed_link(self.name)

    def open_link(self) -> None:
        self.person.get(self.link, timeout=120)

    def come(self) -> None:
        """Wait in line as the page does, and see one's own dashboards."""
        page = self.person.get(f"/hub/spawn/{self.name}", timeout=120)
        if found := re.search(r"You are number (\d+) in line", page.text):
            self.places.append(int(found[1]))
        if found := re.search(r'EventSource\(("[^"]+")\)', page.text):
            self._wait(json.loads(found[1]))
        page = self.person.get(f"{self.home}?all", timeout=120)
        assert page.ok, page.url
        assert people_in(page.text) <= {self.name}

    def _wait(self, progress: str) -> None:
        with self.person.get(progress, stream=True, timeout=120) as events:
            for line in events.iter_lines(decode_unicode=True):
                event = json.loads(line.removeprefix("data: ")) if line else {}
                assert not event.get("failed"), event
                if event.get("place"):
                    self.places.append(event["place"])
                if event.get("ready"):
                    return

    def sees(self) -> set[str]:
        """Whose the live document is, by what it shows and what its server has kept."""
        socket = self.person.watch("user", "mine")
        for part in PULL:
            socket.send(json.dumps(part))
        document = ""
        while "<shown to" not in unescape(document):
            document = str(socket.recv(timeout=20))
        return set(re.findall(r"(?:shown to|kept by) ([^\s,>&]+)", unescape(document)))


def people_in(page: str) -> set[str]:
    """The people of this test that a page names."""
    return set(re.findall(r"p\d+@acme\.test", page))


def all_at_once(
    work: Callable[[Visit], object], visits: Sequence[Visit], at_once: int | None = None
) -> list[object]:
    with ThreadPoolExecutor(at_once or len(visits)) as threads:
        return list(threads.map(work, visits))


def make_people(hub: Hub, count: int) -> list[Visit]:
    names = [f"p{number:03}@acme.test" for number in range(count)]
    for name in names:
        hub.project.mgmt.user.create(
            name, email=name, verified_email=True, user_tenants=[AssociatedTenant("acme", [])]
        )
    return [Visit(hub, name) for name in names]


@contextlib.contextmanager
def health_asked(hub: Hub) -> Iterator[list[int]]:
    """Ask after the hub's health all the while; the answers' status codes."""
    answers: list[int] = []
    over = Event()

    def ask() -> None:
        while not over.wait(0.1):
            answers.append(requests.get(f"{hub.url}/hub/health", timeout=20).status_code)

    with ThreadPoolExecutor() as threads:
        asking = threads.submit(ask)
        try:
            yield answers
        finally:
            over.set()
    asking.result()


def assert_each_has_their_own(visits: Sequence[Visit]) -> None:
    def look(visit: Visit) -> None:
        assert visit.sees() == {visit.name}

    all_at_once(look, visits)
    for visit, other in zip(visits, [*visits[1:], visits[0]], strict=True):
        page = visit.person.get(f"{other.home}dashboards/user/mine")
        assert visit.home in page.url  # everybody is led to their own
        assert people_in(page.text) == {visit.name}


def servers_of(visits: Sequence[Visit]) -> dict[str, psutil.Process | None]:
    return {visit.name: visit.hub.server_of(visit.name) for visit in visits}


def server_record(visit: Visit) -> dict[str, object]:
    """What the hub's API says of somebody's server; empty if there is none."""
    return visit.hub.api(f"/users/{visit.name}").json()["servers"].get("", {})


def end_server(visit: Visit) -> None:
    visit.hub.api(f"/users/{visit.name}/server", "DELETE")
    wait_until(lambda: not server_record(visit), "the end of a server")


@contextlib.contextmanager
def no_more_processes(process: psutil.Process) -> Iterator[None]:
    """Let the kernel refuse each fork of this process, as it does when there is no memory."""
    groups = Path("/sys/fs/cgroup")
    groups = groups / "pids" if (groups / "pids").is_dir() else groups
    group = groups / f"atrium-test-{process.pid}"
    try:
        group.mkdir()
        (group / "pids.max").write_text("1")
        (group / "cgroup.procs").write_text(str(process.pid))
    except OSError as error:
        pytest.skip(f"no group of processes can be made here: {error}")
    try:
        yield
    finally:
        (groups / "cgroup.procs").write_text(str(process.pid))
        group.rmdir()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own, with 24 MiB."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24M,mode=755", "none", str(folder)], check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte free; returns the file that takes it all."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return filler


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    hub = start_hub(ATRIUM_STARTS_AT_ONCE="1", ATRIUM_SIGN_IN_LIMIT="2000")
    write_notebook(hub.notebooks / "user" / "mine.ipynb", markdown("# Mine"), code(MINE))
    write_notebook(hub.notebooks / "user" / "large.ipynb", code("bytearray(8 * 1024**3)"))
    return hub


@pytest.fixture(scope="module")
def visits(hub: Hub) -> list[Visit]:
    """Twenty people who have come at once, and waited in line."""
    visits, warm = make_people(hub, 20), template(hub)
    all_at_once(Visit.sign_in, visits)
    warm.send_signal(signal.SIGSTOP)  # it is too fast for a line to be seen
    with health_asked(hub) as answers, ThreadPoolExecutor() as threads:
        coming = threads.submit(all_at_once, Visit.come, visits)
        wait_until(lambda: any(visit.places for visit in visits), "a line")
        warm.send_signal(signal.SIGCONT)
        coming.result()
    assert answers
    assert set(answers) == {200}
    return visits


def test_who_comes_in_a_crowd_is_told_their_place_and_gets_their_own(visits: list[Visit]) -> None:
    told = [visit.places for visit in visits]
    assert max(max(places, default=0) for places in told) > 1, told
    for visit in visits:
        assert visit.places == sorted(visit.places, reverse=True)
    assert all(servers_of(visits).values())
    assert_each_has_their_own(visits)


def test_a_template_that_is_killed_while_it_forks_holds_nobody_up(
    hub: Hub, visits: list[Visit]
) -> None:
    visit, warm = visits[0], template(hub)
    end_server(visit)
    warm.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        opened = threads.submit(visit.person.open_dashboards)
        wait_until(lambda: server_record(visit).get("pending") == "spawn", "the order")
        warm.kill()
        opened.result()
    server = hub.server_of(visit.name)
    assert server is not None
    # Without a template; or by the next one, if this one was killed before it had the order.
    assert "dashboards.server" in server.cmdline() or server.ppid() == template(hub).pid
    assert_each_has_their_own(visits[:3])


def test_a_fork_that_is_refused_is_a_start_without_the_template(
    hub: Hub, visits: list[Visit]
) -> None:
    visit, warm = visits[1], template(hub)
    end_server(visit)
    with no_more_processes(warm):
        visit.person.open_dashboards()
    assert f"{visit.name} starts without the template process: [Errno" in hub.log_text()
    assert hub.server_of(visit.name).ppid() != warm.pid  # type: ignore[union-attr]
    assert_each_has_their_own(visits[:3])
    end_server(visit)
    visit.person.open_dashboards()
    assert hub.server_of(visit.name).ppid() == warm.pid  # type: ignore[union-attr]


def test_who_loses_their_server_is_told_so_and_gets_it_again(hub: Hub, visits: list[Visit]) -> None:
    visit, others = visits[0], visits[1:4]
    before = servers_of(others)
    server = hub.server_of(visit.name)
    assert server is not None
    socket = visit.person.watch("user", "mine")
    server.kill()
    assert closed_with(socket) == 1006
    address = f"{visit.home}dashboards/user/mine"
    wait_until(lambda: visit.person.get(address).status_code == 424, "a page that tells it")
    page = visit.person.get(address)
    assert "Your dashboards were stopped" in page.text
    left_open = visit.person.get("/hub/closed?why=stopped&dashboard=user/mine")
    assert "Your dashboards were stopped" in left_open.text
    closed = others[0].person.get("/hub/closed?why=stopped&dashboard=user/mine")
    assert "This dashboard was closed" in closed.text
    assert f"{visit.name} was killed, most likely for want of memory" in hub.log_text()
    assert "were stopped" not in others[0].person.get(others[0].home).text
    link = re.search(r'class="button primary" href="([^"]+)"', page.text)
    assert link
    visit.person.get(unescape(link[1]))
    wait_until(lambda: visit.person.get(address).ok, "the server again")
    assert_each_has_their_own([visit, *others])
    assert servers_of(others) == before


def test_a_killed_hub_finds_everybodys_server_again(hub: Hub, visits: list[Visit]) -> None:
    sockets = [visit.person.watch("user", "mine") for visit in visits]
    before = servers_of(visits)
    hub.send(signal.SIGKILL)
    assert {closed_with(socket) for socket in sockets} == {1006}  # the proxy has ended with it
    assert all(server and server.is_running() for server in before.values())
    hub.start()
    assert servers_of(visits) == before
    assert_each_has_their_own(visits)


def test_who_loses_a_server_of_an_earlier_hub_is_told_so_too(hub: Hub, visits: list[Visit]) -> None:
    visit, other = visits[:2]
    server, gone = hub.server_of(visit.name), hub.server_of(other.name)
    assert server is not None
    assert gone is not None
    hub.send(signal.SIGTERM)
    gone.kill()
    hub.start()
    server.kill()
    address = f"{visit.home}dashboards/user/mine"
    wait_until(lambda: visit.person.get(address).status_code == 424, "a page that tells it")
    assert "Your dashboards were stopped" in visit.person.get(address).text
    # Of what ended while there was no hub nobody can tell why: perhaps with the machine.
    assert "were stopped" not in other.person.get(other.home).text
    for one in (visit, other):
        one.come()
    assert_each_has_their_own(visits)


def test_a_killed_proxy_is_back_with_everybodys_route(hub: Hub, visits: list[Visit]) -> None:
    before = servers_of(visits)
    proxy = next(
        process
        for process in hub.processes()
        if "configurable-http-proxy" in " ".join(process.cmdline())
    )
    proxy.kill()
    psutil.wait_procs([proxy], 10)

    def is_back() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{hub.url}/hub/health", timeout=5).ok
        return False

    wait_until(is_back, "the proxy", seconds=30)
    wait_until(lambda: visits[0].person.get(visits[0].home).ok, "the routes", seconds=30)
    assert_each_has_their_own(visits)
    assert servers_of(visits) == before


def test_a_dashboard_that_wants_too_much_memory_says_so(hub: Hub, visits: list[Visit]) -> None:
    visit = visits[0]
    server = hub.server_of(visit.name)
    page = visit.person.get(f"{visit.home}dashboards/user/large")
    assert "needs more memory than there is" in page.text
    reference = re.search(r"<code>(\w+)</code>", page.text)
    assert reference
    assert "Traceback" not in page.text
    wait_until(lambda: f"failed, reference {reference[1]}" in hub.log_text(), "the reference")
    assert hub.server_of(visit.name) == server
    assert visit.sees() == {visit.name}


def test_a_full_disk_ends_nothing_and_what_was_kept_is_kept(
    start_hub: StartHub, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small") as disk:
        hub = start_hub(ATRIUM_STATE=str(disk))
        hub.state = disk
        write_notebook(hub.notebooks / "user" / "mine.ipynb", code(SHOWN))
        first, second = make_people(hub, 2)
        first.sign_in()
        first.come()
        server = hub.server_of(first.name)
        filler = fill(disk)
        page = first.person.get(f"{first.home}dashboards/user/mine")
        assert first.sees() == {first.name}, page.text
        answers = [second.person.get("/"), second.person.get("/hub/oauth_login")]
        for page in answers:
            assert "Traceback" not in page.text
            assert "OperationalError" not in page.text
        assert requests.get(f"{hub.url}/hub/health", timeout=20).ok
        assert hub.process is not None
        assert hub.process.poll() is None
        filler.unlink()
        second.sign_in()
        second.come()
        assert_each_has_their_own([first, second])
        assert hub.server_of(first.name) == server
        with closing(sqlite3.connect(disk / "jupyterhub.sqlite")) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            names = {name for (name,) in db.execute("SELECT name FROM users")}
        assert names >= {first.name, second.name}
        hub.stop()


@pytest.mark.timeout(600)
def test_two_hundred_sign_in_at_once(start_hub: StartHub) -> None:
    hub = start_hub(ATRIUM_SIGN_IN_LIMIT="20000")
    write_notebook(hub.notebooks / "user" / "mine.ipynb", code(MINE))
    visits = make_people(hub, 200)

    all_at_once(Visit.ask_for_link, visits, at_once=20)  # the outbox shows the newest mails only

    def sign_in_and_come(visit: Visit) -> None:
        visit.open_link()
        visit.come()

    with health_asked(hub) as answers:
        all_at_once(sign_in_and_come, visits)
    assert set(answers) == {200}
    for visit in visits:
        assert visit.places == sorted(visit.places, reverse=True)
    servers = [server.pid for server in servers_of(visits).values() if server]
    assert len(set(servers)) == len(visits)
    assert_each_has_their_own(visits[::10])
    hub.stop()
