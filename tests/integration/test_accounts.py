"""A hub that gives each server an account of its own: what works, and what it follows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import machine
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub, wait_until
from tests.labs import Lab
from tests.machine import server
from tests.memory import token_of
from tests.person import Person

ADMIN, ANALYST, MEMBER = "admin@acme.test", "analyst@acme.test", "member@acme.test"
TELL = """
import json, os
from dashboards import hub_data
found = {f"{s.user} {s.name}": s.memory_mb for s in hub_data.servers()}
open(os.path.expanduser("~/told.json"), "w").write(json.dumps(found))
"""
LEAVE = """
import os, subprocess
left = subprocess.Popen(["sleep", "600"], start_new_session=True).pid
open(os.path.expanduser("~/left"), "w").write(str(left))
"""
#: What code in a lab can read of some paths.
LOOK = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
found = {{"uid": os.getuid(), "privileges": status["NoNewPrivs"].strip()}}
found["read"] = [path for path in {paths!r} if os.access(path, os.R_OK)]
print(json.dumps(found))
"""

pytestmark = pytest.mark.skipif(bool(machine.why_not()), reason=machine.why_not())


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with machine.hub_of(0) as hub:
        write_notebook(hub.notebooks / "admin" / "tell.ipynb", markdown("# Tell me"), code(TELL))
        write_notebook(hub.notebooks / "user" / "leave.ipynb", code(LEAVE))
        write_notebook(hub.notebooks / "finance" / "money.ipynb", markdown("# Money"), code("1"))
        yield hub.start()


@pytest.fixture
def member(hub: Hub) -> Iterator[Person]:
    """Somebody new to the hub each time."""
    person = Person(hub)
    person.sign_in(MEMBER)
    person.open_dashboards()
    yield person
    hub.api(f"/users/{MEMBER}", "DELETE")


@pytest.fixture(scope="module")
def admin(hub: Hub) -> Person:
    person = Person(hub)
    person.sign_in(ADMIN)
    person.open_dashboards()
    return person


