"""Spawner, folders and dashboards know nothing of Descope: any provider of groups will do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.hub import ROOT, free_port, wait_until

pytestmark = pytest.mark.slow

CONFIGURATION = """
c = get_config()
c.JupyterHub.bind_url = "{url}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.JupyterHub.authenticator_class = "generic-oauth"
c.GenericOAuthenticator.client_id = "atrium"
c.GenericOAuthenticator.client_secret = "secret"
c.GenericOAuthenticator.oauth_callback_url = "{url}/hub/oauth_callback"
c.GenericOAuthenticator.authorize_url = "{provider}/oauth2/authorize"
c.GenericOAuthenticator.token_url = "{provider}/oauth2/token"
c.GenericOAuthenticator.userdata_url = "{provider}/userinfo"
c.GenericOAuthenticator.scope = ["openid", "email", "profile"]
c.GenericOAuthenticator.username_claim = "email"
c.GenericOAuthenticator.manage_groups = True
c.GenericOAuthenticator.auth_state_groups_key = "oauth_user.departments"
c.GenericOAuthenticator.allow_all = True
c.Authenticator.auto_login = True
c.Authenticator.enable_auth_state = True
c.JupyterHub.spawner_class = "dashboards"
c.DashboardSpawner.notebooks = "{notebooks}"
c.DashboardSpawner.homes = "people"
"""
CLAIMS = {"sub": "1", "email": "eve@elsewhere.test", "departments": ["finance"]}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    process = psutil.Popen(
        [*command, "--user-claims", json.dumps(CLAIMS)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{url}/.well-known/openid-configuration"), "the provider")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def url(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A hub with the stock GenericOAuthenticator and our spawner, by configuration alone."""
    folder = tmp_path_factory.mktemp("other")
    for group, title in (("finance", "Money"), ("secret", "Not yours")):
        write_notebook(folder / "notebooks" / group / "report.ipynb", title)
    address = f"http://127.0.0.1:{free_port()}"
    (folder / "config.py").write_text(
        CONFIGURATION.format(
            url=address,
            provider=provider,
            notebooks=folder / "notebooks",
            hub_port=free_port(),
            proxy_port=free_port(),
        )
    )
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
        "HOME": str(folder),
        "JUPYTERHUB_CRYPT_KEY": os.urandom(32).hex(),
        "PYTHONPATH": str(ROOT),
    }
    with (folder / "log").open("wb") as log:
        process = psutil.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", "config.py"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: answers(f"{address}/hub/health"), "the hub", seconds=60)
        yield address
    finally:
        process.send_signal(2)
        process.wait(30)


def write_notebook(path: Path, title: str) -> None:
    path.parent.mkdir(parents=True)
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": f"# {title}\\n\\nA report."},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "source": "from dashboards import current_user\ncurrent_user().name",
            "outputs": [],
            "execution_count": None,
        },
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook).replace("\\\\n", "\\n"))


def test_groups_of_another_provider_open_its_folders(url: str) -> None:
    person = requests.Session()
    asked = person.get(url, timeout=20)
    person.post(asked.url, data={"sub": "1"}, timeout=20)
    home = f"{url}/user/eve@elsewhere.test/"
    gallery = wait_until(
        lambda: (
            (page := person.get(f"{home}?all", timeout=20)).ok and "/user/" in page.url and page
        ),
        "the dashboards",
        seconds=40,
    )
    assert "Money" in gallery.text
    assert "Not yours" not in gallery.text
    assert person.get(f"{home}dashboards/finance/report", timeout=40).ok
    assert person.get(f"{home}dashboards/secret/report", timeout=20).status_code == 404
