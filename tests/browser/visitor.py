"""A person with a browser: a context of its own, and a record of what the browser met."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, WebSocket, expect

from tests.hub import Hub, wait_until
from tests.person import Person

NewVisitor = Callable[..., "Visitor"]
PAGE_MILLISECONDS = 20_000
OUTBOX = "/services/descope/outbox"
#: The mark that dashboards/static/ahead.js leaves in a page whose sample is drawn.
SAMPLE_DRAWN = "atrium-sample-drawn"
#: Addresses that stay inside the browser.
LOCAL_SCHEMES = ("about", "data", "blob")


class Visitor:
    """One person's browser on one hub.

    Attributes:
        url: the hub's public address.
        page: the tab that the person looks at now.
        requests: every address that the browser asked for, WebSockets included.
        errors: errors in the console, and exceptions that no script caught.
    """

    def __init__(
        self,
        browser: Browser,
        hub: Hub,
        *,
        allow: Sequence[str] = (),
        also: Sequence[str] = (),
        width: int = 1280,
        dark: bool = False,
        sample: bool = False,
    ) -> None:
        """Open a browser with nothing in it.

        Args:
            browser: the Chromium of the tests.
            hub: the hub that the person goes to.
            allow: patterns of console errors that this test expects, such as "status of 403".
            also: other addresses to which this test's sign-in leads, such as a company's provider.
            width: of the window; 360 is a telephone.
            dark: whether the person's system is dark.
            sample: whether pages on which people wait draw their sample: nearly half a second of
                processor for each sign-in, of which only some tests see anything.
        """
        self.hub = hub
        self.url = hub.url
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._allow = [re.compile(pattern) for pattern in allow]
        self._hosts = [urlsplit(address).netloc for address in (hub.url, *also)]
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            accept_downloads=True,
        )
        if not sample:
            self.context.add_init_script(f"performance.mark({SAMPLE_DRAWN!r})")
        self.context.set_default_timeout(PAGE_MILLISECONDS)
        expect.set_options(timeout=PAGE_MILLISECONDS)
        self.context.on("request", self._note_request)
        self.context.on("console", self._note_console)
        self.context.on("weberror", lambda error: self.errors.append(f"exception: {error.error}"))
        self.context.on("page", lambda page: page.on("websocket", self._note_socket))
        self.page: Page = self.context.new_page()

    def _note_request(self, request: Request) -> None:
        self.requests.append(request.url)

    def _note_socket(self, socket: WebSocket) -> None:
        self.requests.append(socket.url)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def begin_anew(self, *allow: str) -> None:
        """Forget what the browser met for another test, which expects these errors alone."""
        self.requests.clear()
        self.errors.clear()
        self._allow = [re.compile(pattern) for pattern in allow]

    def expect_errors(self, *patterns: str) -> None:
        """Allow these errors in the console too, as `allow` does."""
        self._allow += [re.compile(pattern) for pattern in patterns]

    def go(self, path: str = "/") -> Page:
        """Open an address of the hub in the tab that the person looks at."""
        self.page.goto(f"{self.url}{path}")
        return self.page

    def ask_for_link(self, email: str, path: str = "/") -> None:
        """From an address of the hub to the page that says that a mail is on its way."""
        self.go(path)
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_role("button", name="Send me a link").click()
        expect(self.page.get_by_label("E-mail")).to_be_hidden()

    def mailed_link(self, email: str) -> str:
        """The link in the newest mail to this address, read in the stand-in's outbox."""
        outbox = self.context.new_page()
        outbox.goto(f"{self.url}{OUTBOX}")
        mail = outbox.get_by_role("article").filter(has_text=email).first
        link = mail.get_by_role("link").first.get_attribute("href")
        assert link, f"no link in the mail to {email}"
        outbox.close()
        return link

    def open_tab(self, url: str) -> Page:
        """Open an address in a new tab, which the person looks at from now on."""
        self.page = self.context.new_page()
        self.page.goto(url)
        return self.page

    def sign_in(self, email: str, path: str = "/") -> Page:
        """Open an address as somebody who has signed in without looking at the pages of that."""
        self.context.add_cookies(
            [
                {
                    "name": cookie.name,
                    "value": cookie.value or "",
                    "domain": cookie.domain,
                    "path": cookie.path,
                    "secure": cookie.secure,
                    "httpOnly": cookie.has_nonstandard_attr("HttpOnly"),
                }
                for cookie in Person.signed_in(self.hub, email).cookies
            ]
        )
        return self.go(path)

    def sign_in_by_mail(self, email: str, path: str = "/") -> Page:
        """Sign in by a mailed link, through the real pages; returns the tab that the link opened.

        Somebody whom the provider does not know yet is asked for a name, and gives one.
        """
        self.ask_for_link(email, path)
        self.open_tab(self.mailed_link(email))
        if self.page.get_by_label("Your name").is_visible():
            self.page.get_by_label("Your name").fill("Sam Newcomer")
            self.page.get_by_role("button", name="Go on").click()
        self.page.wait_for_url(lambda url: self._is_hub_page(url))
        return self.page

    def _is_hub_page(self, url: str) -> bool:
        """Whether the browser has left the provider and the way back from it."""
        path = urlsplit(url).path
        return not path.startswith(("/services/descope/", "/hub/oauth_"))

    def cookies(self) -> dict[str, str]:
        return {cookie["name"]: cookie["value"] for cookie in self.context.cookies()}

    def assert_stayed_clean(self) -> None:
        """No request left the known hosts, and the console has no error but the allowed ones."""
        left = [
            url
            for url in self.requests
            if urlsplit(url).scheme not in LOCAL_SCHEMES
            and not f".{urlsplit(url).netloc}".endswith(tuple(f".{host}" for host in self._hosts))
        ]
        assert left == [], f"requests to other hosts: {left}"
        unexpected = [
            text for text in self.errors if not any(allow.search(text) for allow in self._allow)
        ]
        assert unexpected == [], f"errors in the browser's console: {unexpected}"

    def take_screenshots(self, folder: Path) -> None:
        """A picture of each open tab, for the person who looks why a test failed."""
        for number, page in enumerate(self.context.pages):
            page.screenshot(path=folder / f"{number}.png", full_page=True)

    def close(self) -> None:
        self.context.close()


def await_sample(page: Page) -> None:
    """Wait until a page before a dashboard's has drawn what it draws ahead (static/ahead.js)."""
    # Asked from here, as the stand-in's policy allows nobody to ask in its pages.
    drawn = f"performance.getEntriesByName({SAMPLE_DRAWN!r}).length"
    wait_until(lambda: page.evaluate(drawn), "the sample that is drawn ahead")


def add_member(page: Page, name: str) -> None:
    """In the admin page, at a group: add somebody."""
    page.get_by_placeholder("Add by username").fill(name)
    page.get_by_role("button", name="Add user").click()
    expect(page.locator(".item", has_text=name)).to_be_visible()  # the page asks who that is
    with page.expect_response(re.compile(r"/hub/api/groups/[^/]+/users")) as answer:
        page.get_by_role("button", name="Apply").click()
    assert answer.value.ok