def can_read(process: psutil.Process, folder: Path) -> bool:
    """Whether code in that process could read a folder."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    groups = next(line for line in status.splitlines() if line.startswith("Groups:")).split()[1:]
    uid = process.uids().real
    return _lists(uid, groups, folder)


def _lists(uid: int, groups: list[str], folder: Path) -> bool:
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}"]
    command += [f"--groups={','.join(groups)}" if groups else "--clear-groups", "ls", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_each_server_has_an_account_and_a_home(hub: Hub, admin: Person, member: Person) -> None:
    wait_until(lambda: "Isolated:" in hub.log_text(), "the line about accounts")
    admin.open_server("admin")
    whose = [(ADMIN, ""), (ADMIN, "admin"), (MEMBER, "")]
    servers = [server(hub, *one) for one in whose]
    uids = [process.uids() for process in servers]
    assert len({ids.real for ids in uids}) == 3
    for one, ids in zip(whose, uids, strict=True):
        assert ids.real == ids.effective == ids.saved >= 70_000
        status = hub.home_of(*one).stat()
        assert (status.st_uid, status.st_mode & 0o777) == (ids.real, 0o700)
    read = {(p, f.name) for p in servers for f in hub.notebooks.iterdir() if can_read(p, f)}
    default, own, other = servers
    assert read == {
        *((default, name) for name in ("user", "finance", "customers")),
        *((own, name) for name in ("user", "finance", "customers", "admin")),
        (other, "user"),
    }


def test_the_admin_server_is_told_how_much_memory_servers_use(
    hub: Hub, admin: Person, member: Person
) -> None:
    admin.open_server("admin")
    assert admin.get(f"/user/{ADMIN}/admin/dashboards/admin/tell").ok
    told = json.loads((hub.home_of(ADMIN, "admin") / "told.json").read_text())
    assert told.keys() == {f"{ADMIN} ", f"{ADMIN} admin", f"{MEMBER} "}
    assert all(used > 20 for used in told.values())


def test_a_notebook_that_comes_later_draws_with_matplotlib(hub: Hub, member: Person) -> None:
    """Whose process cannot read what the template, under another account, has found."""
    draws = code("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    write_notebook(hub.notebooks / "user" / "later.ipynb", markdown("# Later"), draws)
    page = member.get(f"/user/{MEMBER}/dashboards/user/later")
    assert (page.status_code, "data:image/png" in page.text) == (200, True)


def test_the_gallery_shows_the_admin_folder_to_admins(admin: Person, member: Person) -> None:
    assert "Tell me" in admin.get(f"/user/{ADMIN}/?all").text
    assert "Tell me" not in member.get(f"/user/{MEMBER}/?all").text
    leads = admin.get(f"/user/{ADMIN}/dashboards/admin/tell", allow_redirects=False)
    assert f"/hub/spawn/{ADMIN}/admin?next=" in leads.headers["Location"]


def test_a_running_server_follows_its_persons_groups(hub: Hub, member: Person) -> None:
    process, finance, user = server(hub, MEMBER), hub.notebooks / "finance", hub.notebooks / "user"
    hub.api("/groups/finance", "POST")
    hub.api("/groups/finance/users", "POST", json={"users": [MEMBER]})
    wait_until(lambda: can_read(process, finance), "the new folder")
    wait_until(lambda: "Money" in member.get(f"/user/{MEMBER}/?all").text, "its card")
    assert member.get(f"/user/{MEMBER}/dashboards/finance/money").ok
    assert can_read(process, user)
    hub.api("/groups/user/users", "DELETE", json={"users": [MEMBER]})
    wait_until(lambda: not can_read(process, user), "the end of a right that it started with")
    assert server(hub, MEMBER) == process
    hub.api("/groups/user/users", "POST", json={"users": [MEMBER]})
    hub.api("/groups/finance/users", "DELETE", json={"users": [MEMBER]})
    wait_until(lambda: not can_read(process, finance), "the end of a right given while it ran")
    assert server(hub, MEMBER) == process


def test_a_folder_that_comes_is_shut_and_opened(hub: Hub, admin: Person) -> None:
    late = hub.notebooks / "late"
    write_notebook(late / "late.ipynb", markdown("# Late"))
    wait_until(lambda: not _lists(70_999, [], late), "the folder shut to others")
    wait_until(lambda: can_read(server(hub, ADMIN), late), "the folder for who may see it")
    wait_until(lambda: "Late" in admin.get(f"/user/{ADMIN}/?all").text, "its card")


def test_a_lab_reads_nothing_but_its_home(hub: Hub, member: Person) -> None:
    analyst = Person.signed_in(hub, ANALYST)
    analyst.open_dashboards()
    lab = Lab(analyst)
    assert server(hub, ANALYST, "lab").uids().real != server(hub, ANALYST).uids().real
    closed = [*hub.notebooks.iterdir(), hub.state / "secrets", hub.state / "jupyterhub.sqlite"]
    closed += [hub.home_of(MEMBER), hub.home_of(ANALYST)]
    found = json.loads(lab.run(LOOK.format(paths=list(map(str, closed)))))
    assert found["read"] == []
    assert found["uid"] == server(hub, ANALYST, "lab").uids().real
    assert found["privileges"] == "1"  # none to be gained
    assert lab.preview("as/member/dashboards/work/first_dashboard").ok
    hub.api(f"/users/{ANALYST}", "DELETE")


def test_nothing_of_a_server_is_left(hub: Hub, admin: Person, member: Person) -> None:
    assert member.get(f"/user/{MEMBER}/dashboards/user/leave").ok
    process = server(hub, MEMBER)
    left = psutil.Process(int((hub.home_of(MEMBER) / "left").read_text()))
    assert left.is_running()
    uid = process.uids().real
    hub.api(f"/users/{MEMBER}/server", "DELETE")
    assert can_read(server(hub, ADMIN), hub.notebooks / "user")
    wait_until(lambda: not left.is_running(), "the end of what a notebook had left")
    lists = b"".join(os.getxattr(f, "system.posix_acl_access") for f in hub.notebooks.iterdir())
    assert uid.to_bytes(4, "little") not in lists


def test_somebody_who_comes_again_gets_an_account_never_used(hub: Hub, member: Person) -> None:
    first = server(hub, MEMBER).uids().real
    hub.api(f"/users/{MEMBER}", "DELETE")
    again = Person(hub)
    again.sign_in(MEMBER)
    again.open_dashboards()
    assert server(hub, MEMBER).uids().real > first


def test_the_next_start_goes_on_with_running_servers(hub: Hub, member: Person) -> None:
    process, token = server(hub, MEMBER), token_of(hub, MEMBER)
    hub.send(signal.SIGTERM)
    hub.start()
    assert hub.api("/claims", headers={"Authorization": f"token {token}"}).json()["name"] == MEMBER
    hub.api("/groups/finance", "POST")
    hub.api("/groups/finance/users", "POST", json={"users": [MEMBER]})
    wait_until(lambda: can_read(process, hub.notebooks / "finance"), "the new folder")
    assert can_read(process, hub.notebooks / "user")
    assert process.is_running()
