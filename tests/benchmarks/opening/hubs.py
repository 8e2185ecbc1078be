"""The hubs that are compared, and how somebody signs in at each of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urljoin

import psutil
import requests
from descope import AssociatedTenant
from playwright.sync_api import Page

from tests.benchmarks.opening.viewer import Page as Answer
from tests.benchmarks.opening.viewer import Viewer
from tests.browser.visitor import await_sample
from tests.hub import ROOT, Hub, free_port, wait_until
from tests.person import OUTBOX, Person, link_for

#: The peer's packages, which `make benchmark` installs.
PEER_BIN: Final = ROOT / ".venv-peer" / "bin"
RUNS: Final = b"JupyterHub is now running at"
NOTEBOOKS: Final = ROOT / "notebooks" / "user"


class Side(Protocol):
    """One of the hubs.

    Attributes:
        url: its address.
        log: what it says.
    """

    url: str
    log: Path

    def click(self, page: Page, person: str, dashboard: str) -> Callable[[], Page]:
        """Go to where one click signs the person in. Returns that click, which gives the tab in
        which the dashboard opens."""
        ...

    async def prepare(
        self, viewer: Viewer, person: str, dashboard: str
    ) -> Callable[[], Awaitable[Answer]]:
        """The same without a browser. Who has not been here before is `made_known` first."""
        ...

    def made_known(self, person: str) -> None:
        """Let the person sign in from now on."""
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
        self.url = hub.url
        self.log = hub.folder / "hub.log"
        self._known = {"admin", "analyst", "member"}  # the stand-in's own people

    def made_known(self, person: str) -> None:
        """As a member of the owner tenant."""
        if person not in self._known:
            # With a name: nobody is asked for it between the click and the dashboard.
            self.hub.project.mgmt.user.create(
                _email(person),
                email=_email(person),
                verified_email=True,
                display_name=person,
                user_tenants=[AssociatedTenant("acme", [])],
            )
            self._known.add(person)

    def click(self, page: Page, person: str, dashboard: str) -> Callable[[], Page]:
        self.made_known(person)
        email, reader = _email(person), Person(self.hub)
        page.goto(self._link_to(dashboard))
        page.get_by_label("E-mail").fill(email)
        page.get_by_role("button", name="Send me a link").click()
        page.get_by_label("E-mail").wait_for(state="hidden")
        await_sample(page)  # nobody reads their mail faster
        link = wait_until(lambda: reader.mailed_link(email), "the mail")
        page.goto(self.url + OUTBOX)  # who waits on the sign-in page is led on by it too
        await_sample(page)

        def click() -> Page:  # in the same tab, as at the peer: a new one costs the browser's time
            page.goto(link, wait_until="commit")
            return page

        return click

    async def prepare(
        self, viewer: Viewer, person: str, dashboard: str
    ) -> Callable[[], Awaitable[Answer]]:
        page = await viewer.get(self._link_to(dashboard))
        await viewer.submit(page, email=_email(person))
        outbox = await viewer.get(self.url + OUTBOX)
        link = urljoin(self.url, link_for(_email(person), outbox.text))
        return lambda: viewer.get(link)

    def _link_to(self, dashboard: str) -> str:
        return f"{self.url}/hub/user-redirect/dashboards/user/{dashboard}"

    def address(self, person: str, dashboard: str) -> str:
        return f"{self.url}/user/{_email(person)}/dashboards/user/{dashboard}"

    def processes(self) -> list[psutil.Process]:
        assert self.hub.process is not None
        return [self.hub.process, *self.hub.process.children(recursive=True)]

    def stop_server(self, person: str) -> None:
        self.hub.api(f"/users/{_email(person)}/server", "DELETE")
        wait_until(lambda: self.hub.server_of(_email(person)) is None, "its end", seconds=60)


def _email(person: str) -> str:
    return f"{person}@acme.test"


class Peer:
    """The peer, where a form with a name signs somebody in."""

    def __init__(self, url: str, process: psutil.Process, token: str, log: Path) -> None:
        self.url = url
        self.log = log
        self.process = process
        self._headers = {"Authorization": f"token {token}"}

    def click(self, page: Page, person: str, dashboard: str) -> Callable[[], Page]:
        page.goto(self._link_to(dashboard))
        page.locator("#username_input").fill(person)
        page.locator("#password_input").fill("x")
        page.wait_for_load_state("networkidle")

        def click() -> Page:
            page.locator("#login_submit").click(no_wait_after=True)
            return page

        return click

    async def prepare(
        self, viewer: Viewer, person: str, dashboard: str
    ) -> Callable[[], Awaitable[Answer]]:
        page = await viewer.get(self._link_to(dashboard))
        return lambda: viewer.submit(page, username=person, password="x")

    def made_known(self, person: str) -> None:
        """Everybody is."""

    def _link_to(self, dashboard: str) -> str:
        return f"{self.url}/hub/login?next=/hub/user-redirect/{dashboard}"

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
            seconds=60,
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
            hub.api("/info")  # the token is made now, not by several who ask at once
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
        with ended_with(process, log):
            wait_until(lambda: RUNS in log.read_bytes(), "the peer's hub", seconds=60)
            yield Peer(url, process, token, log)


@contextmanager
def ended_with(process: psutil.Popen, log: Path) -> Iterator[None]:
    """End a process and all that came from it with the body, whose error tells the log's end."""
    try:
        yield
    except BaseException as error:
        error.add_note(log.read_text(errors="replace")[-4000:])
        raise
    finally:
        left = [process, *process.children(recursive=True)]
        process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs(left, timeout=20)
        for one in alive:
            one.kill()
