"""The hub starts from any working folder, stops cleanly, and survives being killed."""

from __future__ import annotations

import re
import signal
import stat
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

import jupyterhub
import pytest
import requests

from tests.conftest import StartHub
from tests.hub import FEW_SERVERS, Hub, wait_until
from tests.person import Person


def test_a_start_makes_a_state_folder_that_is_private(hub: Hub) -> None:
    assert stat.S_IMODE(hub.state.stat().st_mode) & 0o066 == 0
    secrets = [path for path in (hub.state / "secrets").iterdir() if path.is_file()]
    assert secrets
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def test_the_start_says_the_address_the_accounts_and_the_state(hub: Hub) -> None:
    wait_until(lambda: "Ctrl-C" in hub.log_text(), "the lines for the person at the terminal")
    for part in (hub.url, "admin@acme.test", "member@acme.test", str(hub.state)):
        assert part in hub.log_text()
    assert len(re.findall("Isolated: |Not isolated: ", hub.log_text())) == 1


@pytest.mark.slow
def test_who_comes_while_the_hub_starts_is_asked_to_wait(start_hub: StartHub) -> None:
    hub = start_hub(**FEW_SERVERS)
    hub.stop()
    met: list[tuple[int, str]] = []
    with ThreadPoolExecutor() as threads:
        started = threads.submit(hub.start)
        while wait([started], timeout=0.01).not_done:
            with suppress(requests.ConnectionError):  # nobody listens yet
                page = requests.get(hub.url, timeout=5)
                met.append((page.status_code, page.text))
        started.result()
    assert any(status == 503 and "this page goes on by itself" in page for status, page in met)
    # Of the proxy itself, in the moment before it is told of the hub; no page of ours.
    assert not any(status == 404 and "Atrium" in page for status, page in met)


def test_a_server_tells_its_version_and_nothing_else_to_a_stranger(hub: Hub) -> None:
    Person.signed_in(hub, "member@acme.test").open_dashboards()
    answer = requests.get(f"{hub.url}/user/member@acme.test/api", timeout=5)
    assert answer.json() == {"version": jupyterhub.__version__}
    assert "Single-user server has no version" not in hub.log_text()


@pytest.mark.slow
def test_ctrl_c_leaves_no_process_and_the_next_start_knows_everything(start_hub: StartHub) -> None:
    hub = start_hub(**FEW_SERVERS)
    assert hub.api("/groups/finance", "POST").status_code == 201
    hub.stop()
    hub.start()
    assert "finance" in [group["name"] for group in hub.api("/groups").json()]


@pytest.mark.slow
def test_a_killed_hub_starts_again(start_hub: StartHub) -> None:
    hub = start_hub(**FEW_SERVERS)
    assert hub.process is not None
    hub.send(signal.SIGKILL)
    hub.start()
    assert requests.get(f"{hub.url}/hub/health", timeout=5).ok
    hub.stop()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DESCOPE_CLIENT_SECRET", "secret-value"),
        ("ATRIUM_PUBLIC_URL", "http://dashboards.example.com"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_names_it(
    start_hub: StartHub, name: str, value: str
) -> None:
    with pytest.raises(AssertionError, match="the hub ended with status 1") as failure:
        start_hub(**{name: value})
    said = "".join(failure.value.__notes__)
    assert name in said
    assert "Traceback" not in said
    assert "secret-value" not in said
