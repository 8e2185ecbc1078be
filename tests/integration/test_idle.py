"""A server that nobody uses is stopped, and opens again as it was left."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import urlsplit

import psutil
import pytest

from tests.conftest import StartHub
from tests.hub import Hub, wait_until
from tests.person import Person

pytestmark = pytest.mark.slow

MEMBER = "member@acme.test"
#: Those of the role, and what JupyterHub reads into them.
SCOPES = {"list:users", "read:users:activity", "read:servers", "delete:servers", "read:users:name"}


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    """One that stops them, after as long as it does by itself."""
    return start_hub(ATRIUM_IDLE_MINUTES="60")


def culler(hub: Hub) -> psutil.Process:
    """The service that stops servers; waits until it is one."""
    return wait_until(
        lambda: next(
            (one for one in hub.processes() if "jupyterhub_idle_culler" in one.cmdline()), None
        ),
        "the culler",
    )


def test_an_unused_server_is_stopped_and_opens_again_as_it_was(hub: Hub) -> None:
    service = culler(hub)
    assert "--timeout=3600" in service.cmdline()
    person = Person.signed_in(hub, MEMBER)
    person.open_dashboards()
    socket = person.watch("user", "sensor_explorer")
    before = hub.server_of(MEMBER)
    # The same with less patience; what it may do is what the hub has given to the service.
    command = [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=1", "--cull-every=1"]
    with subprocess.Popen(command, env=service.environ()) as impatient:
        try:
            wait_until(lambda: hub.server_of(MEMBER) is None, "the end of one with an open page")
        finally:
            impatient.terminate()
    assert before is not None
    socket.close()
    wait_until(lambda: not hub.api(f"/users/{MEMBER}").json()["servers"], "the hub's word for it")
    values = "dashboard=user/sensor_explorer&values=a%3Db%26c%3D%2522%253E"
    page = person.get(f"/hub/closed?why=stopped&{values}")
    assert 'href="/hub/user-redirect/dashboards/user/sensor_explorer?a=b&amp;c=%22%3E"' in page.text
    again = wait_until(
        lambda: (
            (page := person.get("/hub/user-redirect/dashboards/user/sensor_explorer?a=b"))
            and "/user/" in urlsplit(page.url).path
            and '"token":"' in page.text
            and page
        ),
        "the dashboard again",
    )
    assert urlsplit(again.url).query == "a=b"


def test_the_culler_may_do_no_more_than_that(hub: Hub) -> None:
    token = culler(hub).environ()["JUPYTERHUB_API_TOKEN"]
    me = hub.api("/user", headers={"Authorization": f"token {token}"}).json()
    assert {scope.partition("!")[0] for scope in me["scopes"]} == SCOPES, me["scopes"]
    for name in ("/groups", "/proxy", f"/users/{MEMBER}/tokens"):
        assert hub.api(name, headers={"Authorization": f"token {token}"}).status_code in {403, 404}
