"""The installation's name, logo and colour on every page, and a customer's own for its people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor
from tests.conftest import StartHub
from tests.hub import Hub
from tests.person import Person

pytestmark = pytest.mark.slow

ADMIN, MEMBER, CUSTOMER = "admin@acme.test", "member@acme.test", "member@globex.test"
NAME, CANARY = "Acme & Söhne <b>charts</b>", "Canary Globex"
ACCENT, CUSTOMERS_ACCENT = "rgb(122, 31, 92)", "rgb(0, 74, 173)"
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 32">
<script>document.documentElement.setAttribute("fill", "red"); alert(1)</script>
<rect width="{width}" height="32" rx="6" fill="{colour}"/></svg>"""


@pytest.fixture(scope="module")
def hub(start_hub: StartHub, tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A hub with a look of its own, and a customer that has one too."""
    folder = tmp_path_factory.mktemp("brand")
    (folder / "logo.svg").write_text(SVG.format(width=32, colour="#7a1f5c"))
    (folder / "globex.svg").write_text(SVG.format(width=120, colour="#004aad"))
    (folder / "brands.toml").write_text(
        f'[globex]\nname = "{CANARY}"\nlogo = "globex.svg"\naccent = "#004aad"\n'
    )
    return start_hub(
        ATRIUM_NAME=NAME,
        ATRIUM_LOGO=str(folder / "logo.svg"),
        ATRIUM_ACCENT="#7a1f5c",
        ATRIUM_BRANDS=str(folder / "brands.toml"),
        ATRIUM_EMBED_ORIGINS="https://intranet.test",
    )


def assert_looks(page: Page, name: str, accent: str) -> None:
    """The page names itself so, in its tab too, shows a logo, and presses in this colour."""
    expect(page).to_have_title(re.compile(rf" · {re.escape(name)}$"))
    logo = page.locator(".mark img").first
    expect(logo).to_be_visible()
    assert logo.evaluate("logo => logo.complete && logo.naturalWidth > 0")
    icon = page.locator("link[rel=icon]").get_attribute("href") or ""
    # A tab has no room for a name in letters: there our mark stands, in the accent.
    assert "/brand/" in icon
    assert (icon == logo.get_attribute("src")) is (name == NAME)
    found = page.evaluate(
        """() => { const probe = document.createElement("i");
        probe.style.setProperty("color", "var(--accent)"); document.body.append(probe);
        const found = getComputedStyle(probe).color; probe.remove(); return found; }"""
    )
    assert found == accent
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_page_of_an_admin_has_the_look(new_visitor: NewVisitor, hub: Hub) -> None:
    visitor = new_visitor(hub, allow=["status of 404"])
    page = visitor.go("/")
    expect(page.get_by_label("E-mail")).to_be_visible()
    assert_looks(page, NAME, ACCENT)
    expect(page.get_by_text(NAME)).to_be_visible()
    page = visitor.sign_in(ADMIN)
    expect(page.get_by_role("heading", name="Dashboards")).to_be_visible()
    assert_looks(page, NAME, ACCENT)
    for path in (
        "/hub/home",
        "/hub/admin",
        "/hub/sessions",
        "/hub/requests",
        "/hub/none",
        f"/user/{ADMIN}/dashboards/user/penguins",
        f"/user/{ADMIN}/dashboards/user/none",
        "/hub/logout",
    ):
        page.evaluate("sessionStorage.setItem('atrium-kept', '1')")
        page = visitor.go(path)
        assert_looks(page, NAME, ACCENT)
    assert page.evaluate("sessionStorage.getItem('atrium-kept')") is None


def test_people_of_a_customer_see_its_look_once_they_are_known(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    visitor = new_visitor(hub, allow=["status of 404"])
    page = visitor.sign_in(CUSTOMER, f"/user/{CUSTOMER}/?all")
    expect(page.get_by_role("heading", name="Dashboards")).to_be_visible()
    assert_looks(page, CANARY, CUSTOMERS_ACCENT)
    expect(page.get_by_role("img", name=CANARY)).to_be_visible()  # a name in letters, said once
    for path in (
        "/hub/home",
        "/hub/none",
        f"/user/{CUSTOMER}/dashboards/customers/your_orders",
        "/hub/logout",
    ):
        page = visitor.go(path)
        assert_looks(page, CANARY, CUSTOMERS_ACCENT)
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    assert_looks(visitor.go("/hub/none"), NAME, ACCENT)


def test_nobody_else_learns_of_a_customer(hub: Hub) -> None:
    stranger, member, admin = Person(hub), Person(hub), Person(hub)
    member.sign_in(MEMBER)
    admin.sign_in(ADMIN)
    seen = []
    for person, name in ((stranger, ""), (member, MEMBER), (admin, ADMIN)):
        if name:
            person.open_dashboards()
        paths = ["/hub/login", "/hub/home", "/hub/none", "/hub/signed-out", "/services/descope/"]
        paths += [f"/user/{name}/?all", f"/user/{name}/dashboards/user/penguins"] if name else []
        seen += [person.get(path).text for path in paths]
    assert sum(NAME.replace("&", "&amp;").replace("<", "&lt;")[:14] in page for page in seen) > 9
    customer = Person(hub)
    customer.sign_in(CUSTOMER)
    own = customer.get("/hub/home").text
    logo = re.search(r"/services/files/brand/[0-9a-f]{32}\.svg", own)
    assert CANARY in own
    assert logo
    assert not any(CANARY in page or logo[0] in page or "#004aad" in page for page in seen)
    for path in ("/services/files/brand/", f"{logo[0][:-6]}.svg", f"/hub{logo[0]}"):
        assert stranger.get(path).status_code in {403, 404}


def test_an_address_does_not_tell_of_which_customer_its_owner_is(hub: Hub) -> None:
    stranger, member, admin, customer = (Person(hub) for _ in range(4))
    member.sign_in(MEMBER)
    admin.sign_in(ADMIN)
    customer.sign_in(CUSTOMER)
    own = customer.open_dashboards().text
    place = f"/user/{CUSTOMER}/"
    assert CANARY in own
    logo = re.search(r"/services/files/brand/[0-9a-f]{32}\.svg", own)
    assert logo
    in_a_frame = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}
    answers = [
        (403, stranger.get(place, headers={"Sec-Fetch-Mode": "cors"})),
        (403, stranger.post(place)),
        (400, stranger.get(f"{place}oauth_callback")),
        (200, stranger.get(f"{place}dashboards/a/b", headers=in_a_frame)),
        (403, member.get(place)),
        (403, admin.get(place)),
    ]
    for status, answer in answers:
        assert answer.status_code == status
        assert "Acme &amp; S" in answer.text
    icons = [person.get(f"{place}favicon.ico") for person in (stranger, member, admin, customer)]
    assert {icon.url for icon in icons} == {icons[0].url}
    assert "#7a1f5c" in icons[0].text
    for answer in (*icons, *(answer for _, answer in answers)):
        for canary in (CANARY, logo[0], "#004aad"):
            assert canary not in answer.text + answer.url


def test_nobody_chooses_a_look_by_a_cookie(hub: Hub) -> None:
    stranger = Person(hub)
    stranger.cookies.set("atrium-ask", "globex", path="/hub/")
    assert CANARY not in stranger.get("/hub/signed-out").text


def test_a_logo_runs_no_script(new_visitor: NewVisitor, hub: Hub, tmp_path: Path) -> None:
    visitor = new_visitor(hub, allow=["Content Security Policy", "sandboxed"])
    address = visitor.go("/").locator(".mark img").get_attribute("src")
    assert address
    answer = Person(hub).get(address)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in answer.headers
    visitor.page.on("dialog", lambda _: pytest.fail("a script of the logo ran"))
    page = visitor.go(address)
    assert page.evaluate("document.documentElement.getAttribute('fill')") is None
