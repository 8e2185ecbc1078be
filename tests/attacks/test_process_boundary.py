"""A published notebook that turns against the hub, in both ways in which a hub can run.

`accounts`: the hub runs as root and gives each server an account of its own. `one account`: it
cannot, and hub and servers are one account's; what then succeeds stands in docs/security.md, and
shows that the attempts are real.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import machine
from tests.attacks import attack, guard_out
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub
from tests.memory import token_of
from tests.person import Person

VICTIM, ATTACKER = "admin@acme.test", "member@acme.test"
OTHER_UID = 64_200
ATTEMPTS = Path(__file__).with_name("attempts.py")
#: What everybody may do; without it the refusals would mean nothing.
ALLOWED = ["know_own_name", "read_its_own_files"]
#: What nothing but an account of its own keeps a notebook from.
NEEDS_ACCOUNTS = {
    "the hub's files are its account's": [
        "read_the_database",
        "read_a_secret",
        "read_the_providers_store",
        "list_the_state_folder",
    ],
    "a home is one account's": ["read_another_home"],
    "a folder is for servers that may read it": [
        "read_another_folder",
        "read_the_admin_folder",
        "write_beside_itself",
        "change_itself",
        "write_a_folder",
        "open_its_folder_to_all",
    ],
    "processes are of different accounts": [
        "read_environment_of_hub",
        "open_memory_of_unhidden",  # a process of the hub's account that does not hide its memory
        "trace_of_unhidden",
        "copy_memory_of_unhidden",
        "end_the_hub",
        "end_the_proxy",
        "end_sibling",
    ],
    "limits of a server": ["start_600_processes", "fill_the_disk"],
}
GUARDED = {
    "scopes of a server's token": [
        "make_a_group",
        "join_admin",
        "become_full_admin",
        "make_a_token",
        "remove_somebody",
        "start_as_somebody",
        "list_people",
        "list_groups",
        "read_memory_of_servers",
        "read_admin_cards",
    ],
    "a server's memory has a limit": ["take_memory"],
    "a server is its owner's": ["open_somebodys_server"],
    "a server is not root's": ["read_environment_of_init", "read_shadow", "end_init"],
    "no secret in the environment": ["find_a_secret_in_its_environment"],
    "a server hides its memory": [
        "read_environment_of_sibling",
        "open_memory_of_sibling",
        "open_memory_of_admin_server",
        "trace_of_sibling",
        "trace_of_admin_server",
        "copy_memory_of_sibling",
        "copy_memory_of_admin_server",
    ],
    "no new privileges": [
        "become_root",
        "become_somebody_else",
        "join_another_group",
        "take_roots_shell",
        "run_something_setuid",
        "mount_something",
        "dump_core",
        "raise_a_limit",
    ],
}


def tried(*tables: dict[str, list[str]]) -> list[Any]:
    """Attempts as parameters of a test."""
    return [
        pytest.param(name, marks=attack("hostile notebook, Python", guard))
        for table in tables
        for guard, names in table.items()
        for name in names
    ]


def taken_out() -> list[Any]:
    """What succeeds without accounts, as parameters of a test."""
    return [
        pytest.param(name, marks=guard_out(guard))
        for guard, names in NEEDS_ACCOUNTS.items()
        for name in names
    ]


pytestmark = [
    pytest.mark.hub,
    pytest.mark.timeout(400),  # the first test starts a hub, four servers, and all attempts
    pytest.mark.skipif(bool(machine.why_not()), reason=machine.why_not()),
]


def outcomes_on(hub: Hub, uid: int) -> dict[str, str]:
    """How the attempts of a notebook end on a hub that runs as `uid`."""
    (hub.notebooks / "finance").mkdir()
    (hub.notebooks / "finance" / "figures.csv").write_text("figures")
    os.chown(hub.notebooks / "finance", uid, uid)
    hub.start()
    unhidden = subprocess.Popen([*machine.as_uid(uid), "sleep", "600"])
    try:
        attacker = sign_everybody_in(hub)
        user = hub.notebooks / "user"
        (user / "targets.json").write_text(json.dumps(targets(hub, unhidden.pid)))
        shutil.copy(ATTEMPTS, user)
        write_notebook(user / "attack.ipynb", code("import attempts\nattempts.run()"))
        for path in user.iterdir():
            os.chown(path, uid, uid)
        assert attacker.get(f"/user/{ATTACKER}/dashboards/user/attack", timeout=100).ok
    finally:
        unhidden.kill()
        unhidden.wait()
    return json.loads((hub.home_of(ATTACKER) / "outcomes.json").read_text())


def sign_everybody_in(hub: Hub) -> Person:
    """Start the servers of both people; returns the attacker."""
    victim, attacker = Person(hub), Person(hub)
    victim.sign_in(VICTIM)
    victim.open_dashboards()
    victim.open_server("admin")
    assert victim.get(f"/user/{VICTIM}/admin/dashboards/admin/who_am_i").ok
    attacker.sign_in(ATTACKER)
    attacker.open_dashboards()
    return attacker


def targets(hub: Hub, unhidden: int) -> dict[str, Any]:
    """What there is to steal, and where; things that nobody must know by chance."""
    assert hub.process is not None
    sibling, admin_server = machine.server(hub, VICTIM), machine.server(hub, VICTIM, "admin")
    proxy = next(p for p in hub.processes() if "configurable-http-proxy" in " ".join(p.cmdline()))
    (hub.home_of(VICTIM) / "private.txt").write_text("private")
    return {
        "me": ATTACKER,
        "victim": VICTIM,
        "api_url": f"{hub.url}/hub/api",
        "token": token_of(hub, ATTACKER),
        "victim_url": f"{hub.url}/user/{VICTIM}/",
        "state": str(hub.state),
        "database": str(hub.state / "jupyterhub.sqlite"),
        "secret": str(hub.state / "secrets" / "cookie_secret"),
        "providers_store": str(hub.state / "descope" / "project.sqlite"),
        "file_in_home": str(hub.home_of(VICTIM) / "private.txt"),
        "file_of_finance": str(hub.notebooks / "finance" / "figures.csv"),
        "file_of_admin": str(hub.notebooks / "admin" / "the_hub.ipynb"),
        "environment_of_hub": f"/proc/{hub.process.pid}/environ",
        "environment_of_init": "/proc/1/environ",
        "environment_of_sibling": f"/proc/{sibling.pid}/environ",
        "shadow": "/etc/shadow",
        "hub": hub.process.pid,
        "proxy": proxy.pid,
        "init": 1,
        "sibling": sibling.pid,
        "admin_server": admin_server.pid,
        "unhidden": unhidden,
        "another_id": OTHER_UID,
        "setuid_id": str(setuid_id(hub.folder)),
    }


def setuid_id(folder: Path) -> Path:
    """A copy of `id` that runs as root, whoever starts it."""
    copy = folder / "setuid-id"
    if not copy.exists():
        shutil.copy(shutil.which("id") or "", copy)
        copy.chmod(0o4755)
    return copy


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("on", id="template"),
        pytest.param("off", id="no template", marks=pytest.mark.slow),
    ],
)
def accounts(request: pytest.FixtureRequest) -> dict[str, str]:
    """How the attempts end where each server has an account of its own: in one that was forked
    from the template process, which is root's, and in one that was not."""
    with machine.hub_of(0, ATRIUM_TEMPLATE=request.param) as hub:
        found = outcomes_on(hub, 0)
        assert ("template process is ready" in hub.log_text()) == (request.param == "on")
        assert "starts without the template process" not in hub.log_text()
    return found


