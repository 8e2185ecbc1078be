"""Dashboards in a browser: plots that move, folders that appear, notebooks that break."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from dashboards.files import usual_scripts
from dashboards.running.cells import digest_of
from hub_extensions.pictures import SIZE
from tests.browser.visitor import NewVisitor, Visitor, add_member, await_sample
from tests.conftest import StartHub
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, free_port, wait_until

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"
SENSOR = f"/user/{MEMBER}/dashboards/user/sensor_explorer"


#: True once our sheet is there.
STYLE = "getComputedStyle(document.body).getPropertyValue('--ink') !== ''"
FRAMED = """
import panel as pn
pn.extension(template="fast")
pn.pane.HTML("<p class='framed'>in a frame of its own</p>").servable()
"""


def common_script(hub: Hub) -> requests.Response:
    """A script from the address that is everybody's."""
    return requests.get(f"{hub.url}/services/files/{usual_scripts()[0]}", timeout=20)


def drawn(plot: Locator) -> Callable[[], bytes]:
    """A picture of a plot, to see whether it has changed."""
    return lambda: plot.screenshot()


def give_group(page: Page, group: str, member: str) -> None:
    """As an admin does it: a new group and its first member, in the hub's admin page."""
    page.get_by_role("link", name="People and groups").click()
    page.get_by_role("button", name="Manage Groups").click()
    page.get_by_role("button", name="New Group").click()
    page.get_by_placeholder("group name").fill(group)
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name=group).click()
    add_member(page, member)
    expect(page.get_by_role("heading", name="Groups")).to_be_visible()


def test_a_slider_moves_the_plot(visitor: Visitor) -> None:
    page = visitor.sign_in(MEMBER, SENSOR)
    plot = page.locator(".bk-Figure")
    expect(page.get_by_text("rolling average of 30 days")).to_be_visible()
    expect(plot).to_be_visible()
    picture = drawn(plot)
    wait_until(lambda: picture() == picture(), "a plot that has settled")
    before = picture()
    slider = page.get_by_role("slider").first
    slider.focus()
    slider.press("ArrowRight")
    expect(page.get_by_text("rolling average of 31 days")).to_be_visible()
    wait_until(lambda: picture() != before, "a plot that has moved")


def test_a_link_shows_what_one_saw_and_so_does_a_server_that_was_stopped(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    visitor = new_visitor(hub, allow=["WebSocket", "bokeh", "status of (424|503)"])
    page = visitor.sign_in(MEMBER, SENSOR)
    expect(page.get_by_text("rolling average of 30 days")).to_be_visible()
    assert urlsplit(page.url).query == ""
    page.get_by_role("slider").first.press("ArrowRight")
    expect(page.get_by_text("rolling average of 31 days")).to_be_visible()
    expect(page).to_have_url(f"{hub.url}{SENSOR}?window=31")

    def shows_the_value(tab: Page) -> None:
        expect(tab.get_by_text("rolling average of 31 days")).to_be_visible()
        expect(tab.get_by_role("slider").first).to_have_attribute("aria-valuetext", "31.00")
        expect(tab.locator(".bk-Figure")).to_be_visible()

    tab = visitor.open_tab(page.url)
    shows_the_value(tab)
    page.close()
    assert hub.api(f"/users/{MEMBER}/server", "DELETE").status_code in {202, 204}
    expect(tab.get_by_role("heading", name="This dashboard was closed")).to_be_visible()
    tab.get_by_role("link", name="Open it again").click()
    shows_the_value(tab)
    assert tab.url == f"{hub.url}{SENSOR}?window=31"


def test_values_show_on_hover_and_the_readings_can_be_downloaded(visitor: Visitor) -> None:
    page = visitor.sign_in(MEMBER, SENSOR)
    plot = page.locator(".bk-Figure")
    expect(plot).to_be_visible()
    box = plot.bounding_box()
    assert box
    value = page.get_by_text("Rolling average:")

    def hover() -> bool:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(box["x"] + box["width"] / 2 + 5, box["y"] + box["height"] / 2)
        return value.is_visible()

    wait_until(hover, "a value on hover")
    with page.expect_download() as download:
        page.get_by_text("Download the readings").click()
    assert download.value.suggested_filename.endswith(".csv")


def test_a_group_given_in_the_admin_page_opens_its_folder_and_stays(
    visitor: Visitor, new_visitor: NewVisitor, hub: Hub
) -> None:
    shutil.copytree(hub.notebooks / "user", hub.notebooks / "finance")
    member = new_visitor(hub)
    page = member.sign_in(MEMBER)
    expect(page.get_by_role("heading", name="Finance")).to_have_count(0)
    give_group(visitor.sign_in(ADMIN), "finance", MEMBER)
    expect(page.get_by_role("heading", name="Finance")).to_be_visible()  # by itself
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_text("You are signed out")).to_be_visible()
    again = member.sign_in(MEMBER)
    expect(again.get_by_role("heading", name="Finance")).to_be_visible()


