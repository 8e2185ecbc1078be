"""The code of notebooks is compiled once, for all whom the hub lets open them."""

from __future__ import annotations

import json
import marshal
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_extensions.accounts import access_lists
from tests import machine
from tests.conftest import StartHub
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until
from tests.integration.test_accounts import can_read
from tests.machine import server
from tests.person import Person

pytestmark = pytest.mark.slow

ANALYST, MEMBER = "analyst@acme.test", "member@acme.test"
SHOWS = "import panel as pn\npn.pane.Str('{}').servable()"
#: What a dashboard tries; what it has opened it keeps open.
TAMPERS = """
import json, os, panel as pn
from pathlib import Path
def outcome(attempt):
    try:
        return f"got {attempt()}"
    except OSError as error:
        return f"refused: {error.strerror}"
place = Path(os.environ["ATRIUM_SHARED"])
kept = next((place / "user").glob("code-*"), place / "user" / "none")
tried = {
    "change": outcome(lambda: kept.write_bytes(b"")),
    "remove": outcome(lambda: kept.unlink()),
    "add": outcome(lambda: (place / "user" / "more").write_bytes(b"")),
    "another folder's": outcome(lambda: os.listdir(place / "finance")),
    "all folders": outcome(lambda: os.listdir(place)),
}
Path(os.path.expanduser("~/tried.json")).write_text(json.dumps(tried))
pn.pane.Str("tampers").servable()
"""


class Known(Person):
    """Somebody who has signed in."""

    name = ""


def codes(hub: Hub, group: str = "user") -> set[Path]:
    """What is kept of a folder."""
    return set((hub.state / "shared" / group).glob("code-*"))


def becomes_kept(hub: Hub, cell: str, group: str = "user") -> Path:
    """The file in which the code of this cell comes to be."""

    def found() -> Path | None:
        return next(
            (file for file in codes(hub, group) if cell.encode() in file.read_bytes()), None
        )

    return wait_until(found, f"the code of {cell}")


def page(person: Known, name: str, group: str = "user") -> str:
    return person.get(f"/user/{person.name}/dashboards/{group}/{name}").text


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    return start_hub()


@pytest.fixture(scope="module")
def member(hub: Hub) -> Known:
    return signed_in(hub, MEMBER)


def signed_in(hub: Hub, name: str) -> Known:
    person = Known.signed_in(hub, name)
    person.name = name
    person.open_dashboards()
    return person


def test_what_is_kept_is_what_runs_until_the_notebook_changes(hub: Hub, member: Known) -> None:
    path = write_notebook(hub.notebooks / "user" / "shows.ipynb", code(SHOWS.format("before")))
    assert "before" in page(member, "shows")
    kept = becomes_kept(hub, "shows.ipynb, cell 1")
    other = compile(SHOWS.format("what is kept"), "shows.ipynb, cell 1", "exec")
    kept.chmod(0o600)
    kept.write_bytes(marshal.dumps([{"code": other}]))
    assert "what is kept" in page(member, "shows")
    write_notebook(path, code(SHOWS.format("after")))
    assert "after" in page(member, "shows")
    wait_until(lambda: not kept.exists(), "the end of what was kept")
    assert becomes_kept(hub, "shows.ipynb, cell 1") != kept


def test_of_a_notebook_that_is_gone_nothing_stays(hub: Hub, member: Known) -> None:
    path = write_notebook(hub.notebooks / "user" / "goes.ipynb", code(SHOWS.format("it goes")))
    page(member, "goes")
    kept = becomes_kept(hub, "goes.ipynb, cell 1")
    path.unlink()
    write_notebook(hub.notebooks / "user" / "next.ipynb", code(SHOWS.format("next")))
    page(member, "next")
    becomes_kept(hub, "next.ipynb, cell 1")
    assert not kept.exists()


@pytest.mark.parametrize("broken", ["(" * 100_000, "!ls\n" + "-" * 100_000])
def test_what_is_too_much_for_the_compiler_holds_up_no_other(
    hub: Hub, member: Known, broken: str
) -> None:
    write_notebook(hub.notebooks / "user" / "broken.ipynb", code(broken))
    page(member, "broken")
    name = f"after{len(broken)}"
    write_notebook(hub.notebooks / "user" / f"{name}.ipynb", code(SHOWS.format("after")))
    page(member, name)
    becomes_kept(hub, f"{name}.ipynb, cell 1")


def test_a_full_disk_is_told_and_the_dashboard_opens(hub: Hub, member: Known) -> None:
    place = hub.state / "shared" / "user"
    away = place.rename(place.with_name("away"))
    place.write_text("no folder")  # nothing can be kept in it
    try:
        write_notebook(hub.notebooks / "user" / "full.ipynb", code(SHOWS.format("all the same")))
        assert "all the same" in page(member, "full")
        wait_until(lambda: "full.ipynb is not kept" in hub.log_text(), "a word in the log")
    finally:
        place.unlink()
        away.rename(place)
    assert "all the same" in page(member, "full")
    becomes_kept(hub, "full.ipynb, cell 1")


