"""The code of notebooks is compiled once, for all whom the hub lets open them."""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import machine
from tests.conftest import StartHub
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until
from tests.integration.test_accounts import can_read
from tests.machine import server
from tests.person import Person

ANALYST, MEMBER = "analyst@acme.test", "member@acme.test"
SHOWS = "import panel as pn\npn.pane.Str('{}').servable()"
TAMPERS = """
import json, os, panel as pn
from pathlib import Path
def outcome(attempt):
    try:
        return f"got {attempt()}"
    except OSError as error:
        return f"refused: {error.strerror}"
place = Path(os.environ["ATRIUM_SHARED"])
code = place / "user" / "code"
kept = next(code.iterdir())
tried = {
    "change": outcome(lambda: kept.write_bytes(b"")),
    "remove": outcome(lambda: kept.unlink()),
    "add": outcome(lambda: (code / "more").write_bytes(b"")),
    "another folder's": outcome(lambda: os.listdir(place / "finance" / "code")),
    "all folders": outcome(lambda: os.listdir(place)),
}
Path(os.path.expanduser("~/tried.json")).write_text(json.dumps(tried))
pn.pane.Str("tampers").servable()
"""


def code_of(hub: Hub, group: str, place: str) -> list[Path]:
    """The files in which is the code of this cell."""
    folder = hub.state / "shared" / group / "code"
    files = [file for file in folder.glob("*") if len(file.name) == 64]
    return [file for file in files if place.encode() in file.read_bytes()]


def becomes(hub: Hub, group: str, place: str) -> Path:
    wait_until(lambda: len(code_of(hub, group, place)) == 1, f"the code of {place}")
    return code_of(hub, group, place)[0]


def page(person: Person, name: str) -> str:
    return person.get(f"/user/{MEMBER}/dashboards/user/{name}").text


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    return start_hub()


def test_what_is_kept_is_what_runs_until_the_notebook_changes(hub: Hub) -> None:
    path = write_notebook(hub.notebooks / "user" / "shows.ipynb", code(SHOWS.format("before")))
    kept = becomes(hub, "user", "shows.ipynb, cell 1")
    person = Person.signed_in(hub, MEMBER)
    assert "before" in page(person, "shows")
    other = compile(SHOWS.format("what is kept"), "shows.ipynb, cell 1", "exec")
    kept.write_bytes(marshal.dumps([{"code": other}]))
    assert "what is kept" in page(person, "shows")
    write_notebook(path, code(SHOWS.format("after")))
    assert "after" in page(person, "shows")
    wait_until(lambda: not kept.exists(), "the end of what was kept")
    assert becomes(hub, "user", "shows.ipynb, cell 1") != kept
    path.unlink()
    wait_until(lambda: not code_of(hub, "user", "shows.ipynb, cell 1"), "the end of its code")


def test_a_folder_that_comes_later_is_followed_too(hub: Hub) -> None:
    write_notebook(hub.notebooks / "later" / "one.ipynb", code("x = 1"))
    becomes(hub, "later", "one.ipynb, cell 1")


@pytest.fixture(scope="module")
def hub_with_accounts() -> Iterator[Hub]:
    if reason := machine.why_not():
        pytest.skip(reason)
    with machine.hub_of(0) as hub:
        write_notebook(hub.notebooks / "user" / "tampers.ipynb", code(TAMPERS))
        write_notebook(hub.notebooks / "finance" / "one.ipynb", code("x = 1"))
        hub.start()
        yield hub


def test_a_notebook_changes_no_code_and_reads_that_of_its_folders_alone(
    hub_with_accounts: Hub,
) -> None:
    hub = hub_with_accounts
    kept = becomes(hub, "user", "tampers.ipynb, cell 1")
    becomes(hub, "finance", "one.ipynb, cell 1")
    person = Person.signed_in(hub, MEMBER)
    assert "tampers" in page(person, "tampers")
    tried = json.loads((hub.home_of(MEMBER) / "tried.json").read_text())
    assert len(tried) == 5
    assert all(outcome.startswith("refused") for outcome in tried.values()), tried
    assert kept.exists()
    process = server(hub, MEMBER)
    assert can_read(process, hub.state / "shared" / "user" / "code")
    assert not can_read(process, hub.state / "shared" / "finance" / "code")


def test_who_loses_a_folder_loses_its_code(hub_with_accounts: Hub) -> None:
    hub = hub_with_accounts
    becomes(hub, "finance", "one.ipynb, cell 1")
    Person.signed_in(hub, ANALYST).open_dashboards()
    place = hub.state / "shared" / "finance" / "code"
    hub.api("/groups/finance", "POST")
    assert hub.api("/groups/finance/users", "POST", json={"users": [ANALYST]}).ok
    wait_until(lambda: can_read(server(hub, ANALYST), place), "the folder's code")
    assert hub.api("/groups/finance/users", "DELETE", json={"users": [ANALYST]}).ok
    wait_until(lambda: not can_read(server(hub, ANALYST), place), "its loss")