def test_a_broken_notebook_says_so_and_others_go_on(
    visitor: Visitor, new_visitor: NewVisitor, hub: Hub
) -> None:
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": "raise RuntimeError('the-cause')",
        "outputs": [],
        "execution_count": None,
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (hub.notebooks / "user" / "broken.ipynb").write_text(json.dumps(notebook))
    (hub.notebooks / "user" / "no_notebook.ipynb").write_text("this is none")
    page = visitor.sign_in(MEMBER)
    expect(page.get_by_text("is no notebook")).to_have_count(0)
    page.get_by_role("link", name="Broken").first.click()
    expect(page.get_by_role("heading", name="could not be drawn")).to_be_visible()
    expect(page.get_by_text("the-cause")).to_have_count(0)
    page.goto(f"{hub.url}{SENSOR}")
    expect(page.locator(".bk-Figure")).to_be_visible()
    admin = new_visitor(hub)
    page = admin.sign_in(ADMIN)
    expect(page.get_by_text("is no notebook")).to_be_visible()
    page.goto(f"{hub.url}/user/{ADMIN}/dashboards/user/broken")
    expect(page.get_by_text("the-cause").first).to_be_visible()


def test_a_killed_server_is_told_of_and_comes_back(new_visitor: NewVisitor, hub: Hub) -> None:
    known = ["WebSocket", "bokeh", "status of 503", "status of 424", "ERR_"]
    visitor = new_visitor(hub, allow=known)
    page = visitor.sign_in(MEMBER, SENSOR)
    expect(page.locator(".bk-Figure")).to_be_visible()
    server = hub.server_of(MEMBER)
    assert server is not None
    server.kill()
    expect(page.get_by_text("Connection lost")).to_be_visible()
    expect(page.get_by_role("heading", name="Your dashboards were stopped")).to_be_visible()
    page.get_by_role("link", name="Open").click()
    expect(page.locator(".bk-Figure")).to_be_visible()
    assert page.url.endswith(SENSOR)


@pytest.mark.parametrize(
    ("path", "shown"),
    [("?all", ".card"), ("dashboards/user/framed", ".framed")],
    ids=["gallery", "page of its own"],
)
def test_a_browser_that_cannot_reach_them_uses_the_servers_own(
    path: str, shown: str, new_visitor: NewVisitor, hub: Hub
) -> None:
    write_notebook(hub.notebooks / "user" / "framed.ipynb", code(FRAMED))
    visitor = new_visitor(hub, allow=["ERR_FAILED", "Bokeh"])
    visitor.context.route("**/services/files/**", lambda route: route.abort())
    page = visitor.sign_in(MEMBER, f"/user/{MEMBER}/{path}")
    expect(page.locator(shown).first).to_be_visible()
    own = page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
    assert any(f"/user/{MEMBER}/static/atrium/" in name for name in own)


