"""The gallery in a browser: searching among a hundred dashboards, favourites, what was opened."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.visitor import NewVisitor, Visitor
from tests.conftest import StartHub
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import FEW_SERVERS, Hub, wait_until
from tests.person import Person

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"
GALLERY = f"/user/{MEMBER}/?all"
MARKUP = "<img src=x onerror=alert(1)>\"'`{{ 7 * 7 }}"
HOSTILE = {
    "authors": [{"name": MARKUP}],
    "atrium": {"title": MARKUP, "description": MARKUP * 30, "tags": [MARKUP[:30], {}, 7]},
}
#: Seven are shipped for an admin, two of them for the member.
MADE = 93


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    """A hub with a hundred dashboards, 95 of them for the member."""
    hub = start_hub(**FEW_SERVERS)
    user = hub.notebooks / "user"
    own_page = (
        "import panel as pn\npn.extension(template='fast')\npn.pane.Str('drawn in it').servable()"
    )
    write_notebook(user / "own_page.ipynb", markdown("# Own page"), code(own_page))
    write_notebook(user / "broken.ipynb", markdown("# Broken one"), code("1 / 0"))
    write_notebook(user / "hostile.ipynb", code("1"), **HOSTILE)
    write_notebook(
        user / "cafe.ipynb",
        markdown("# Café über alles\n\nÀ la carte."),
        code("open('sales.csv').read()"),
        authors=[{"name": "Zoë Ångström"}],
        atrium={"tags": ["weekly", "Food"]},
    )
    (user / "sales.csv").write_text("1")
    for number in range(MADE - 4):
        folder = "finance" if number % 2 else "user"
        tags = ["weekly"] if number < 10 else []
        write_notebook(
            hub.notebooks / folder / f"d{number:02}.ipynb",
            markdown(f"# Report {number:02}\n\nWords of report {number:02}."),
            atrium={"tags": tags},
        )
    made = hub.api("/groups/finance", "POST", json={"users": []})
    assert made.status_code == 201
    return hub


@pytest.fixture(scope="module")
def cookies(chromium: Browser, hub: Hub) -> list[Any]:
    """Of the member's browser: they sign in once for all."""
    first = Visitor(chromium, hub)
    page = first.sign_in(MEMBER, GALLERY)
    assert hub.api("/groups/finance/users", "POST", json={"users": [MEMBER]}).ok
    expect(page.get_by_role("heading", name="Finance")).to_be_visible()  # by itself
    found = first.context.cookies()
    first.close()
    return found


@pytest.fixture
def gallery(visitor: Visitor, cookies: list[Any]) -> Page:
    """The member's gallery."""
    visitor.context.add_cookies(cookies)
    return visitor.go(GALLERY)


