"""Servers that are forked from the template process, and their dashboards' processes."""

from __future__ import annotations

import contextlib
import json
import signal

import psutil
import pytest

from tests.conftest import StartHub
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub, wait_until
from tests.memory import memory_of, token_of
from tests.person import Person

ADMIN, ANALYST, MEMBER = "admin@acme.test", "analyst@acme.test", "member@acme.test"
CANARY = "a-line-of-a-notebook-that-nobody-else-has"
#: What a dashboard's process holds that no other one may hold too, or that a sibling might have
#: left it; and what none is to hold.
TELL = """
import asyncio, gc, json, multiprocessing, os, random, signal, ssl, sys
from pathlib import Path
import bokeh.document
import numpy
gc.unfreeze()  # the server hides what it has imported from the collector
everything = gc.get_objects()
ours = [one for one in everything
        if str(type(one).__module__).startswith(("dashboards.", "bokeh."))]
def kept(name):
    return sorted(str(vars(one)[name]) for one in ours if name in getattr(one, "__dict__", {}))
def count(kind):
    return sum(issubclass(type(one), kind) for one in everything)
def open_files():
    for number in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # the one that lists them
            continue
told = {
    "alone": {
        "random": random.random(),
        "numpy": numpy.random.rand(),
        "multiprocessing": bytes(multiprocessing.current_process().authkey).hex(),
        "openssl": ssl.RAND_bytes(16).hex(),
        "token of the session": kept("_token"),
        "process": os.getpid(),
        "sockets": sorted(file for file in open_files() if file.startswith("socket:")),
    },
    "of the person": [os.environ["HOME"], os.environ["JUPYTERHUB_USER"], os.getpgrp()],
    "secrets": [kept(name) for name in (
        "cookie_secret", "_secret_key", "api_token", "push_key", "client_id"
    )],
    "loops": count(asyncio.AbstractEventLoop),
    # Those for clients hold no key, and no session before the first connection.
    "contexts of TLS servers": [
        str(one) for one in everything
        if type(one) is ssl.SSLContext and one.protocol != ssl.PROTOCOL_TLS_CLIENT
    ],
    # The notebook's own, and the empty one that Bokeh keeps for scripts.
    "documents": sorted(len(one.roots) for one in ours if type(one) is bokeh.document.Document),
    "from the template": [file for file in open_files() if "template" in file],
    "handlers": {number: repr(signal.getsignal(number)) for number in (2, 13, 15, 17)},
    "path": sys.path,
    "backend": os.environ["MPLBACKEND"],
}
Path(os.environ["HOME"], "told.json").write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    hub = start_hub()
    write_notebook(hub.notebooks / "user" / "tell.ipynb", markdown(f"# Tell {CANARY}"), code(TELL))
    return hub


def opened(hub: Hub, name: str) -> Person:
    person = Person.signed_in(hub, name)
    person.open_dashboards()
    return person


def template(hub: Hub) -> psutil.Process:
    """The template process; waits until there is one that is ready."""

    def found() -> psutil.Process | None:
        for process in hub.process.children() if hub.process else []:
            with contextlib.suppress(psutil.Error):  # it ends just now
                if "dashboards.forks.template_process" in process.cmdline():
                    return process
        return None

    log = hub.log_text
    wait_until(lambda: log().count("process is ready") > log().count("process has ended"), "it")
    return wait_until(found, "a template process")


def told_by(hub: Hub, name: str) -> dict[str, object]:
    person = opened(hub, name)
    assert person.get(f"/user/{name}/dashboards/user/tell").ok
    return json.loads((hub.home_of(name) / "told.json").read_text())


def test_siblings_share_nothing_that_must_be_ones_own(hub: Hub) -> None:
    one, other, again = told_by(hub, ADMIN), told_by(hub, MEMBER), told_by(hub, MEMBER)
    for name in (ADMIN, MEMBER):
        assert hub.server_of(name).ppid() == template(hub).pid  # type: ignore[union-attr]
    for told, sibling in ((one, other), (other, again)):
        ours, theirs = told["alone"], sibling["alone"]
        assert all(ours.values()), ours
        assert {what for what in ours if ours[what] == theirs[what]} == set()
        assert not set(ours["sockets"]) & set(theirs["sockets"])
    assert not set(one["of the person"]) & set(other["of the person"])
    for told in (one, other):
        assert told["secrets"] == [[]] * 5
        assert (told["loops"], told["documents"], told["contexts of TLS servers"]) == (
            1,
            [0, 0],
            [],
        )
        assert (told["from the template"], told["backend"]) == (
            [],
            "module://dashboards.running.pyplot",
        )
        assert "SIG_DFL" in told["handlers"]["15"]
        assert not any("notebooks" in place for place in told["path"][1:])


@pytest.mark.slow
def test_only_the_front_of_a_server_knows_its_token(hub: Hub) -> None:
    told_by(hub, MEMBER)
    token, server = token_of(hub, MEMBER), hub.server_of(MEMBER)
    assert server is not None
    for process in (server, *hub.sessions_of(MEMBER)):
        assert token.encode() not in memory_of(process.pid)


def test_the_template_has_no_thread_and_no_more_open_files_than_it_needs(hub: Hub) -> None:
    parent, before = template(hub), template(hub).num_fds()
    told_by(hub, MEMBER)
    assert parent.num_threads() == 1
    children = {child.pid for child in parent.children()}
    assert parent.num_fds() - len(children) <= 5, before


def test_the_template_knows_no_secret_and_no_person(hub: Hub) -> None:
    told_by(hub, MEMBER)
    memory = memory_of(template(hub).pid)
    secrets = [path.read_text().strip() for path in (hub.state / "secrets").iterdir()]
    assert secrets
    for kept in [*secrets, MEMBER, hub.home_of(MEMBER).name, CANARY]:
        assert kept.encode() not in memory, kept


@pytest.mark.slow
def test_a_killed_template_ends_nobodys_server_and_comes_back(hub: Hub) -> None:
    person = opened(hub, MEMBER)
    server, before = hub.server_of(MEMBER), template(hub)
    before.kill()
    wait_until(lambda: "The template process has ended" in hub.log_text(), "its end")
    assert opened(hub, ANALYST).is_signed_in()
    assert template(hub) != before
    assert hub.server_of(MEMBER) == server
    assert person.get(f"/user/{MEMBER}/?all").ok
    person.get("/hub/logout")
    wait_until(lambda: hub.server_of(MEMBER) is None, "the end of a server without its parent")


@pytest.mark.slow
def test_a_template_that_hangs_is_replaced_and_holds_nobody_up(hub: Hub) -> None:
    person, before = opened(hub, ADMIN), template(hub)
    hub.api(f"/users/{ADMIN}/server", "DELETE")
    wait_until(lambda: hub.server_of(ADMIN) is None, "its end")
    before.send_signal(signal.SIGSTOP)
    person.open_dashboards()
    assert person.get(f"/user/{ADMIN}/dashboards/user/tell").ok
    assert template(hub) != before


@pytest.mark.slow
def test_without_it_servers_start_as_well(start_hub: StartHub) -> None:
    hub = start_hub(ATRIUM_TEMPLATE="off")
    opened(hub, MEMBER)
    server = hub.server_of(MEMBER)
    assert server is not None
    assert "dashboards.server" in server.cmdline()
    hub.stop()


@pytest.mark.slow
def test_a_command_that_only_reads_the_configuration_needs_none(hub: Hub) -> None:
    done = hub.jupyterhub("upgrade-db")
    assert done.returncode == 0, done.stderr
