"""Starting, stopping, and what a restart keeps."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from hub_extensions.local_descope.config import Config, ConfigError, config_from_environment
from tests.local_descope.stand_in import ROOT, Browser, Client, StandIn

pytestmark = pytest.mark.long


def test_a_restart_forgets_nobody(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path).start()
    client, browser = Client(stand_in), Browser(stand_in)
    try:
        tokens = client.finish(browser.sign_in(client, "admin@acme.test"))
        other = Browser(stand_in)
        waiting = other.ask_for_link(client, "new@example.test")
        answer = browser.open(client.begin())
        stand_in.stop()
        stand_in.start()
        assert client.claims(client.finish(answer))["email"] == "admin@acme.test"
        assert client.claims(client.refresh(tokens))["sub"] == client.claims(tokens)["sub"]
        assert client.userinfo(tokens).status_code == 200
        assert "Location" in browser.open(client.begin()).headers
        question = other.open(other.mailed_links("new@example.test")[0])
        other.press(question, "Go on", fullName="New")
        assert "in the other tab" in other.open(waiting.url).text
        other.close()
    finally:
        stand_in.stop()
        client.session.close()
        browser.close()


def test_only_its_owner_reads_the_state(stand_in: StandIn) -> None:
    state = stand_in.folder / "state"
    for path in (state, *state.iterdir()):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path.name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JUPYTERHUB_SERVICE_URL", None),
        ("JUPYTERHUB_SERVICE_URL", "http://0.0.0.0:8000"),
        ("JUPYTERHUB_SERVICE_PREFIX", None),
        ("LOCAL_DESCOPE_URL", "https://atrium.example/services/descope"),
        ("LOCAL_DESCOPE_URL", "http://127.0.0.1:8000"),
        ("LOCAL_DESCOPE_STATE", None),
        ("LOCAL_DESCOPE_FLOW", None),
        ("LOCAL_DESCOPE_PROJECT_ID", "../x"),
        ("LOCAL_DESCOPE_SECRET_FILE", "/nonexistent"),
        ("LOCAL_DESCOPE_REDIRECTS", " "),
        ("LOCAL_DESCOPE_REDIRECTS", "https://atrium.example/hub/oauth_callback"),
        ("LOCAL_DESCOPE_MANAGEMENT_KEY_FILE", "/nonexistent"),
        ("LOCAL_DESCOPE_MAIL_LIMIT", "soon"),
        ("LOCAL_DESCOPE_CALL_LIMIT", "0"),
        ("LOCAL_DESCOPE_EMPTY", "perhaps"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(
    tmp_path: Path, name: str, value: str | None
) -> None:
    environment = StandIn(tmp_path).environment()
    environment |= {name: value or ""}
    with pytest.raises(ConfigError) as raised:
        config_from_environment(environment)
    assert name in str(raised.value)


def test_the_client_secret_is_not_shown(tmp_path: Path) -> None:
    config = config_from_environment(StandIn(tmp_path).environment())
    assert isinstance(config, Config)
    assert config.client_secret not in repr(config)
    assert config.management_key not in repr(config)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"LOCAL_DESCOPE_STATE": ""}, "LOCAL_DESCOPE_STATE is not set"),
        ({"LOCAL_DESCOPE_FLOW": "/nonexistent.json"}, "flow file"),
        ({}, "in use"),
    ],
)
def test_a_failed_start_is_one_sentence(
    stand_in: StandIn, tmp_path: Path, changed: dict[str, str], words: str
) -> None:
    environment = StandIn(tmp_path, port=stand_in.port).environment() | changed
    command = [sys.executable, "-m", "hub_extensions.local_descope"]
    ended = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert words in ended.stderr


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    stand_in = StandIn(tmp_path)
    code = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-m', 'hub_extensions.local_descope'],"
        " stderr=subprocess.DEVNULL);"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=stand_in.environment(), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    until(lambda: answers(stand_in), "the service did not start")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    try:
        until(lambda: not answers(stand_in), "the service outlived its parent")
    finally:
        if answers(stand_in):
            os.kill(child, signal.SIGKILL)


def answers(stand_in: StandIn) -> bool:
    try:
        return requests.get(f"{stand_in.url}/outbox", timeout=5).ok
    except requests.ConnectionError:
        return False


def until(happens: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)
