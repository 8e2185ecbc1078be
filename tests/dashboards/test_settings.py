from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.settings import SettingsError, settings_from
from tests.hub import wait_until


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:5000/user/a@b.c/admin/",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/a@b.c/admin/",
        "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api",
        "JUPYTERHUB_API_TOKEN": "secret",
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-a",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=a@b.c/admin"]',
        "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/a@b.c/admin/oauth_callback",
        "JUPYTERHUB_SERVER_NAME": "admin",
        "JUPYTERHUB_USER": "a@b.c",
        "ATRIUM_NOTEBOOKS": str(tmp_path),
    }


def test_a_server_listens_on_loopback_only(environ: dict[str, str]) -> None:
    settings = settings_from(environ)
    assert (settings.host, settings.port) == ("127.0.0.1", 5000)
    assert settings.serves_admin
    assert settings.own_prefix == "/user/a@b.c/"
    assert settings.hub_prefix == "/hub/"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("scopes", ["", "[]", '[""]', "{}", "no json"])
def test_without_access_scopes_it_does_not_start(environ: dict[str, str], scopes: str) -> None:
    with pytest.raises(SettingsError, match="JUPYTERHUB_OAUTH_ACCESS_SCOPES"):
        settings_from({**environ, "JUPYTERHUB_OAUTH_ACCESS_SCOPES": scopes})


@pytest.mark.parametrize("name", ["JUPYTERHUB_API_TOKEN", "JUPYTERHUB_USER", "ATRIUM_NOTEBOOKS"])
def test_what_is_missing_is_named(environ: dict[str, str], name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        settings_from({**environ, name: ""})


def test_a_start_by_hand_ends_with_a_sentence() -> None:
    environ = {n: v for n, v in os.environ.items() if not n.startswith(("JUPYTERHUB", "ATRIUM"))}
    command = [sys.executable, "-m", "dashboards"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert "JUPYTERHUB_SERVICE_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_can_be_ended_while_it_starts() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dashboards"], stderr=subprocess.DEVNULL
    ) as server:
        maps = Path(f"/proc/{server.pid}/maps")
        wait_until(lambda: "/numpy/" in maps.read_text(), "what dashboards need")
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == -signal.SIGINT