@pytest.fixture(scope="module")
def hub_with_accounts() -> Iterator[Hub]:
    if reason := machine.why_not():
        pytest.skip(reason)
    with machine.hub_of(0) as hub:
        write_notebook(hub.notebooks / "user" / "tampers.ipynb", code(TAMPERS))
        write_notebook(hub.notebooks / "finance" / "one.ipynb", code(SHOWS.format("money")))
        hub.start()
        hub.api("/groups/finance", "POST")
        yield hub


@pytest.fixture(scope="module")
def analyst(hub_with_accounts: Hub) -> Known:
    return signed_in(hub_with_accounts, ANALYST)


@pytest.fixture
def finance(hub_with_accounts: Hub, analyst: Known) -> Path:
    """What the viewers of `finance` share, of whom the analyst is one."""
    return put_into_finance(hub_with_accounts, analyst)


def put_into_finance(hub: Hub, analyst: Known) -> Path:
    assert hub.api("/groups/finance/users", "POST", json={"users": [ANALYST]}).ok
    wait_until(lambda: "money" in page(analyst, "one", "finance"), "the dashboard")
    becomes_kept(hub, "one.ipynb, cell 1", "finance")
    return hub.state / "shared" / "finance"


def test_a_notebook_changes_no_code_and_reads_that_of_its_folders_alone(
    hub_with_accounts: Hub, finance: Path
) -> None:
    hub = hub_with_accounts
    member = signed_in(hub, MEMBER)
    page(member, "tampers")
    kept = becomes_kept(hub, "tampers.ipynb, cell 1")
    assert "tampers" in page(member, "tampers")
    tried = json.loads((hub.home_of(MEMBER) / "tried.json").read_text())
    assert len(tried) == 5
    assert all(outcome.startswith("refused") for outcome in tried.values()), tried
    assert kept.exists()
    assert can_read(server(hub, MEMBER), kept)
    assert not can_read(server(hub, MEMBER), finance)
    assert can_read(server(hub, ANALYST), finance)


def test_who_loses_a_folder_loses_its_code_also_by_what_was_open(
    hub_with_accounts: Hub, finance: Path
) -> None:
    hub = hub_with_accounts
    process = server(hub, ANALYST)
    status = Path(f"/proc/{process.pid}/status").read_text()
    groups = re.search(r"^Groups:\t(.*)", status, re.MULTILINE)[1].split()  # pyright: ignore
    uid = process.uids().real
    # Opened as long as they may, used when they may not.
    reader, writer = os.pipe()
    look = (
        "import os, sys; place = os.open(sys.argv[1], os.O_RDONLY); print(len(os.listdir(place)),"
        " flush=True); sys.stdin.read(); print(len(os.listdir('/proc/self/fd/%d' % place)))"
    )
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={','.join(groups)}"]
    with subprocess.Popen(
        [*command, "/usr/bin/python3", "-c", look, str(finance)],
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as looks:
        os.close(reader)
        assert looks.stdout
        assert looks.stdout.readline().strip() == "1"
        assert hub.api("/groups/finance/users", "DELETE", json={"users": [ANALYST]}).ok
        wait_until(lambda: not can_read(process, finance), "the loss of the code")
        os.close(writer)
        assert looks.wait(20) != 0


def test_who_may_write_into_the_folder_may_not_write_what_is_kept(
    hub_with_accounts: Hub, analyst: Known
) -> None:
    hub = hub_with_accounts
    folder = hub.notebooks / "written"
    write_notebook(folder / "one.ipynb", code(SHOWS.format("words")))
    access_lists.guard(folder, {access_lists.user(54321): 0o7})
    hub.api("/groups/written", "POST")
    assert hub.api("/groups/written/users", "POST", json={"users": [ANALYST]}).ok
    wait_until(lambda: "words" in page(analyst, "one", "written"), "the dashboard")
    becomes_kept(hub, "one.ipynb, cell 1", "written")
    place = hub.state / "shared" / "written"
    others = {who for who in access_lists.read(place) if who[1] == 54321}
    assert not others
    assert place.stat().st_mode & 0o007 == 0
    assert can_read(server(hub, ANALYST), place)


def test_nothing_stays_of_a_folder_that_goes(
    hub_with_accounts: Hub, analyst: Known, finance: Path
) -> None:
    hub = hub_with_accounts
    (hub.notebooks / "finance").rename(hub.notebooks / "moved")
    try:
        wait_until(lambda: not finance.exists(), "the end of what was shared")
    finally:
        (hub.notebooks / "moved").rename(hub.notebooks / "finance")
    put_into_finance(hub, analyst)
