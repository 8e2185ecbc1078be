"""The frame round a dashboard: its buttons, the address, waiting, and the way back when lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.axe import serious
from tests.browser.frame_notebooks import TEMPLATES
from tests.browser.visitor import NewVisitor, Visitor
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"
SENSOR = "user/sensor_explorer"
READY = "window.atriumFrame && Bokeh.documents.every((doc) => doc.is_idle)"
#: Says and counts what it is told, computes for as long as it is told, and is long.
SAID = """
import time
import panel as pn
pn.extension()
most = pn.widgets.IntSlider(label="Most", start=0, end=9, value=3)
said = pn.widgets.TextInput(label="Said")
secret = pn.widgets.PasswordInput(label="Secret")
wait = pn.widgets.Button(name="Compute")
wait.on_click(lambda _: time.sleep(1.5))
pn.Column(
    most, said, secret, wait, pn.bind("said {} {}".format, said, most), pn.Spacer(height=2000)
).servable()
"""
#: Tables that scroll in a box: by its height, by its greatest height, and by a column round it.
ROWS = """
import pandas as pd
import panel as pn
pn.extension()
rows = pd.DataFrame({"row": range(100)})
pn.Column(
    pn.pane.DataFrame(rows, height=200, css_classes=["rows-box"]),
    pn.pane.DataFrame(rows, max_height=200, css_classes=["rows-box"]),
    pn.Column(pn.pane.DataFrame(rows), height=200, scroll=True, css_classes=["rows-box"]),
    pn.widgets.Tabulator(rows.assign(name="<b>x</b>"), height=200, show_index=False),
    pn.widgets.Tabulator(rows, pagination="remote", page_size=10),
).servable()
"""
BARE = """
import panel as pn
pn.extension()
pn.pane.Str("bare").servable()
"""
#: What a tab is that nobody looks at, as its page sees it; `show` has somebody come back to it.
HIDDEN = "Object.defineProperty(document, 'hidden', { get: () => window.isHidden === true });"
SHOW = "window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'));"

#: Whether a plot is drawn with the first colour of the palette: that for light, and for dark.
DRAWN = """() => {
  const plot = Bokeh.index.all_views().find((view) => view.canvas_view);
  const { canvas, ctx } = plot.canvas_view.primary;
  const { data } = ctx.getImageData(0, 0, canvas.width, canvas.height);
  const found = new Set(new Uint32Array(data.buffer)); // 0xAABBGGRR
  return [0xffb27200, 0xffe9b456].map((colour) => found.has(colour));
}"""

#: Of Panel's templates those with which `make test` tries the frame, and the others.
OFTEN = ["vanillatemplate", "fastlisttemplate", "materialtemplate"]
RARE = [name for name in TEMPLATES if name not in OFTEN]

OpenDashboard = Callable[..., Page]


@pytest.fixture(scope="module")
def hub(hub: Hub) -> Hub:
    folder = hub.notebooks / "user"
    for name, source in TEMPLATES.items():
        write_notebook(folder / f"{name}.ipynb", code(source))
    write_notebook(folder / "said.ipynb", code(SAID))
    write_notebook(folder / "rows.ipynb", code(ROWS))
    write_notebook(folder / "bare.ipynb", code(BARE), atrium={"frame": False})
    framed = TEMPLATES["vanillatemplate"]
    write_notebook(folder / "bareown.ipynb", code(framed), atrium={"frame": False})
    return hub


@pytest.fixture
def open_dashboard(new_visitor: NewVisitor, hub: Hub) -> OpenDashboard:
    """Signs somebody in and opens a dashboard, whose frame is ready."""

    def opened(name: str, person: str = MEMBER, **options: object) -> Page:
        hub.forget_mails()  # of those before
        visitor: Visitor = new_visitor(hub, **options)
        visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visitor.sign_in(person, f"/user/{person}/dashboards/{name}")
        page.wait_for_function(READY)
        return page

    return opened


def menu(page: Page, item: str) -> None:
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name=item).click()


def saved(page: Page, button: Locator) -> tuple[str, bytes]:
    """The name and the content of the file that a button downloads."""
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


# -- its buttons ----------------------------------------------------------------------------------


def test_a_link_is_shared_that_names_nobody(open_dashboard: OpenDashboard, hub: Hub) -> None:
    page = open_dashboard(SENSOR)
    page.get_by_role("slider").first.press("ArrowRight")
    page.wait_for_url("**?window=31")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_text("Link copied")).to_be_visible()
    link = page.get_by_label("Link").input_value()
    assert link == f"{hub.url}/hub/user-redirect/dashboards/user/sensor_explorer?window=31"
    assert page.evaluate("navigator.clipboard.readText()") == link
    assert serious(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Share")).to_be_focused()
    page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error()))")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_text("copy the link by hand")).to_be_visible()
    assert page.evaluate("getSelection().toString()") == link
    page.goto(f"{link}&utm_source=mail&colour=red&{'&'.join(f'x{n}=1' for n in range(9))}")
    expect(page.locator("#ignored")).to_contain_text("colour=red")
    page.get_by_role("button", name="Share").click()
    assert page.get_by_label("Link").input_value() == link
    page.goto(link)
    expect(page.get_by_text("rolling average of 31 days")).to_be_visible()


def test_what_scrolls_in_a_box_is_printed_whole(open_dashboard: OpenDashboard) -> None:
    page = open_dashboard("user/rows")
    boxes = page.locator(".rows-box")
    expect(boxes).to_have_count(3)
    heights = "(boxes) => boxes.map((one) => [one.clientHeight, one.scrollHeight])"
    assert all(box == 200 < whole for box, whole in boxes.evaluate_all(heights))
    page.emulate_media(media="print")
    assert all(box == whole > 2000 for box, whole in boxes.evaluate_all(heights))


def test_of_a_table_all_rows_are_printed_or_it_is_said_that_there_are_more(
    open_dashboard: OpenDashboard,
) -> None:
    page = open_dashboard("user/rows")
    page.wait_for_function("window.atriumFrame")
    expect(page.locator(".tabulator-row").first).to_be_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    whole = page.locator(".whole")
    expect(whole.first.locator("tr")).to_have_count(101)
    expect(whole.first.locator("tr").last).to_be_visible()
    expect(whole.first.locator("td").last).to_have_text("<b>x</b>")
    expect(whole.last.locator("tr")).to_have_count(11)
    expect(whole.last).to_contain_text("Page 1 of 10. Download has them all.")
    expect(page.locator(".tabulator-row:visible")).to_have_count(0)
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(whole).to_have_count(0)
    expect(page.locator(".tabulator-row").first).to_be_visible()


def test_its_data_and_its_picture_are_downloaded(open_dashboard: OpenDashboard) -> None:
    page = open_dashboard(SENSOR)
    page.get_by_role("button", name="Download", exact=True).click()
    asked = page.get_by_role("dialog")
    name, file = saved(page, asked.get_by_role("button", name="CSV").first)
    assert name.startswith("Sensor explorer")
    assert name.endswith(".csv")
    assert file.startswith(b'\xef\xbb\xbf"date","value","average"\r\n')
    assert b'\n"2012-01-01",' in file
    name, file = saved(page, asked.get_by_role("button", name="Picture"))
    assert name == "Sensor explorer.png"
    assert file.startswith(b"\x89PNG")
    assert serious(page) == []


def test_what_cannot_be_done_is_not_shown(open_dashboard: OpenDashboard) -> None:
    page = open_dashboard("user/said")
    expect(page.get_by_role("button", name="Share")).to_be_visible()
    expect(page.get_by_role("button", name="Download", exact=True)).to_be_hidden()


def test_the_menu_is_used_by_keys(open_dashboard: OpenDashboard) -> None:
    page = open_dashboard(SENSOR, width=360)
    more = page.get_by_role("button", name="More")
    expect(page.get_by_role("button", name="Share")).to_be_hidden()
    more.focus()
    more.press("ArrowDown")
    items = page.get_by_role("menuitem")
    expect(items).to_have_text(
        ["Share", "Download", "Full screen", "Print", "Who may see this", "Dark", "Sign out"]
    )
    expect(items.first).to_be_focused()
    assert all(box and box["height"] >= 36 for box in (one.bounding_box() for one in items.all()))
    assert serious(page) == []
    page.keyboard.press("End")
    expect(items.last).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(items.first).to_be_focused()
    page.keyboard.press("Escape")
    expect(items).to_have_count(0)
    expect(more).to_be_focused()
    expect(more).to_have_attribute("aria-expanded", "false")
    more.click()
    expect(items.first).to_be_visible()
    more.click()
    expect(items).to_have_count(0)
    menu(page, "Dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_who_may_see_it_is_said_and_only_admins_are_led_on(open_dashboard: OpenDashboard) -> None:
    page = open_dashboard(SENSOR)
    menu(page, "Who may see this")
    asked = page.get_by_role("dialog", name="Who may see this")
    expect(asked).to_contain_text("Everybody in this organisation")
    expect(asked.get_by_role("link")).to_have_count(0)
    page = open_dashboard(SENSOR, ADMIN)
    menu(page, "Who may see this")
    expect(page.get_by_role("link", name="People and groups")).to_be_visible()
    page.get_by_role("link", name="Access").click()
    expect(page.get_by_role("heading", name="Access").first).to_be_visible()


def test_on_paper_stand_title_day_and_address_and_no_bar(open_dashboard: OpenDashboard) -> None:
    page = open_dashboard(SENSOR, dark=True)
    page.wait_for_function("window.atriumFrame")
    assert page.evaluate(DRAWN) == [False, True]
    # When the event's listeners and their microtasks have run, the browser prints.
    told = "window.dispatchEvent(new Event('beforeprint')); for (let n = 0; n < 200; n++) await 0;"
    assert page.evaluate(f"async () => {{ {told} return ({DRAWN})(); }}") == [True, False]
    page.emulate_media(media="print")
    expect(page.locator(".atrium-printed")).to_contain_text("Sensor explorer")
    expect(page.locator(".atrium-printed")).to_contain_text("/hub/user-redirect/dashboards/")
    assert MEMBER not in page.locator(".atrium-printed").inner_text()
    expect(page.locator(".bar")).to_be_hidden()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".atrium-printed")).to_have_count(0)
    assert page.evaluate("document.documentElement.dataset.theme") is None


def test_it_fills_the_screen(open_dashboard: OpenDashboard) -> None:
    page = open_dashboard(SENSOR)
    menu(page, "Full screen")
    expect(page.locator(".bar")).to_be_hidden()
    page.evaluate("document.exitFullscreen()")
    expect(page.locator(".bar")).to_be_visible()


# -- round pages of notebooks' own ----------------------------------------------------------------


def test_it_tells_in_a_frame_and_in_its_address_what_it_tells_elsewhere(
    open_dashboard: OpenDashboard,
) -> None:
    page = open_dashboard("user/vanillatemplate")
    embedded = page.request.get(page.url, headers={"Sec-Fetch-Dest": "iframe"}).text()
    assert 'title="All dashboards" target="_blank"' in embedded
    assert "data-sign-out" in page.request.get(page.url).text()
    assert "data-sign-out" not in embedded
    page.goto(f"{page.url}?colour=red&utm_source=mail")
    page.wait_for_function(READY)
    page.get_by_role("button", name="Share").click()
    assert page.get_by_label("Link").input_value().endswith("/vanillatemplate")


@pytest.mark.parametrize("names", [OFTEN, pytest.param(RARE, marks=pytest.mark.slow)])
def test_it_stands_above_a_page_of_the_notebooks_own(
    open_dashboard: OpenDashboard, hub: Hub, names: list[str]
) -> None:
    page = open_dashboard(f"user/{OFTEN[0]}")
    for name in names:
        page.goto(f"{hub.url}/user/{MEMBER}/dashboards/user/{name}")
        page.wait_for_function(READY)
        bar = page.locator("atrium-frame .bar")
        expect(bar, name).to_be_visible()
        expect(page.locator(".said"), name).to_be_visible()
        place = bar.bounding_box()
        assert place, name
        assert page.evaluate("document.body.getBoundingClientRect().top") == place["height"], name
        header = page.locator("header, #header").last.bounding_box()
        assert header is None or header["y"] >= place["height"] or name.startswith("slides"), name
        assert page.evaluate("document.documentElement.scrollHeight") <= 900, name
        dark = page.locator("atrium-frame").get_attribute("data-theme") == "dark"
        assert dark == name.endswith("dark"), name
        page.get_by_role("slider").last.press("ArrowRight")
        expect(page.get_by_text("window of 2"), name).to_be_visible()
        menu(page, "Who may see this")
        expect(page.get_by_role("dialog"), name).to_contain_text("Everybody")
        assert serious(page, without=("body",)) == [], name
        page.keyboard.press("Escape")


def test_materials_drawer_has_its_icon_and_leaves_a_narrow_window_free(
    open_dashboard: OpenDashboard,
) -> None:
    page = open_dashboard("user/drawer", width=360)
    plot, slider = page.locator(".bk-Figure"), page.get_by_role("slider")
    expect(plot).to_be_in_viewport(ratio=0.9)
    expect(slider).not_to_be_in_viewport()
    button = page.get_by_role("button", name="menu", exact=True)
    look = button.evaluate(
        "(it) => { const is = getComputedStyle(it);"
        " return [is.fontSize, is.backgroundImage.startsWith('repeating-linear-gradient')]; }"
    )
    assert look == ["0px", True]  # lines are seen, and no word
    assert serious(page, without=("body",)) == []
    button.click()
    expect(slider).to_be_in_viewport()
    expect(page.locator(".mdc-drawer--opening")).to_have_count(0)  # until then clicks do nothing
    button.click()
    expect(plot).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize("name", ["bare", "bareown"])
def test_a_notebook_can_do_without_and_keeps_a_way_back(
    name: str, new_visitor: NewVisitor, hub: Hub
) -> None:
    page = new_visitor(hub).sign_in(MEMBER, f"/user/{MEMBER}/dashboards/user/{name}")
    expect(page.get_by_text("bare" if name == "bare" else "window of 1")).to_be_visible()
    expect(page.get_by_role("button", name="Share")).to_have_count(0)
    page.get_by_role("link", name="All dashboards").click()
    expect(page.get_by_role("heading", name="Dashboards", exact=True)).to_be_visible()


# -- the address ----------------------------------------------------------------------------------


def test_back_and_forward_move_the_widgets_without_a_reload(
    open_dashboard: OpenDashboard, hub: Hub
) -> None:
    page = open_dashboard(SENSOR)
    here = f"{hub.url}/user/{MEMBER}/dashboards/{SENSOR}"
    page.evaluate("window.isTheSame = true")
    page.get_by_role("slider").first.press("ArrowRight")
    expect(page).to_have_url(f"{here}?window=31")
    handle = page.get_by_role("slider").last.bounding_box()
    assert handle
    page.mouse.move(handle["x"] + 5, handle["y"] + 5)
    page.mouse.down()
    for step in range(1, 15):
        page.mouse.move(handle["x"] + 5 + 3 * step, handle["y"] + 5)
    page.mouse.up()
    page.wait_for_url("**sigma=**")
    dragged = page.url
    page.go_back()
    expect(page.get_by_role("slider").last).to_have_attribute("aria-valuetext", "3.00")
    expect(page).to_have_url(f"{here}?window=31")
    page.go_back()
    expect(page.get_by_text("rolling average of 30 days")).to_be_visible()
    assert page.url == here
    page.go_forward()
    expect(page.get_by_text("rolling average of 31 days")).to_be_visible()
    page.go_forward()
    expect(page).to_have_url(dragged)
    expect(page.get_by_role("slider").last).not_to_have_attribute("aria-valuetext", "3.00")
    page.evaluate("history.pushState(null, '', '?window=no'); history.pushState(null, '', '?')")
    page.go_back()
    expect(page.get_by_text("window=no")).to_be_visible()
    expect(page.get_by_text("rolling average of 30 days")).to_be_visible()
    assert page.evaluate("window.isTheSame")


# -- waiting, and being lost ------------------------------------------------------------------


def test_it_shows_that_it_computes(open_dashboard: OpenDashboard) -> None:
    page = open_dashboard("user/said")
    line = page.get_by_role("progressbar", name="Working on it")
    expect(line).to_have_count(0)
    page.get_by_role("button", name="Compute").click()
    expect(line).to_be_visible()
    expect(page.locator("main")).to_have_attribute("aria-busy", "true")
    expect(line).to_be_hidden()
    expect(page.locator("main[aria-busy]")).to_have_count(0)


@pytest.fixture
def held(open_dashboard: OpenDashboard) -> tuple[Page, list[WebSocketRoute]]:
    """A dashboard of somebody who has chosen and typed something, and its WebSockets."""
    page = open_dashboard(
        "user/said", allow=["WebSocket", "bokeh", "ERR_INTERNET_DISCONNECTED", "of 401"]
    )
    page.add_init_script(HIDDEN)
    sockets: list[WebSocketRoute] = []

    def connect(route: WebSocketRoute) -> None:
        route.connect_to_server()
        sockets.append(route)

    page.route_web_socket("**/ws", connect)
    page.reload()
    page.wait_for_function(READY)
    page.get_by_role("slider").press("ArrowRight")
    page.get_by_label("Said").fill("hello")
    page.get_by_label("Said").press("Enter")
    page.get_by_label("Secret").fill("hush")
    page.get_by_label("Secret").press("Enter")
    expect(page.get_by_text("said hello 4")).to_be_visible()
    page.wait_for_url("**?most=4")
    return page, sockets


def test_a_lost_connection_comes_back_with_what_was_typed(
    held: tuple[Page, list[WebSocketRoute]],
) -> None:
    page, sockets = held
    page.evaluate("window.isTheSame = true")
    page.context.set_offline(True)
    sockets[0].close()
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    page.get_by_label("Said").fill("hello again")  # nobody hears it yet
    page.get_by_label("Said").press("Tab")
    page.evaluate("scrollTo(0, 300)")
    page.context.set_offline(False)
    page.wait_for_function(f"!window.isTheSame && {READY}")
    expect(page.get_by_text("said hello again 4")).to_be_visible()
    expect(page.get_by_label("Said")).to_have_value("hello again")
    expect(page.get_by_label("Secret")).to_have_value("")
    assert page.evaluate("sessionStorage.getItem('atrium-kept')") is None
    wait_until(lambda: page.evaluate("scrollY") == 300, "the place on the page")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_network_that_is_away_is_said_though_no_connection_has_ended(
    held: tuple[Page, list[WebSocketRoute]],
) -> None:
    page, _ = held
    page.evaluate("window.isTheSame = true")
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    page.get_by_label("Said").fill("hello again")
    page.get_by_label("Said").press("Tab")
    page.context.set_offline(False)
    page.wait_for_function(f"!window.isTheSame && {READY}")
    expect(page.get_by_text("said hello again 4")).to_be_visible()


@pytest.mark.slow
def test_a_server_that_is_silent_is_said_though_its_connection_stands(
    held: tuple[Page, list[WebSocketRoute]], hub: Hub
) -> None:
    page, _ = held
    page.evaluate("window.isTheSame = true")
    front = hub.front_of(MEMBER)
    front.suspend()
    try:
        page.get_by_label("Said").fill("hello again")
        page.get_by_label("Said").press("Tab")
        expect(page.get_by_role("alert")).to_contain_text("Connection lost", timeout=40_000)
    finally:
        front.resume()
    page.wait_for_function(f"!window.isTheSame && {READY}")
    expect(page.get_by_text("said hello again 4")).to_be_visible()


def test_whoever_comes_back_to_a_page_learns_that_its_server_is_silent(
    held: tuple[Page, list[WebSocketRoute]], hub: Hub
) -> None:
    page, _ = held
    front = hub.front_of(MEMBER)
    front.suspend()
    try:
        page.evaluate("const now = Date.now(); Date.now = () => now + 61_000")
        page.evaluate("window.dispatchEvent(new Event('focus'))")
        expect(page.get_by_role("alert")).to_contain_text("Connection lost", timeout=20_000)
    finally:
        front.resume()


def test_a_dashboard_that_computes_for_long_is_not_taken_for_lost(
    held: tuple[Page, list[WebSocketRoute]], hub: Hub
) -> None:
    page, _ = held
    sessions = hub.sessions_of(MEMBER)
    for session in sessions:
        session.suspend()
    try:
        with page.expect_response("**/alive", timeout=40_000) as asked:
            page.get_by_label("Said").fill("hello again")
            page.get_by_label("Said").press("Tab")
        assert asked.value.status == 204
        expect(page.get_by_role("alert")).to_have_count(0)
    finally:
        for session in sessions:
            session.resume()
    expect(page.get_by_text("said hello again 4")).to_be_visible()


def test_a_script_that_does_not_come_while_the_network_is_away_takes_no_page_away(
    held: tuple[Page, list[WebSocketRoute]],
) -> None:
    page, _ = held
    page.evaluate("window.isTheSame = true")
    page.context.set_offline(True)
    page.evaluate(
        "document.head.append(Object.assign(document.createElement('script'), {src: new URL("
        "document.querySelector('script[data-files]').dataset.files, location.href) + 'x.js'}))"
    )
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    page.context.set_offline(False)
    page.wait_for_function(f"!window.isTheSame && {READY}")


def test_a_page_that_nobody_sees_waits_and_then_comes_back(
    held: tuple[Page, list[WebSocketRoute]],
) -> None:
    page, sockets = held
    page.evaluate("window.isTheSame = true; window.isHidden = true")
    with page.expect_response("**/alive"):
        sockets[0].close()
    assert page.evaluate("window.isTheSame")
    page.evaluate(SHOW)
    page.wait_for_function(f"!window.isTheSame && {READY}")
    expect(page.get_by_text("said hello 4")).to_be_visible()


def test_whoever_is_no_longer_signed_in_is_told_so_and_keeps_the_address(
    held: tuple[Page, list[WebSocketRoute]],
) -> None:
    page, sockets = held
    page.context.clear_cookies()
    sockets[0].close()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    address = page.get_by_role("link", name="Sign in again").get_attribute("href")
    assert address
    assert parse_qs(urlsplit(address).query)["next"] == [
        "/hub/user-redirect/dashboards/user/said?most=4"
    ]
    assert page.evaluate("sessionStorage.getItem('atrium-kept')") is None


def test_a_server_that_was_stopped_meanwhile_is_started_again_for_who_comes_back(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    visitor = new_visitor(hub, allow=["WebSocket", "bokeh", "status of (424|503)"])
    visitor.page.add_init_script(HIDDEN)
    page = visitor.sign_in(MEMBER, f"/user/{MEMBER}/dashboards/user/said?most=5")
    page.wait_for_function(READY)
    page.get_by_label("Said").fill("hello")
    page.get_by_label("Said").press("Enter")
    expect(page.get_by_text("said hello 5")).to_be_visible()
    page.evaluate("window.isHidden = true")
    # The hub's answer, which has taken the address over; before that there is none.
    with page.expect_response(lambda answer: answer.url.endswith("alive") and answer.status < 500):
        assert hub.api(f"/users/{MEMBER}/server", "DELETE").status_code in {202, 204}
    page.evaluate(SHOW)
    expect(page.get_by_text("said hello 5")).to_be_visible()
    assert page.url == f"{hub.url}/user/{MEMBER}/dashboards/user/said?most=5"


def test_a_connection_that_never_holds_is_not_tried_for_ever(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    visitor = new_visitor(hub, allow=["WebSocket", "bokeh"])
    opened: list[WebSocketRoute] = []

    def refuse(route: WebSocketRoute) -> None:
        opened.append(route)
        route.close()

    visitor.page.route_web_socket("**/ws", refuse)
    page = visitor.sign_in(MEMBER, f"/user/{MEMBER}/dashboards/user/said")
    expect(page.get_by_role("alert")).to_contain_text("does not hold")
    assert len(opened) == 4