def box(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Search dashboards")


def titles(page: Page) -> list[str]:
    """The cards in the folders that are to be seen."""
    return page.locator("[data-section] h3:visible").all_inner_texts()


def favourites(page: Page) -> Locator:
    return page.get_by_role("region", name="Favourites")


def star(place: Page | Locator, title: str) -> Locator:
    return place.get_by_role("button", name=f"Favourite: {title}", exact=True)


def test_search_finds_every_word_wherever_it_stands(gallery: Page, visitor: Visitor) -> None:
    expect(box(gallery)).to_have_attribute("placeholder", f"Search {MADE + 2} dashboards")
    for text, found in (
        ("report 07", ["Report 07"]),
        ("  UBER cafe ", ["Café über alles"]),
        ("carte everybody", ["Café über alles"]),
        ("zoe angstrom food", ["Café über alles"]),
        ("carte finance", []),
        ("finance 13", ["Report 13"]),
    ):
        box(gallery).fill(text)
        assert titles(gallery) == found, text
    expect(gallery.get_by_role("status")).to_have_text(f"1 of {MADE + 2} dashboards")
    expect(gallery.get_by_role("heading", name="Everybody")).to_be_hidden()
    expect(gallery).to_have_url(re.compile(r"\?all&q=finance\+13$"))
    gallery.get_by_role("link", name="Report 13").click()
    expect(gallery.get_by_role("heading", name="Report 13").first).to_be_visible()
    gallery.go_back()
    expect(box(gallery)).to_have_value("finance 13")
    assert titles(gallery) == ["Report 13"]
    tab = visitor.open_tab(gallery.url)
    assert titles(tab) == ["Report 13"]


def test_filters_combine_with_the_search_and_back_takes_them_away(gallery: Page) -> None:
    chips = gallery.get_by_role("group", name="Show only")

    def chip(name: str) -> Locator:
        return chips.get_by_role("button", name=name, exact=True)

    expect(chip("All")).to_have_attribute("aria-pressed", "true")
    chip("weekly").click()
    assert len(titles(gallery)) == 11
    chip("Finance").click()
    assert titles(gallery) == [f"Report 0{number}" for number in (1, 3, 5, 7, 9)]
    expect(gallery.get_by_text("5 dashboards", exact=True)).to_be_visible()
    expect(gallery).to_have_url(re.compile(r"\?all&folder=finance&tag=weekly$"))
    chip("Food").click()
    expect(gallery.get_by_role("heading", name="No dashboard matches")).to_be_visible()
    expect(gallery.get_by_text("None is under all that you chose")).to_be_visible()
    chip("Finance").click()
    assert titles(gallery) == ["Café über alles"]
    for count in (0, 5, 11, MADE + 2):
        gallery.go_back()
        wait_until(lambda n=count: len(titles(gallery)) == n, f"{count} cards")
    expect(chip("weekly")).to_have_attribute("aria-pressed", "false")
    box(gallery).fill("nobody's words")
    gallery.get_by_role("button", name="Clear the search").click()
    expect(box(gallery)).to_be_focused()
    assert len(titles(gallery)) == MADE + 2
    gallery.goto(f"{gallery.url.partition('?')[0]}?all&folder=admin&tag=none&q=report+07")
    assert titles(gallery) == ["Report 07"]  # what is not known is left out


def test_the_keyboard_is_enough(gallery: Page) -> None:
    press = gallery.keyboard.press
    press("/")
    expect(box(gallery)).to_be_focused()
    gallery.keyboard.type("a/b")
    expect(box(gallery)).to_have_value("a/b")
    press("Escape")
    expect(box(gallery)).to_have_value("")
    expect(box(gallery)).not_to_be_focused()
    press("/")
    gallery.keyboard.type("report 0")
    press("ArrowDown")
    expect(gallery.get_by_role("link", name="Report 00")).to_be_focused()
    press("Tab")
    expect(star(gallery, "Report 00")).to_be_focused()
    press("Space")
    expect(star(gallery, "Report 00")).to_have_attribute("aria-pressed", "true")
    press("Space")
    expect(star(gallery, "Report 00")).to_have_attribute("aria-pressed", "false")
    press("/")
    press("Escape")
    press("/")
    gallery.keyboard.type("report 12")
    press("Enter")
    expect(gallery.get_by_role("heading", name="Report 12").first).to_be_visible()


def test_a_favourite_stands_above_the_folders_and_stays(gallery: Page, visitor: Visitor) -> None:
    expect(favourites(gallery)).to_be_hidden()
    with gallery.expect_response("**/favourite"):
        star(gallery, "Report 20").click()
    star(gallery, "Report 21").click()
    gallery.reload()  # at once: what was clicked is not lost
    expect(favourites(gallery).locator("h3")).to_have_text(["Report 20", "Report 21"])
    expect(favourites(gallery).get_by_text("2 dashboards")).to_be_visible()
    box(gallery).fill("report 20")
    expect(favourites(gallery)).to_be_hidden()  # found once
    box(gallery).fill("")
    with gallery.expect_response("**/favourite") as told:
        star(favourites(gallery), "Report 20").click()
    assert told.value.status == 204
    expect(star(favourites(gallery), "Report 21")).to_be_focused()
    expect(star(gallery, "Report 20")).to_have_attribute("aria-pressed", "false")
    tab = visitor.open_tab(gallery.url)
    expect(favourites(tab).locator("h3")).to_have_text(["Report 21"])
    favourites(tab).get_by_role("link", name="Report 21").click()
    expect(tab.get_by_role("heading", name="Report 21").first).to_be_visible()
    tab.go_back()
    recent = tab.get_by_role("region", name="Recently opened")
    expect(recent.get_by_role("link", name="Report 21")).to_be_visible()
    with tab.expect_response("**/favourite"):
        star(recent, "Report 21").click()
    expect(favourites(tab)).to_be_hidden()


@pytest.mark.parametrize("wanted", [True, False])
def test_a_favourite_that_cannot_be_kept_is_taken_back(
    wanted: bool, gallery: Page, visitor: Visitor
) -> None:
    visitor.expect_errors("status of 409", "ERR_FAILED")
    button = star(gallery.locator("[data-section]"), "Report 30")
    if not wanted:
        with gallery.expect_response("**/favourite"):
            button.click()
    before = button.get_attribute("aria-pressed")
    held: list[Route] = []
    gallery.route("**/favourite", lambda route: held.append(route))
    button.click()
    expect(button).not_to_have_attribute("aria-pressed", str(before))
    wait_until(lambda: (gallery.context.cookies(), held)[1], "what is told")
    if wanted:
        held[0].fulfill(status=409, json={"message": "There are enough."})
        words = "“Report 30” could not be kept as a favourite. There are enough."
    else:
        held[0].abort()
        words = "“Report 30” could not be taken out of your favourites. Try again in a moment."
    expect(gallery.get_by_role("alert")).to_contain_text(words)
    expect(button).to_have_attribute("aria-pressed", str(before))
    gallery.get_by_role("button", name="Close").click()
    expect(gallery.get_by_role("alert")).to_have_count(0)
    gallery.unroute("**/favourite")
    if not wanted:
        with gallery.expect_response("**/favourite"):
            button.click()


def test_a_card_says_whose_it_is_and_how_fresh(gallery: Page) -> None:
    card = gallery.get_by_role("link", name="Café über alles")
    expect(card).to_contain_text("Zoë Ångström")
    expect(card).to_contain_text(re.compile(r"Data of (today \d\d:\d\d|yesterday)"))
    expect(card.locator(".tag")).to_have_text(["weekly", "Food"])
    hostile = gallery.get_by_role("link", name="onerror").last
    expect(hostile.locator("h3")).to_have_text(MARKUP)
    expect(hostile.locator(".owner")).to_have_text(MARKUP)
    expect(gallery.locator("main img")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_telephone(
    dark: bool, new_visitor: NewVisitor, cookies: list[Any], hub: Hub
) -> None:
    visitor = new_visitor(hub, width=360, dark=dark)
    visitor.context.add_cookies(cookies)
    page = visitor.go(GALLERY)
    star(page.locator("[data-section]"), "Café über alles").click()
    expect(favourites(page)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        "[...document.querySelectorAll('main button, main a, main input')]"
        ".filter((one) => one.offsetParent && Math.min(one.offsetWidth, one.offsetHeight) < 36)"
        ".map((one) => one.outerHTML)"
    )
    assert small == []
    with page.expect_response("**/favourite"):
        star(favourites(page), "Café über alles").click()
    page.get_by_role("button", name="Light" if dark else "Dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == ("light" if dark else "dark")
    box(page).fill("nobody's words")
    expect(page.get_by_role("button", name="Clear the search")).to_be_in_viewport()


def test_without_scripts_every_card_is_there(
    chromium: Browser, cookies: list[Any], hub: Hub
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(f"{hub.url}{GALLERY}")
    assert len(titles(page)) == MADE + 2
    expect(box(page)).to_be_hidden()
    expect(page.locator(".star:visible")).to_have_count(0)
    context.close()


def measured(admin: Person, name: str) -> dict[str, Any] | None:
    """What the hub knows of the openings of a dashboard."""
    headers = admin.xsrf | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    answer = admin.get("/hub/api/usage", params={"dashboard": name}, headers=headers).json()
    return answer["rows"][0] if answer["rows"] else None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("cafe", "À la carte"), ("own_page", "drawn in it")],
    ids=["frame", "own page"],
)
def test_the_browser_says_how_soon_the_first_view_was_there(
    name: str, shown: str, gallery: Page, hub: Hub
) -> None:
    gallery.goto(gallery.url.replace("?all", f"dashboards/user/{name}"))
    expect(gallery.get_by_text(shown)).to_be_visible()
    admin = Person.signed_in(hub, ADMIN)
    row = wait_until(lambda: (m := measured(admin, name)) and m["measured"] and m, "the measure")
    assert row["measured"] == 1
    assert 0 < row["seconds"]["p50"] < 60
    assert row["failed"] == 0


def test_a_dashboard_that_fails_is_counted_as_that(gallery: Page, hub: Hub) -> None:
    gallery.get_by_role("link", name="Broken one").click()
    expect(gallery.get_by_role("heading", name="could not be drawn")).to_be_visible()
    admin = Person.signed_in(hub, ADMIN)
    row = wait_until(lambda: (m := measured(admin, "broken")) and m["failed"] and m, "the failure")
    assert (row["openings"], row["failed"], row["measured"]) == (1, 1, 0)


def test_no_page_can_say_what_it_likes(gallery: Page, visitor: Visitor) -> None:
    """As JavaScript of a dashboard would, which runs at the same address."""
    visitor.expect_errors("status of 40[034]")
    tell = """async ([path, body, token]) => {
        const headers = token ? { "X-XSRFToken": token } : {};
        return (await fetch(path, { method: "POST", headers, body })).status;
    }"""
    token = gallery.evaluate("document.querySelector('[data-xsrf]').dataset.xsrf")
    opening = {"opening": "0123456789abcdef", "seconds": 1}
    wanted = {"group": "user", "dashboard": "cafe", "favourite": True}
    for path, said, with_token, status in (
        ("favourite", wanted, "", 403),
        ("favourite", wanted, "wrong", 403),
        ("opened", opening, "", 403),
        ("opened", opening, token, 404),
        ("opened", {**opening, "seconds": 10**9}, token, 400),
        ("opened", {**opening, "seconds": "1"}, token, 400),
        ("opened", [], token, 400),
        ("favourite", {**wanted, "group": "admin", "dashboard": "the_hub"}, token, 404),
        ("favourite", {**wanted, "dashboard": "../admin/the_hub"}, token, 404),
        ("favourite", {**wanted, "dashboard": "x" * 3000}, token, 400),
        ("favourite", {**wanted, "favourite": 1}, token, 400),
    ):
        answer = gallery.evaluate(tell, [path, json.dumps(said), with_token])
        assert answer == status, (path, said)