def test_dashboards_open_on_a_subdomain_of_their_own(
    start_hub: StartHub, new_visitor: NewVisitor
) -> None:
    address = f"http://localhost:{free_port()}"
    other = start_hub(ATRIUM_PUBLIC_URL=address, ATRIUM_SUBDOMAIN_HOST=address)
    visitor = new_visitor(other, sample=True)
    visitor.ask_for_link(MEMBER, "/hub/user-redirect/dashboards/user/sensor_explorer?a=1")
    await_sample(visitor.page)
    outbox = f"{visitor.page.url.partition('/login/')[0]}/outbox"
    visitor.page.close()  # led on, it would draw one more
    page = visitor.open_tab(outbox)
    page.get_by_role("article").filter(has_text=MEMBER).first.get_by_role("link").first.click()
    expect(page.locator(".bk-Figure")).to_be_visible()
    expect(page).to_have_url(
        re.compile(r"\.localhost:\d+/user/.*/dashboards/user/sensor_explorer\?a=1$")
    )


def test_while_the_service_of_scripts_is_away_the_servers_own_are_used(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    wait_until(lambda: common_script(hub).ok, "the service")
    (service,) = (p for p in hub.processes() if "dashboards.file_server" in p.cmdline())
    service.kill()  # JupyterHub starts it again within half a minute: the last test of this hub
    wait_until(lambda: not common_script(hub).ok, "its end")
    visitor = new_visitor(hub, allow=["status of 503", "Bokeh", "MIME type"])
    page = visitor.sign_in(MEMBER, SENSOR)
    expect(page.locator(".bk-Figure")).to_be_visible()
    assert page.evaluate(STYLE)


def test_a_card_shows_the_picture_of_its_colour_scheme(new_visitor: NewVisitor, hub: Hub) -> None:
    path = write_notebook(hub.notebooks / "user" / "seen.ipynb", code("1"))
    place = hub.state / "shared" / "user"  # as the hub keeps them
    place.mkdir(parents=True, exist_ok=True)
    for scheme, colour in (("light", "red"), ("dark", "blue")):
        file = place / f"picture-{digest_of(path.name, path.read_bytes())}-{scheme}.png"
        Image.new("RGBA", SIZE, colour).save(file)
    visitor = new_visitor(hub, allow=["status of 503"])  # scripts, if the hub has just begun
    page = visitor.sign_in(MEMBER)
    card = page.get_by_role("link", name="Seen")
    light, dark = card.locator("img.light"), card.locator("img.dark")
    for _ in range(2):  # also once it comes from the browser's own cache
        expect(light).to_be_visible()
        expect(dark).to_be_hidden()
        expect(light).to_have_js_property("naturalWidth", SIZE[0])
        assert colour_of(light) == (255, 0, 0)
        page.reload()
    assert not [address for address in visitor.requests if "-dark.png" in address]
    page.emulate_media(color_scheme="dark")
    expect(dark).to_be_visible()
    expect(dark).to_have_js_property("naturalWidth", SIZE[0])
    assert colour_of(dark) == (0, 0, 255)
    page.get_by_role("button", name="Light").click()  # what is chosen goes before the system's
    expect(light).to_be_visible()
    expect(dark).to_be_hidden()
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Dark").click()
    expect(dark).to_be_visible()
    expect(light).to_be_hidden()
    others = page.locator("[data-section] .thumb").filter(has=page.locator("svg"))
    expect(others.first).to_be_visible()
    box, drawn_box = card.locator(".thumb").bounding_box(), others.first.bounding_box()
    assert box
    assert drawn_box
    assert (box["width"], box["height"]) == (drawn_box["width"], drawn_box["height"])


def colour_of(picture: Locator) -> tuple[int, ...]:
    """What is in the middle of it."""
    shown = Image.open(io.BytesIO(picture.screenshot())).convert("RGB")
    return shown.getpixel((shown.width // 2, shown.height // 2))  # pyright: ignore[reportReturnType]
