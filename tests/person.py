"""A person without a browser: an HTTP session that signs in through the real pages."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from html import unescape
from socket import create_connection
from urllib.parse import urljoin

import requests
from websockets import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.hub import Hub, wait_until

TAKEN, SIGNED_OUT = 4403, 4401
OUTBOX = "/services/descope/outbox"


def closed_with(socket: ClientConnection, seconds: float = 30) -> int | None:
    """The code with which a WebSocket is closed; 1006 if it breaks off without one.

    Raises:
        TimeoutError: it is still open after so many seconds.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            socket.recv(timeout=max(0.0, end - time.monotonic()))
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


def is_open(socket: ClientConnection) -> bool:
    """Whether a WebSocket is still open; reads what has arrived."""
    try:
        closed_with(socket, 0)
    except TimeoutError:
        return True
    return False


class Person(requests.Session):
    """One person on one hub."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self.hub = hub
        self._sockets = ExitStack()

    def request(
        self, method: str | bytes, url: str | bytes, **options: object
    ) -> requests.Response:  # type: ignore[override]
        """As of requests, with addresses of the hub."""
        options.setdefault("timeout", 20)
        return super().request(method, urljoin(self.hub.url, str(url)), **options)  # type: ignore[arg-type]

    def ask_for_link(self, email: str, path: str = "/") -> requests.Response:
        """Fill in the provider's sign-in page; returns the page that says "Look at your mail"."""
        return self.submit(self.get(path), email=email)

    def submit(
        self, page: requests.Response, button: str = "", *, follow: bool = True, **fields: str
    ) -> requests.Response:
        """Send the first form of a page, with its hidden fields and, if named, one button of it."""
        form = re.search(r"<form\b([^>]*)>(.*?)</form>", page.text, re.DOTALL)
        assert form, page.text
        action = re.search(r'action="([^"]*)"', form[1])
        sent = {}
        for tag in re.findall(r"<(?:input|button)\b[^>]*>", form[2]):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            wanted = attributes.get("type") == "hidden" or (
                tag.startswith("<button") and attributes.get("value", "") == button
            )
            if "name" in attributes and (wanted or (tag.startswith("<button") and not button)):
                sent.setdefault(attributes["name"], unescape(attributes.get("value", "")))
        url = urljoin(page.url, unescape(action[1])) if action else page.url
        return self.post(url, data={**sent, **fields}, allow_redirects=follow)

    def mailed_link(self, email: str) -> str:
        """The link in the newest mail to this address that has not been used."""
        outbox = requests.get(f"{self.hub.url}{OUTBOX}", timeout=20).text
        for mail in re.findall(r"<article\b.*?</article>", outbox, re.DOTALL):
            link = re.search(r'href="([^"]*\?t=[^"]*)"', mail)
            if f"<b>{email}</b>" in mail and link:
                return urljoin(self.hub.url, unescape(link[1]))
        raise AssertionError(f"no link for {email} in the outbox")

    def sign_in(self, email: str, path: str = "/hub/home") -> requests.Response:
        """Sign in by a mailed link; returns the page that the person lands on."""
        self.ask_for_link(email, path)
        return self.get(self.mailed_link(email))

    @property
    def xsrf(self) -> dict[str, str]:
        """The header that JupyterHub's API asks of a signed-in browser."""
        page = self.get("/hub/token")
        token = re.search(r'xsrf_token: "([^"]+)"', page.text)
        assert token, page.text
        return {"X-XSRFToken": token[1]}

    def is_signed_in(self) -> bool:
        """Whether the hub knows this browser."""
        return self.get("/hub/home", allow_redirects=False).status_code == 200

    def open_dashboards(self) -> requests.Response:
        """Start the person's server if need be, and return its first page."""
        self.get("/hub/spawn")
        name = self.cookies_name()
        return wait_until(
            lambda: (page := self.get(f"/user/{name}/?all")).ok and "/user/" in page.url and page,
            f"the dashboards of {name}",
        )

    def watch(self, group: str, name: str, *, port: int | None = None) -> ClientConnection:
        """Open a dashboard and its WebSocket, as its page would; it has answered once.

        `port`: the server's own, past the proxy, so that the end of that does not close it.
        """
        place = f"/user/{self.cookies_name()}/dashboards/{group}/{name}"
        page = wait_until(
            lambda: (page := self.get(place)).ok and '"token":"' in page.text and page,
            f"the dashboard {group}/{name}",
        )
        token = page.text.partition('"token":"')[2].partition('"')[0]
        socket = self.connect(f"{place}/ws", "bokeh", token, port=port)
        socket.recv(timeout=20)
        return socket

    def connect(self, path: str, *protocols: str, port: int | None = None) -> ClientConnection:
        """Open a WebSocket with this browser's cookies."""
        cookie = "; ".join(f"{c.name}={c.value}" for c in self.cookies if path.startswith(c.path))
        socket = connect(
            self.hub.url.replace("http:", "ws:") + path,
            subprotocols=list(protocols) or None,  # pyright: ignore[reportArgumentType]
            additional_headers={"Cookie": cookie},
            origin=self.hub.url,  # pyright: ignore[reportArgumentType]
            sock=create_connection(("127.0.0.1", port)) if port else None,
            proxy=None,
        )
        return self._sockets.enter_context(socket)

    def close(self) -> None:
        """Close the WebSockets too."""
        self._sockets.close()
        super().close()

    def cookies_name(self) -> str:
        """The signed-in person's name, as the hub says it."""
        page = self.get("/hub/home").text
        found = re.search(r"signed in as ([^\s<,]+@[\w.-]+\w)", page)
        assert found, page
        return found[1]
