"""Data that is the same for all viewers of a folder, on a hub that gives accounts to servers."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests import machine
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until
from tests.integration.test_accounts import can_read
from tests.machine import server
from tests.memory import token_of
from tests.person import Person

ADMIN, ANALYST, MEMBER = "admin@acme.test", "analyst@acme.test", "member@acme.test"
LOAD = """
from pathlib import Path
made, uid, home = time.time(), os.getuid(), os.environ["HOME"]
environment = dict(os.environ)
frame = pd.DataFrame({"number": [1.0, 2.0], "text": ["a", "b"]})
def outcome(attempt):
    try:
        return f"got {attempt()}"
    except OSError as error:
        return f"refused: {error.strerror}"
def replace_results():
    Path(shared, "user", "x").symlink_to("/etc/passwd")
targets = json.loads(Path("targets.json").read_text())
shared = targets["shared"]
tried = {
    "a secret": outcome(lambda: Path(targets["secret"]).read_text()),
    "another folder": outcome(lambda: os.listdir(targets["finance"])),
    "another folder's data": outcome(lambda: os.listdir(Path(shared, "finance"))),
    "a home": outcome(lambda: os.listdir(targets["home"])),
    "its own results": outcome(replace_results),
    "its notebook": outcome(lambda: Path("data.ipynb").write_text("")),
}
subprocess.Popen(["sleep", "600"], start_new_session=True)
"""
TELL = """
told = {"made": made, "uid": uid, "home": home, "tried": tried, "environment": environment}
told |= {"sum": frame["number"].sum(), "texts": list(frame["text"]), "mine": os.getuid()}
Path(os.path.expanduser("~/told.json")).write_text(json.dumps(told))
"""
IMPORTS = "import json, os, subprocess, time\nimport pandas as pd"
BROKEN = "raise ValueError('a password')"
SECRET = "s3cret-of-finance"
USES_SECRET = """
import json, os, pathlib
found = {"environment": os.environ.get("SALES_DB"), "file": ""}
for place in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        found["file"] += (place / "environ").read_bytes().decode(errors="replace")
    except OSError:
        pass
try:
    found["file"] += pathlib.Path(FILE).read_text()
except OSError as error:
    found["file"] += error.strerror
pathlib.Path(os.path.expanduser("~/found.json")).write_text(json.dumps(found))
"""


class Known(Person):
    """Somebody who has signed in once for all tests."""

    name = ""


PEOPLE: list[Known] = []

pytestmark = pytest.mark.skipif(bool(machine.why_not()), reason=machine.why_not())


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with machine.hub_of(0) as hub:
        write_data(hub, "user")
        write_data(hub, "finance")
        write_notebook(hub.notebooks / "user" / "broken.ipynb", code(BROKEN, "shared"))
        hub.start()
        hub.api("/groups/finance", "POST")
        yield hub


def write_data(hub: Hub, group: str) -> None:
    """A notebook with a shared cell that also looks for what is not for it."""
    folder = hub.notebooks / group
    write_notebook(folder / "data.ipynb", code(IMPORTS), code(LOAD, "shared"), code(TELL))
    targets = {
        "shared": str(hub.state / "shared"),
        "secret": str(hub.state / "secrets" / "cookie_secret"),
        "finance": str(hub.notebooks / "admin"),
        "home": str(hub.state / "people"),
    }
    (folder / "targets.json").write_text(json.dumps(targets))


def person(hub: Hub, name: str) -> Person:
    """Somebody whose server runs."""
    found = next((p for p in PEOPLE if p.name == name and p.is_signed_in()), None)
    if found is None:
        found = Known.signed_in(hub, name)
        found.name = name
        PEOPLE.append(found)
    if hub.server_of(name) is None:
        found.open_dashboards()
    return found


def told_by(hub: Hub, name: str, group: str = "user") -> dict[str, object]:
    """What the notebook tells when somebody opens it."""
    page = person(hub, name).get(f"/user/{name}/dashboards/{group}/data", timeout=60)
    assert '"token":"' in page.text, page.text + hub.log_tail()
    return json.loads((hub.home_of(name) / "told.json").read_text())


def maps_of(hub: Hub, uid: int, group: str) -> list[str]:
    """How the living processes of an account have a folder's data in memory."""
    found = []
    for process in psutil.process_iter():
        try:
            if uid in process.uids():
                found += Path(f"/proc/{process.pid}/maps").read_text().splitlines()
        except (psutil.NoSuchProcess, OSError):
            continue
    return [line for line in found if f"{hub.state}/shared/{group}/" in line]


