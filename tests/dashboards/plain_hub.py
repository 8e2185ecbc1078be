"""A real hub that knows nothing of us but the command of its servers: JupyterHub's own parts.

Its people sign in with a name alone, and are called "@" by nobody.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import requests

from tests.hub import free_port

CONFIGURATION = """
import json, sys
c = get_config()
given = json.load(open("given.json"))
c.JupyterHub.bind_url = given["url"]
c.JupyterHub.hub_port = given["hub_port"]
c.ConfigurableHTTPProxy.command = given["proxy"]
c.ConfigurableHTTPProxy.api_url = given["proxy_api"]
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.load_groups = given["groups"]
c.Authenticator.allow_all = True
# A full admin may look into every server, as far as the hub is concerned.
c.Authenticator.admin_users = {"root"}
c.SimpleLocalProcessSpawner.home_dir_template = given["home"]
c.Spawner.cmd = [sys.executable, "-m", "dashboards"]
c.Spawner.environment = {"ATRIUM_NOTEBOOKS": given["notebooks"]}
reads = ["list:users", "read:users", "list:groups", "read:groups", "read:servers"]
own = ["access:servers!server", "users:activity!user"]
c.Spawner.server_token_scopes = lambda s: own + (reads if s.name == "admin" else [])
c.JupyterHub.load_roles = [{"name": "readers", "groups": ["admin"], "scopes": reads}]
"""


class PlainHub:
    """The hub's process, and the folder that it runs in."""

    def __init__(self, folder: Path, groups: dict[str, list[str]]) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir()
        port, hub_port, api_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        given = {
            "url": self.url,
            "hub_port": hub_port,
            "proxy": [_proxy()],
            "proxy_api": f"http://127.0.0.1:{api_port}",
            "groups": {name: {"users": users} for name, users in groups.items()},
            "home": f"{folder}/home/{{username}}",
            "notebooks": str(self.notebooks),
        }
        (folder / "home").mkdir()
        (folder / "given.json").write_text(json.dumps(given))
        (folder / "jupyterhub_config.py").write_text(CONFIGURATION)
        with (folder / "hub.log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub"],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            )

    def wait(self) -> None:
        """Until it answers."""

        def serves() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"the hub has ended\n{self.log()}")
            return _answers(f"{self.url}/hub/login")

        wait_until(serves, "the hub", self.log)

    def stop(self) -> None:
        """End it, and with it its proxy and all servers."""
        self.process.terminate()
        self.process.wait(timeout=30)

    def log(self) -> str:
        """What the hub and its servers have said."""
        return (self.folder / "hub.log").read_text(errors="replace")


class Guest(requests.Session):
    """Somebody with a browser's cookies on a plain hub."""

    def __init__(self, hub: PlainHub, name: str) -> None:
        super().__init__()
        self.trust_env = False
        self.hub = hub
        self.name = name
        self.home = f"/user/{name}/"

    def request(self, method, url, **options):  # type: ignore[no-untyped-def]
        options.setdefault("timeout", 60)
        return super().request(method, self.hub.url + url if url[0] == "/" else url, **options)

    def sign_in(self, path: str = "") -> requests.Response:
        """Sign in on the way to an address; returns the page at the end of the way."""
        page = self.get("/hub/login", params={"next": path or "/hub/home"})
        found = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert found, page.text
        fields = {"username": self.name, "password": "x", "_xsrf": found[1]}
        return self.post("/hub/login", data=fields, params={"next": path or "/hub/home"})

    def start(self, server: str = "") -> None:
        """Have the hub start a server, and wait for it."""
        self.get(f"/hub/spawn/{self.name}/{server}".rstrip("/"))
        prefix = f"{self.home}{server}/" if server else self.home

        def serves() -> bool:
            found = self.get(f"{prefix}static/atrium/atrium.css", allow_redirects=False)
            return found.status_code == 200

        wait_until(serves, f"the server of {self.name}", self.hub.log)

    def dashboard(self, group: str, name: str, **options: object) -> requests.Response:
        """Open a dashboard."""
        return self.get(f"{self.home}dashboards/{group}/{name}", **options)


def wait_until(condition: Callable[[], bool], what: str, log: Callable[[], str]) -> None:
    """Look until a condition holds; after 40 seconds raise with the log."""
    end = time.monotonic() + 40
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited for {what}\n{log()}")
        time.sleep(0.05)


def _proxy() -> str:
    beside = Path(sys.executable).parent
    found = shutil.which("configurable-http-proxy", path=f"{beside}:{os.environ['PATH']}")
    assert found, "no configurable-http-proxy: `make hub` installs it"
    return found


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False
