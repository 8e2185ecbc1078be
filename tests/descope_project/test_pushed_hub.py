"""A hub in front of a project that `descope_project push` has made from nothing."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.conftest import StartHub
from tests.descope_project.command import HubFolder
from tests.hub import free_port
from tests.local_descope.stand_in import Browser, StandIn
from tests.providers import CLIENT_ID, CLIENT_SECRET, pypi_provider

TENANT = """
[tenants.acme.sso]
issuer = "{issuer}"
client_id = "{client}"
client_secret = {{ env = "ACME_SECRET" }}
domains = ["acme.test"]
roles = {{ "Tenant Admin" = ["bosses"] }}
"""
BOSS = {"email": "boss@acme.test", "email_verified": True, "groups": ["bosses"]}
DASHBOARDS = re.compile(r"/user/[^/]+/$")


def test_all_three_ways_lead_into_the_hub(
    hub_folder: HubFolder, empty: StandIn, start_hub: StartHub, new_visitor: NewVisitor
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    hub_folder.environment |= {"ATRIUM_PUBLIC_URL": address, "ACME_SECRET": CLIENT_SECRET}
    with pypi_provider({"boss": BOSS}) as provider:
        toml = hub_folder.folder / "flows" / "project.toml"
        toml.write_text(toml.read_text() + TENANT.format(issuer=provider.url, client=CLIENT_ID))
        pushed = hub_folder.run("push", "--yes")
        assert pushed.returncode == 0, pushed.stdout + pushed.stderr
        key = (hub_folder.folder / ".env").read_text().strip().partition("=")[2]
        names = ("DESCOPE_PROJECT_ID", "DESCOPE_BASE_URI", "DESCOPE_TENANT_ID", "ATRIUM_PUBLIC_URL")
        settings = {name: hub_folder.environment[name] for name in names}
        hub = start_hub(**settings, DESCOPE_CLIENT_SECRET=key)

        def someone() -> Visitor:
            also = [empty.origin, provider.url, "https://cdn.jsdelivr.net"]
            # a browser may ask for a tab's icon when the tab's server has just been ended
            visitor = new_visitor(hub, also=also, allow=["favicon", "mark.svg", "jsdelivr"])
            visitor.context.route("https://cdn.jsdelivr.net/**", lambda route: route.abort())
            return visitor

        # by the company's own provider, whose groups make an admin
        page = someone().go("/")
        page.get_by_label("E-mail").fill("boss@acme.test")
        page.get_by_role("button", name="Continue with single sign-on").click()
        page.get_by_placeholder("sub").fill("boss")
        page.get_by_role("button", name="Authorize").click()
        arrives(page)
        expect(page.get_by_role("link", name="People and groups")).to_be_visible()

        # by a link, as somebody whom the owner has taken in
        empty.project.mgmt.user.create("ann@acme.test", email="ann@acme.test", verified_email=True)
        empty.project.mgmt.user.add_tenant("ann@acme.test", "acme")
        ann = someone()
        ann.ask_for_link("ann@acme.test")
        arrives(ann.open_tab(mailed_link(empty, "ann@acme.test")))

        # and the same person with Google, which the project trusts with addresses
        page = someone().go("/")
        page.get_by_role("button", name="Continue with Google").click()
        page.get_by_role("button", name="ann@acme.test").click()
        arrives(page)
        sign_out(page)


def arrives(page: Page) -> None:
    """At the dashboards, all of whose parts are there: nothing is asked of a server that ends."""
    expect(page).to_have_url(DASHBOARDS)
    page.wait_for_load_state("load")


def mailed_link(project: StandIn, email: str) -> str:
    with Browser(project) as browser:
        return browser.mailed_links(email)[0]


def sign_out(page: Page) -> None:
    page.get_by_role("link", name="Sign out").click()
    expect(page).to_have_url(re.compile(r"/hub/signed-out"))