def put_into(hub: Hub, group: str, name: str) -> None:
    person(hub, name)  # the hub knows who has signed in
    assert hub.api(f"/groups/{group}/users", "POST", json={"users": [name]}).ok


def take_out(hub: Hub, group: str, name: str) -> None:
    assert hub.api(f"/groups/{group}/users", "DELETE", json={"users": [name]}).ok


def test_it_is_loaded_once_by_an_account_that_can_do_nothing_else(hub: Hub) -> None:
    one, other = told_by(hub, ANALYST), told_by(hub, MEMBER)
    assert one["made"] == other["made"]
    assert (one["sum"], one["texts"]) == (3.0, ["a", "b"])
    accounts = {one["uid"], one["mine"], other["mine"]}
    assert len(accounts) == 3
    assert min(accounts) >= 70_000
    tried = one["tried"]
    assert len(tried) == 6
    assert all(outcome.startswith("refused") for outcome in tried.values()), tried
    environment = one["environment"]
    assert not [name for name in environment if "TOKEN" in name or "JUPYTER" in name]
    assert environment.keys() <= {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "MPLBACKEND"}
    assert not [p for p in psutil.process_iter(["uids"]) if one["uid"] in p.info["uids"]]


def test_it_is_mapped_read_only_for_those_who_see_the_folder(hub: Hub) -> None:
    put_into(hub, "finance", ANALYST)
    wait_until(lambda: can_read(server(hub, ANALYST), hub.notebooks / "finance"), "the folder")
    told_by(hub, ANALYST, "finance")
    maps = maps_of(hub, server(hub, ANALYST).uids().real, "finance")
    assert maps
    assert all(" r--s " in line for line in maps)
    place = hub.state / "shared" / "finance"
    assert can_read(server(hub, ANALYST), place)
    assert not can_read(server(hub, MEMBER), place)


