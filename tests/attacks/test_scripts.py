"""The JavaScript of a hostile notebook, in the browser of somebody who manages groups."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.attacks import attack, guard_out
from tests.browser.visitor import Visitor
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub
from tests.person import Person

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"
SCRIPT = Path(__file__).with_name("scripts.js")
NOTEBOOK = """
import panel as pn
pn.extension()
pn.pane.HTML('<img src="data:," onerror="eval(atob(\\'{script}\\'))">').servable()
"""
#: What a script may not do in either mode, and why not.
GUARDED = {
    "read_another_server": "a server is its owner's",
    "read_cookies": "cookies are not for scripts",
    "sign_out_by_post": "XSRF token",
    "send_it_elsewhere": "content security policy",
}
ORIGIN = "an origin of its own for each person's dashboards"
#: What only an origin of its own keeps it from: docs/security.md says so.
NEEDS_SUBDOMAINS = [
    "read_people",
    "make_a_group",
    "make_a_token",
    "read_the_admin_page",
    "read_the_token_page",
]


def tried(guards: dict[str, str]) -> list[Any]:
    """Attempts as parameters of a test."""
    return [
        pytest.param(name, marks=attack("hostile notebook, JavaScript", guard))
        for name, guard in guards.items()
    ]


def outcomes_on(hub: Hub, browser: Browser) -> dict[str, str]:
    """How the attempts end, for an admin who opens the notebook."""
    script = f"const HUB = {json.dumps(hub.url)}, VIEWER = {json.dumps(ADMIN)};"
    script += f"const OTHER = {json.dumps(f'{hub.url}/user/{MEMBER}/')};" + SCRIPT.read_text()
    packed = base64.b64encode(script.encode()).decode()
    write_notebook(hub.notebooks / "user" / "attack.ipynb", code(NOTEBOOK.format(script=packed)))
    visitor = Visitor(browser, hub)
    try:
        visitor.ask_for_link(ADMIN, "/hub/user-redirect/dashboards/user/attack")
        # With subdomains the stand-in has one of its own.
        page = visitor.open_tab(f"{visitor.page.url.partition('/login/')[0]}/outbox")
        mail = page.get_by_role("article").filter(has_text=ADMIN).first
        mail.get_by_role("link").first.click()
        written = page.locator("html[data-outcomes]").get_attribute("data-outcomes", timeout=40_000)
        return json.loads(written or "")
    finally:
        visitor.close()


@pytest.fixture(scope="module")
def on_subdomains(hub_on_subdomains: Hub, chromium: Browser) -> dict[str, str]:
    """How they end where each person's dashboards have an origin of their own."""
    outcomes = outcomes_on(hub_on_subdomains, chromium)
    groups = hub_on_subdomains.api("/groups").json()
    outcomes["hub"] = str([group["name"] for group in groups])
    return outcomes


@pytest.fixture(scope="module")
def on_one_origin(hub: Hub, chromium: Browser) -> dict[str, str]:
    """How they end where dashboards and the hub's pages share one origin."""
    Person(hub).sign_in(MEMBER)
    return outcomes_on(hub, chromium)


@pytest.mark.parametrize("name", tried(dict.fromkeys(NEEDS_SUBDOMAINS, ORIGIN) | GUARDED))
def test_on_a_subdomain_it_is_refused(on_subdomains: dict[str, str], name: str) -> None:
    assert on_subdomains[name].startswith("refused"), on_subdomains[name]
    assert "taken" not in on_subdomains["hub"]


@pytest.mark.parametrize("name", tried(GUARDED))
def test_on_one_origin_it_is_refused(on_one_origin: dict[str, str], name: str) -> None:
    assert on_one_origin[name].startswith("refused"), on_one_origin[name]


@guard_out(ORIGIN)
@pytest.mark.parametrize("name", NEEDS_SUBDOMAINS)
def test_on_one_origin_it_succeeds(on_one_origin: dict[str, str], name: str) -> None:
    assert on_one_origin[name].startswith("got"), on_one_origin[name]
