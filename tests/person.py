"""A person without a browser: an HTTP session that signs in through the real pages."""

from __future__ import annotations

import json
import re
import socket as sockets
import time
import weakref
from contextlib import ExitStack
from html import unescape
from http.cookiejar import Cookie, DefaultCookiePolicy, request_host
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import get_cookie_header
from websockets import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.hub import Hub, wait_until

TAKEN, SIGNED_OUT = 4403, 4401
OUTBOX = "/services/descope/outbox"


#: Asks for the document as its page does (the protocol of Bokeh's server).
PULL = ({"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {})


def answers(socket: ClientConnection, seconds: float = 20) -> bool:
    """Ask a dashboard for its document by its WebSocket; true once it comes.

    Raises:
        TimeoutError: nothing came for so many seconds.
    """
    for part in PULL:
        socket.send(json.dumps(part))
    while "roots" not in str(socket.recv(timeout=seconds)):
        pass
    return True


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


def form_of(html: str, url: str, button: str = "") -> tuple[str, dict[str, str]]:
    """Where the first form of a page goes; its hidden fields and, if named, one button of it."""
    form = re.search(r"<form\b([^>]*)>(.*?)</form>", html, re.DOTALL)
    assert form, html
    action = re.search(r'action="([^"]*)"', form[1])
    sent = {}
    for tag in re.findall(r"<(?:input|button)\b[^>]*>", form[2]):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        wanted = attributes.get("type") == "hidden" or (
            tag.startswith("<button") and attributes.get("value", "") == button
        )
        if "name" in attributes and (wanted or (tag.startswith("<button") and not button)):
            sent.setdefault(attributes["name"], unescape(attributes.get("value", "")))
    return (urljoin(url, unescape(action[1])) if action else url), sent


def link_for(email: str, outbox: str) -> str:
    """The link in the newest mail to this address that has not been used."""
    for mail in re.findall(r"<article\b.*?</article>", outbox, re.DOTALL):
        link = re.search(r'href="([^"]*\?t=[^"]*)"', mail)
        if f"<b>{email}</b>" in mail and link:
            return unescape(link[1])
    raise AssertionError(f"no link for {email} in the outbox")


class _ThisMachine(HTTPAdapter):
    """Finds names below `localhost`, as browsers do and not every machine does (RFC 6761)."""

    def build_connection_pool_key_attributes(self, *args: Any, **options: Any) -> Any:
        place, rest = super().build_connection_pool_key_attributes(*args, **options)
        if str(place["host"]).endswith(".localhost"):
            place["host"] = "127.0.0.1"
        return place, rest

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        """With the name as a header; not for good, a redirect would carry it elsewhere."""
        parts = urlsplit(request.url or "")
        if not str(parts.hostname).endswith(".localhost"):
            return super().send(request, *args, **options)
        request.headers["Host"] = str(parts.netloc)
        try:
            return super().send(request, *args, **options)
        finally:
            del request.headers["Host"]


class _AsBrowsers(DefaultCookiePolicy):
    """To browsers this machine is as good as https, and `localhost` a domain as any other."""

    def set_ok_domain(self, cookie: Cookie, request: Any) -> bool:
        return self.domain_return_ok(cookie.domain, request)

    def return_ok_domain(self, cookie: Cookie, request: Any) -> bool:
        return self.domain_return_ok(cookie.domain, request)

    def domain_return_ok(self, domain: str, request: Any) -> bool:
        host, own = request_host(request), domain.lstrip(".").removesuffix(".local")
        return host == own or (domain.startswith(".") and host.endswith(f".{own}"))


class Person(requests.Session):
    """One person on one hub.

    Attributes:
        everybody: all who still take part, for those who look what a hub has written of them.
    """

    everybody: ClassVar[weakref.WeakSet[Person]] = weakref.WeakSet()

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self.everybody.add(self)
        self.hub = hub
        self.mount("http://", _ThisMachine())
        self._policy = _AsBrowsers(secure_protocols=("http", "https", "ws", "wss"))
        self.cookies.set_policy(self._policy)
        self._sockets = ExitStack()
        self._provider = hub.url

    def request(
        self, method: str | bytes, url: str | bytes, **options: object
    ) -> requests.Response:  # type: ignore[override]
        """As of requests, with addresses of the hub."""
        options.setdefault("timeout", 20)
        return super().request(method, urljoin(self.hub.url, str(url)), **options)  # type: ignore[arg-type]

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """As of requests, which forgets the policy for cookies."""
        prepared = super().prepare_request(request)
        if "Cookie" not in (request.headers or {}):
            prepared._cookies.set_policy(self._policy)  # type: ignore[union-attr]
            prepared.headers.pop("Cookie", None)
            prepared.prepare_cookies(prepared._cookies)  # type: ignore[arg-type]
        return prepared

    def ask_for_link(self, email: str, path: str = "/") -> requests.Response:
        """Fill in the provider's sign-in page; returns the page that says "Look at your mail"."""
        page = self.get(path)
        self._provider = urljoin(page.url, "/services/descope/")
        return self.submit(page, email=email)

    def submit(
        self, page: requests.Response, button: str = "", *, follow: bool = True, **fields: str
    ) -> requests.Response:
        """Send the first form of a page, with its hidden fields and, if named, one button of it."""
        url, sent = form_of(page.text, page.url, button)
        return self.post(url, data={**sent, **fields}, allow_redirects=follow)

    def mailed_link(self, email: str) -> str:
        """The link in the newest mail to this address that has not been used."""
        outbox = self.get(urljoin(self._provider, OUTBOX)).text
        return urljoin(self._provider, link_for(email, outbox))

    def sign_in(self, email: str, path: str = "/hub/home") -> requests.Response:
        """Sign in by a mailed link; returns the page that the person lands on."""
        self.ask_for_link(email, path)
        return self.get(self.mailed_link(email))

    @classmethod
    def signed_in(cls, hub: Hub, email: str) -> Person:
        """A new browser of somebody who has signed in."""
        person = cls(hub)
        person.sign_in(email)
        return person

    @property
    def xsrf(self) -> dict[str, str]:
        """The header that JupyterHub's API asks of a signed-in browser."""
        page = self.get("/hub/token")
        token = re.search(r'xsrf_token: "([^"]+)"', page.text)
        assert token, page.text
        return {"X-XSRFToken": token[1]}

    @property
    def secrets(self) -> set[str]:
        """What opens something to whoever has it: the values of this browser's cookies."""
        values = {cookie.value or "" for cookie in self.cookies}
        return {value.strip('"') for value in values if len(value) >= 20}

    def is_signed_in(self) -> bool:
        """Whether the hub knows this browser."""
        return self.get("/hub/home", allow_redirects=False).status_code == 200

    def open_dashboards(self) -> requests.Response:
        """Start the person's server if need be, and return its first page."""
        return self.open_server()

    def open_server(self, server: str = "") -> requests.Response:
        """Start one of the person's servers if need be, and return its first page."""
        name = self.cookies_name()
        self.get(f"/hub/spawn/{name}/{server}".rstrip("/"))
        place = f"/user/{name}/{server}".rstrip("/")
        return wait_until(
            lambda: (page := self.get(f"{place}/?all")).ok and "/user/" in page.url and page,
            f"the dashboards at {place}",
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
        socket = self.connect(f"{page.url.partition('?')[0]}/ws", "bokeh", token, port=port)
        socket.recv(timeout=20)
        return socket

    def connect(
        self,
        path: str,
        *protocols: str,
        origin: str = "",
        cookies: bool = True,
        port: int | None = None,
        **options: Any,
    ) -> ClientConnection:
        """Open a WebSocket, with this browser's cookies and from a page of the same address, if
        nothing else is said. `options` are those of websockets."""
        url = urljoin(self.hub.url, path)
        place = urlsplit(url)
        cookie = get_cookie_header(self.cookies, requests.Request("GET", url).prepare())
        socket = connect(
            url.replace("http:", "ws:"),
            subprotocols=list(protocols) or None,  # pyright: ignore[reportArgumentType]
            additional_headers={"Cookie": cookie} if cookies and cookie else {},
            origin=origin or f"{place.scheme}://{place.netloc}",  # pyright: ignore[reportArgumentType]
            proxy=None,
            close_timeout=1,  # of one that says more than is read here
            sock=sockets.create_connection(("127.0.0.1", port or place.port), timeout=20),
            **options,
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
