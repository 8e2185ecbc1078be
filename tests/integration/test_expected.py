"""Who signs in to see a dashboard finds it run already, once, and only if it is theirs to see."""

from __future__ import annotations

from urllib.parse import urljoin

import pytest

from tests.conftest import StartHub
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until
from tests.person import Person
from tests.requests_page import give, take

pytestmark = pytest.mark.slow

MEMBER = "member@acme.test"
LINK = "/hub/user-redirect/dashboards/"
COUNTED = """
import os
from pathlib import Path
import panel as pn
from dashboards import current_user
with Path(os.environ["HOME"], "runs").open("a") as file:
    file.write(f"{current_user().name} {pn.state.session_args}\\n")
assert "ATRIUM_EXPECTED" not in os.environ
pn.pane.Str("counted").servable()
"""


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    hub = start_hub()
    (hub.notebooks / "finance").mkdir()
    for group in ("user", "finance"):
        write_notebook(hub.notebooks / group / "counted.ipynb", code(COUNTED))
    Person.signed_in(hub, MEMBER).open_dashboards()
    return hub


@pytest.fixture
def member(hub: Hub) -> Person:
    """Somebody who has signed out, and has no server."""
    hub.api(f"/users/{MEMBER}/server", "DELETE")
    wait_until(lambda: hub.server_of(MEMBER) is None, "its end")
    (hub.home_of(MEMBER) / "runs").unlink(missing_ok=True)
    return Person(hub)


def runs(hub: Hub) -> list[str]:
    file = hub.home_of(MEMBER) / "runs"
    return file.read_text().splitlines() if file.exists() else []


def sessions(hub: Hub) -> int:
    """How many dashboards have a process."""
    return len(hub.sessions_of(MEMBER))


def on_the_way(person: Person, path: str) -> str:
    """Sign in to see a dashboard; the address to which the hub leads, not yet asked for."""
    person.ask_for_link(MEMBER, path)
    url = person.mailed_link(MEMBER)
    while f"/user/{MEMBER}/" not in url:
        page = person.get(url, allow_redirects=False)
        url = urljoin(page.url, page.headers["Location"])
    return url


def test_it_runs_before_it_is_asked_for_and_once(hub: Hub, member: Person) -> None:
    url = on_the_way(member, f"{LINK}user/counted?window=3")
    wait_until(lambda: runs(hub), "its run")
    page = member.get(url)
    assert '"token":"' in page.text
    assert runs(hub) == [f"{MEMBER} {{'window': [b'3']}}"]
    assert sessions(hub) == 1
    again = member.get(url)
    assert '"token":"' in again.text
    assert again.text != page.text  # a session of its own
    assert len(runs(hub)) == 2


def test_another_request_gets_its_own_run(hub: Hub, member: Person) -> None:
    url = on_the_way(member, f"{LINK}user/counted?window=3")
    wait_until(lambda: runs(hub), "the run that nobody will see")
    assert '"token":"' in member.get(url.replace("window=3", "window=4")).text
    assert [run.split()[-1] for run in runs(hub)] == ["[b'3']}", "[b'4']}"]
    wait_until(lambda: sessions(hub) == 1, "the end of the other one")


def test_another_browser_gets_its_own_run(hub: Hub, member: Person) -> None:
    url = on_the_way(member, f"{LINK}user/counted")
    wait_until(lambda: runs(hub), "the run that nobody will see")
    assert '"token":"' in member.get(url, headers={"Accept-Language": "de"}).text
    assert len(runs(hub)) == 2


def test_what_is_taken_on_the_way_is_not_shown(hub: Hub, member: Person) -> None:
    give(hub, "finance", MEMBER)
    url = on_the_way(member, f"{LINK}finance/counted")
    wait_until(lambda: runs(hub), "its run")
    take(hub, "finance", MEMBER)
    wait_until(lambda: not sessions(hub), "its end")
    assert member.get(url).status_code == 404


def test_another_browser_with_the_address_is_not_let_in(hub: Hub, member: Person) -> None:
    url = on_the_way(member, f"{LINK}user/counted")
    stranger = Person(hub)
    stranger.cookies.set("jupyterhub-session-id", member.cookies["jupyterhub-session-id"])
    assert "E-mail" in stranger.get(url).text
    assert '"token":"' in member.get(url).text


def test_what_is_not_shared_is_not_run(hub: Hub, member: Person) -> None:
    for dashboard in ("finance/counted", "user/..%2Ffinance%2Fcounted", "admin/the_hub", "user/no"):
        page = member.get(on_the_way(member, f"{LINK}{dashboard}"))
        assert page.status_code == 404
        hub.api(f"/users/{MEMBER}/server", "DELETE")
        wait_until(lambda: hub.server_of(MEMBER) is None, "its end")
        member = Person(hub)
    assert runs(hub) == []