@pytest.fixture(scope="module")
def one_account() -> Iterator[dict[str, str]]:
    """How they end where hub and servers are one account's, which is not root."""
    with machine.hub_of(machine.HUB_UID) as hub:
        yield outcomes_on(hub, machine.HUB_UID)


@pytest.mark.parametrize("name", tried(GUARDED, NEEDS_ACCOUNTS))
def test_with_accounts_it_is_refused(accounts: dict[str, str], name: str) -> None:
    assert accounts[name].startswith("refused"), accounts[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", tried(GUARDED))
def test_under_one_account_it_is_refused(one_account: dict[str, str], name: str) -> None:
    assert one_account[name].startswith("refused"), one_account[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", taken_out())
def test_under_one_account_it_succeeds(one_account: dict[str, str], name: str) -> None:
    assert one_account[name].startswith("got"), one_account[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_allowed_works(
    accounts: dict[str, str], one_account: dict[str, str], name: str
) -> None:
    for outcomes in (accounts, one_account):
        assert outcomes[name].startswith("got"), outcomes[name]
        assert outcomes.keys() == set(ALLOWED).union(*GUARDED.values(), *NEEDS_ACCOUNTS.values())


@guard_out("no new privileges")
def test_the_setuid_program_would_work_without_its_guard() -> None:
    with machine.open_folder() as folder:
        command = [*machine.as_uid(OTHER_UID), str(setuid_id(folder)), "-u"]
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"0\n"
        command[1:1] = ["--no-new-privs"]
        assert subprocess.run(command, capture_output=True, check=True).stdout == b"64200\n"