@pytest.mark.parametrize("restart", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_who_loses_the_folder_has_its_data_in_no_process(hub: Hub, restart: bool) -> None:
    put_into(hub, "finance", ANALYST)
    analyst = person(hub, ANALYST)
    wait_until(lambda: can_read(server(hub, ANALYST), hub.notebooks / "finance"), "the folder")
    told_by(hub, ANALYST, "finance")
    told_by(hub, ANALYST, "user")
    before = server(hub, ANALYST)
    uid = before.uids().real
    if restart:
        hub.send(signal.SIGTERM)
        hub.start()
        assert server(hub, ANALYST) == before
    assert maps_of(hub, uid, "finance")
    take_out(hub, "finance", ANALYST)
    wait_until(lambda: not maps_of(hub, uid, "finance"), "the end of what held it")
    assert maps_of(hub, uid, "user")  # what is left goes on
    assert server(hub, ANALYST) == before
    told_by(hub, ANALYST)
    assert analyst.get(f"/user/{ANALYST}/dashboards/finance/data").status_code == 404


def test_only_dashboards_of_a_folder_find_its_secrets(hub: Hub) -> None:
    file = hub.state / "folder-secrets" / "finance.env"
    file.parent.mkdir(mode=0o700)
    file.write_text(f"SALES_DB={SECRET}\n")
    file.chmod(0o600)
    uses = code(USES_SECRET.replace("FILE", repr(str(file))))
    raises = code("import os\nraise ValueError('no way to ' + os.environ['SALES_DB'])")
    for group in ("finance", "user"):
        write_notebook(hub.notebooks / group / "uses.ipynb", uses)
        write_notebook(hub.notebooks / group / "raises.ipynb", raises)
    put_into(hub, "finance", ANALYST)
    analyst = person(hub, ANALYST)
    wait_until(lambda: can_read(server(hub, ANALYST), hub.notebooks / "finance"), "the folder")

    def found(group: str) -> dict[str, str]:
        wait_until(lambda: analyst.get(f"/user/{ANALYST}/dashboards/{group}/uses").ok, "a page")
        return json.loads((hub.home_of(ANALYST) / "found.json").read_text())

    wait_until(lambda: found("finance")["environment"] == SECRET, "the secret where it is due")
    # An open dashboard has it in its memory while another folder's looks for it.
    assert found("user")["environment"] is None
    assert SECRET not in found("user")["file"]
    assert told_by(hub, ANALYST, "finance")["environment"]["SALES_DB"] == SECRET
    assert "SALES_DB" not in told_by(hub, ANALYST, "user")["environment"]
    # Whatever goes wrong, nobody reads it: not on an admin's page, not in the log.
    page = person(hub, ADMIN).get(f"/user/{ADMIN}/dashboards/finance/raises").text
    assert "no way to •••" in page
    assert SECRET not in page
    assert SECRET not in hub.log_text()
    file.chmod(0o644)
    page = analyst.get(f"/user/{ANALYST}/dashboards/finance/uses").text
    assert "What it needs to reach its data is not set up rightly." in page
    assert "make it yours alone" in hub.log_text()
    file.unlink()


@pytest.mark.parametrize("path", ["shared-data", "folder-secrets"])
def test_a_server_asks_for_no_other_folder(hub: Hub, path: str) -> None:
    person(hub, MEMBER)

    def asks(group: str, name: str, token: str) -> int:
        return requests.post(
            f"{hub.url}/hub/api/{path}",
            json={"group": group, "dashboard": name},
            headers={"Authorization": f"token {token}"},
            timeout=60,
        ).status_code

    its = token_of(hub, MEMBER)
    assert asks("user", "data", its) == 200
    assert asks("user", "penguins", its) == (404 if path == "shared-data" else 200)
    for group, name in [("finance", "data"), ("admin", "access"), ("user", "no"), ("..", "user")]:
        assert asks(group, name, its) == 403
    admin = person(hub, ADMIN)
    admin.open_server("admin")
    admins = token_of(hub, ADMIN, "admin")
    assert asks("admin", "access", admins) == (404 if path == "shared-data" else 200)
    assert asks("user", "data", admins) == 403  # which it reads, and does not run


def test_a_failure_is_told_to_viewers_and_explained_to_admins(hub: Hub) -> None:
    page = person(hub, MEMBER).get(f"/user/{MEMBER}/dashboards/user/broken").text
    assert "A cell that loads its data failed." in page
    assert "a password" not in page
    reference = re.search(r"Reference: <code>(\w+)</code>", page)
    assert reference
    assert f"reference {reference[1]}" in hub.log_text()
    assert "a password" in person(hub, ADMIN).get(f"/user/{ADMIN}/dashboards/user/broken").text


@pytest.mark.slow
def test_it_is_loaded_again_when_a_cell_or_a_file_changes(hub: Hub) -> None:
    first = told_by(hub, MEMBER)["made"]
    (hub.notebooks / "user" / "more.csv").write_text("a,b")
    second = told_by(hub, MEMBER)["made"]
    assert first != second
    assert told_by(hub, MEMBER)["made"] == second
    left = (path.name for path in (hub.state / "shared" / "user").iterdir())
    assert len([name for name in left if not name.startswith("code-")]) == 1


@pytest.mark.slow
def test_a_killed_process_leaves_a_sentence_and_the_next_try_is_its_own(hub: Hub) -> None:
    killer = "import os\nfor pid in (os.getppid(), os.getpid()): os.kill(pid, 9)"
    write_notebook(hub.notebooks / "user" / "killed.ipynb", code(killer, "shared"))
    page = person(hub, MEMBER).get(f"/user/{MEMBER}/dashboards/user/killed").text
    assert "Its data could not be loaded." in page
    write_notebook(hub.notebooks / "user" / "killed.ipynb", code("x = 1", "shared"), code("x"))
    page = person(hub, MEMBER).get(f"/user/{MEMBER}/dashboards/user/killed").text
    assert "could not be" not in page
