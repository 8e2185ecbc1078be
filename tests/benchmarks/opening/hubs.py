"""The hubs that are compared, and how somebody signs in at each of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import psutil
import requests
from descope import AssociatedTenant
from playwright.sync_api import Page

from tests.hub import ROOT, Hub, free_port, wait_until
from tests.person import OUTBOX, Person

#: The peer's packages, which `make benchmark` installs.
PEER_BIN: Final = ROOT / ".venv-peer" / "bin"
RUNS: Final = b"JupyterHub is now running at"
NOTEBOOKS: Final = ROOT / "notebooks" / "user"


class Side(Protocol):
    """One of the hubs."""

    def click(self, page: Page, person: str, dashboard: str) -> Callable[[], Page]:
        """Go to where one click signs the person in. Returns that click, which gives the tab in
        which the dashboard opens."""
        ...

    def address(self, person: str, dashboard: str) -> str:
        """Where a dashboard of the person is."""
        ...

    def processes(self) -> list[psutil.Process]:
        """All processes: the hub, and what it has started."""
        ...

    def stop_server(self, person: str) -> None:
        """End the person's server."""
        ...


class Ours:
    """Atrium, with the local stand-in for Descope, where a mailed link signs somebody in."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._known: set[str] = set()

    def email(self, person: str) -> str:
        """The person's address; who is asked for the first time becomes a member."""
        email = f"{person}@acme.test"
        if email not in self._known:
            # With a name: nobody is asked for it between the click and the dashboard.
            self.hub.project.mgmt.user.create(
                email,
                email=email,
                verified_email=True,
                display_name=person,
                user_tenants=[AssociatedTenant("acme", [])],
            )
            self._known.add(email)
        return email

    def click(self, page: Page, person: str, dashboard: str) -> Callable[[], Page]:
        email, reader = self.email(person), Person(self.hub)
        page.goto(f"{self.hub.url}/hub/user-redirect/dashboards/user/{dashboard}")
        page.get_by_label("E-mail").fill(email)
        page.get_by_role("button", name="Send me a link").click()
        page.get_by_label("E-mail").wait_for(state="hidden")
        link = wait_until(lambda: reader.mailed_link(email), "the mail")

        page.goto(self.hub.url + OUTBOX)  # who waits on the sign-in page is led on by it too

        def click() -> Page:  # in the same tab, as at the peer: a new one costs the browser's time
            page.goto(link, wait_until="commit")
            return page

        return click

    def address(self, person: str, dashboard: str) -> str:
        return f"{self.hub.url}/user/{person}@acme.test/dashboards/user/{dashboard}"

    def processes(self) -> list[psutil.Process]:
        assert self.hub.process is not None
        return [self.hub.process, *self.hub.process.children(recursive=True)]

    def stop_server(self, person: str) -> None:
        self.hub.api(f"/users/{person}@acme.test/server", "DELETE")
        wait_until(lambda: self.hub.server_of(f"{person}@acme.test") is None, "its end")


class Peer:
    """The peer, where a form with a name signs somebody in."""

    def __init__(self, url: str, process: psutil.Process, token: str) -> None:
        self.url = url
        self.process = process
        self._headers = {"Authorization": f"token {token}"}

    def click(self, page: Page, person: str, dashboard: str) -> Callable[[], Page]:
        page.goto(f"{self.url}/hub/login?next=/hub/user-redirect/{dashboard}")
        page.locator("#username_input").fill(person)
        page.locator("#password_input").fill("x")

        def click() -> Page:
            page.locator("#login_submit").click(no_wait_after=True)
            return page

        return click

    def address(self, person: str, dashboard: str) -> str:
        return f"{self.url}/user/{person}/{dashboard}"

    def processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def stop_server(self, person: str) -> None:
        url = f"{self.url}/hub/api/users/{person}/server"
        requests.delete(url, headers=self._headers, timeout=30)
        wait_until(
            lambda: (
                not requests.get(
                    url.removesuffix("/server"), headers=self._headers, timeout=30
                ).json()["servers"]
            ),
            "its end",
        )


@contextmanager
def ours(**settings: str) -> Iterator[Ours]:
    """Atrium as it is shipped."""
    with tempfile.TemporaryDirectory(prefix="atrium-benchmark-") as folder:
        Path(folder).chmod(0o755)  # where servers have accounts of their own, these pass through
        hub = Hub(Path(folder), ATRIUM_SIGN_IN_LIMIT="100000", **settings)
        try:
            hub.start()
            wait_until(lambda: "template process is ready" in hub.log_text(), "the template")
            yield Ours(hub)
        finally:
            hub.stop()


@contextmanager
def peer() -> Iterator[Peer]:
    """The peer, with the same notebooks."""
    url, token = f"http://127.0.0.1:{free_port()}", os.urandom(16).hex()
    own = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(prefix="atrium-peer-") as folder:
        log = Path(folder, "peer.log")
        with log.open("wb") as file:
            process = psutil.Popen(
                [PEER_BIN / "jupyterhub", "-f", Path(__file__).with_name("peer_config.py")],
                cwd=folder,
                env={
                    "PATH": os.pathsep.join([str(PEER_BIN), str(own), os.defpath]),
                    "HOME": folder,
                    "PEER_URL": url,
                    "PEER_HUB_PORT": str(free_port()),
                    "PEER_PROXY_PORT": str(free_port()),
                    "PEER_PROXY": str(own / "configurable-http-proxy"),
                    "PEER_NOTEBOOKS": str(NOTEBOOKS),
                    "PEER_TOKEN": token,
                },
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(lambda: RUNS in log.read_bytes(), "the peer's hub", seconds=60)
            yield Peer(url, process, token)
        except BaseException as error:
            error.add_note(log.read_text(errors="replace")[-4000:])
            raise
        finally:
            left = [process, *process.children(recursive=True)]
            process.send_signal(signal.SIGINT)
            _, alive = psutil.wait_procs(left, timeout=20)
            for one in alive:
                one.kill()
