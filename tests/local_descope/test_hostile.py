"""Whatever a flow, a name or an address says, the pages show it as text and lead nowhere else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import requests

from tests.local_descope.conftest import StartStandIn
from tests.local_descope.stand_in import FLOW, Browser, Client, StandIn
from tests.sdk import Project

pytestmark = pytest.mark.long

SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}"


class Elements(HTMLParser):
    """What a browser would make of a page: its elements and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def assert_harmless(page: requests.Response) -> None:
    """No script but our files, no handler, no address but of this machine, no name filled in."""
    by_chance = r"127\.0\.0\.1:\d+|[\w-]{20,}|\d\d:\d\d(:\d\d)?"
    assert "49" not in re.sub(by_chance, "", page.text)
    for tag, attributes in Elements(page.text).seen:
        assert tag not in {"img", "iframe", "object", "base"}
        assert tag != "script" or attributes.keys() >= {"src"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in {"href", "src", "action"}:
                scheme = str(value).strip().lower().partition(":")[0]
                assert scheme not in {"javascript", "vbscript"}, value
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")


@pytest.fixture(scope="module")
def hostile(start_stand_in: StartStandIn) -> StandIn:
    """A stand-in in which everything that has a text has a hostile one."""
    stand_in = start_stand_in(LOCAL_DESCOPE_MAIL_LIMIT="1000")
    project = stand_in.project
    spoil_flow(project)
    project.mgmt.tenant.update("globex", SCRIPT, [])
    project.mgmt.user.create("evil@example.test", email="evil@example.test", display_name=SCRIPT)
    project.mgmt.user.create(SCRIPT[:60])
    providers = {"google": {"name": SCRIPT}}
    project.settings("auth/oauth.json", providerSettings=providers)
    return stand_in


def spoil_flow(project: Project) -> None:
    flow = json.loads(FLOW.read_text(encoding="utf-8"))
    screens = []
    for screen in flow["screens"]:
        for node in screen["contents"].values():
            props: dict[str, Any] = node["props"]
            for name in ("children", "label", "placeholder", "variant", "href"):
                if name in props:
                    props[name] = SCRIPT
        nodes = screen["contents"]
        nodes["ROOT"]["nodes"] += ["evilLink", 'x" onclick="alert(1)']
        link = {"children": "x", "href": "javascript:alert(1)"}
        nodes["evilLink"] = {"type": {"resolvedName": "Link"}, "props": link}
        nodes['x" onclick="alert(1)'] = {"type": {"resolvedName": "EmailInput"}, "props": {}}
        screens.append({"id": screen["screenId"], "htmlTemplate": nodes})
    contents = {"name": SCRIPT, "dsl": flow["contents"]}
    project.mgmt.flow.import_flow("sign-up-or-in", contents, screens)


@pytest.fixture
def browser(hostile: StandIn) -> Any:
    with Browser(hostile) as browser:
        yield browser


@pytest.fixture
def client(hostile: StandIn) -> Any:
    client = Client(hostile)
    yield client
    client.session.close()


def pressed(browser: Browser, welcome: requests.Response, email: str) -> requests.Response:
    """Ask for a link by the button's id: its words are hostile too."""
    token = browser.forms(welcome).fields["form_token"]
    sent = {"task": "0", "interaction": "atrSendLnk", "form_token": token}
    return browser.open(welcome.url, email=email, **sent)


def test_the_screens_of_a_hostile_flow(browser: Browser, client: Client) -> None:
    welcome = browser.open(client.begin())
    assert_harmless(welcome)
    wrong = pressed(browser, welcome, email=SCRIPT)
    assert_harmless(wrong)
    assert "does not look like an e-mail address" in wrong.text
    assert_harmless(pressed(browser, welcome, email="a@example.test"))
    assert_harmless(browser.open(f"{client.stand_in.url}/outbox"))
    assert_harmless(browser.open(browser.mailed_links("a@example.test")[0]))


def test_the_pages_of_providers(browser: Browser, client: Client) -> None:
    for button, email in (("atrWithGgl", ""), ("atrWithSso", "member@globex.test")):
        welcome = browser.open(client.begin())
        token = browser.forms(welcome).fields["form_token"]
        sent = {"task": "0", "form_token": token, "interaction": button, "email": email}
        left = browser.post(welcome.url, data=sent)
        assert "http-equiv" in left.text
        assert_harmless(left)
        played = browser.open(welcome.url, **sent)
        assert "played locally" in played.text
        assert_harmless(played)
        assert_harmless(browser.open(played.url, email=SCRIPT, form_token=token))


def test_lists_messages_and_questions(browser: Browser, client: Client, hostile: StandIn) -> None:
    assert_harmless(browser.open(f"{hostile.url}/"))
    assert_harmless(browser.open(client.begin(flow=SCRIPT)))
    assert_harmless(browser.open(client.begin(redirect_uri=f"http://127.0.0.1/{SCRIPT}")))
    assert_harmless(browser.open(f"{hostile.url}/nothing{SCRIPT}"))
    pressed(browser, browser.open(client.begin()), "member@acme.test")
    browser.open(browser.mailed_links("member@acme.test")[0])
    assert "Sign out?" in browser.open(client.metadata["end_session_endpoint"]).text
    for query in (f"state={SCRIPT}", f"{SCRIPT}=x", f"post_logout_redirect_uri={SCRIPT}"):
        assert_harmless(browser.open(f"{client.metadata['end_session_endpoint']}?{query}"))


def test_a_name_typed_by_its_owner(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in()
    client = Client(stand_in)
    with Browser(stand_in) as browser, client.session:
        browser.ask_for_link(client, "new@example.test")
        question = browser.open(browser.mailed_links("new@example.test")[0])
        tokens = client.finish(browser.press(question, "Go on", fullName=SCRIPT))
        assert client.claims(tokens)["name"] == SCRIPT
        assert_harmless(browser.open(f"{stand_in.url}/"))


def test_forged_forms_do_nothing(browser: Browser, client: Client, hostile: StandIn) -> None:
    """Each form needs the token of its browser, and no other site may send one at all."""
    welcome = browser.open(client.begin())
    forms = [
        (welcome.url, {"task": "0", "interaction": "atrSendLnk", "email": "csrf@example.test"}),
        (f"{hostile.url}/login/provider/{welcome.url.rpartition('/')[2]}", {"email": "a@b.test"}),
    ]
    with Browser(hostile) as other:
        other.open(Client(hostile).begin())
        stolen = other.forms(other.open(Client(hostile).begin())).fields["form_token"]
    for url, form in forms:
        for token in ({}, {"form_token": ""}, {"form_token": stolen}):
            answer = browser.post(url, data=form | token)
            assert answer.status_code in {400, 410}
        answer = browser.post(url, data=form, headers={"Origin": "https://evil.test"})
        assert answer.status_code == 403
    assert browser.mailed_links("csrf@example.test") == []
