"""What a page draws before its connection is there, and what becomes of it then."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.visitor import NewVisitor
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until

pytestmark = pytest.mark.slow

MEMBER = "member@acme.test"
COUNTS = """
import panel as pn
pn.extension()
button = pn.widgets.Button(name="Count")
pn.Column(button, pn.bind(lambda clicks: f"counted {clicks}", button.param.clicks)).servable()
"""
CHANGES = """
from pathlib import Path
import panel as pn
pn.extension()
said = pn.pane.Str("as in the page")
button = pn.widgets.Button(name="Count")
def change():
    said.object = "changed since"
    Path.home().joinpath("changed").touch()
pn.state.add_periodic_callback(change, period=50, count=1)
pn.Column(said, button, pn.bind(lambda clicks: f"counted {clicks}", button.param.clicks)).servable()
"""


#: Two components at once, the first of their kind.
COMPONENTS = """
import panel as pn
from panel.custom import JSComponent
pn.extension()
class Said(JSComponent):
    _esm = "export function render({ model, el }) { el.textContent = 'a component: ' + model.name }"
place, button = pn.Column(), pn.widgets.Button(name="Add")
button.on_click(lambda _: place.extend([Said(name="one"), Said(name="two")]))
pn.Column(button, place).servable()
"""
WIDE = """
import panel as pn
pn.extension()
pn.Column(
    pn.pane.Str("in its place", width=300), css_classes=["content"], sizing_mode="stretch_width"
).servable()
"""
#: A plot, drawn as a notebook wants it.
PLOT = """
import panel as pn
from bokeh.plotting import figure
pn.extension()
plot = figure(output_backend="{backend}", height=200)
plot.scatter([1, 2, 3], [1, 2, 3])
pn.pane.Bokeh(plot).servable()
"""
#: Notes each size that the dashboard has, from the moment at which it is there.
SIZES = """
window.sizes = [];
new MutationObserver((_, observer) => {
  const place = document.querySelector("#dashboard > div > *");
  if (!place) return;
  observer.disconnect();
  new ResizeObserver(([{ contentRect }]) => window.sizes.push(contentRect.width)).observe(place);
}).observe(document, { childList: true, subtree: true });
"""

Held = tuple[Page, list[WebSocketRoute]]
"""The page of a dashboard, and its WebSockets, which wait to be let through."""


def address_of(name: str) -> str:
    return f"/user/{MEMBER}/dashboards/user/{name}"


@pytest.fixture
def open_held(new_visitor: NewVisitor, hub: Hub) -> Callable[[str], Held]:
    """Opens a dashboard of somebody signed in, whose WebSockets are held back."""
    for name, source in (("counts", COUNTS), ("changes", CHANGES)):
        write_notebook(hub.notebooks / "user" / f"{name}.ipynb", code(source))
    visitor = new_visitor(hub, allow=["WebSocket", "bokeh"])
    held: list[WebSocketRoute] = []
    visitor.page.route_web_socket("**/ws", lambda route: held.append(route))

    def open_dashboard(name: str) -> Held:
        return visitor.sign_in(MEMBER, address_of(name)), held

    return open_dashboard


def test_what_is_done_before_the_connection_is_said_then(
    open_held: Callable[[str], Held],
) -> None:
    page, held = open_held("counts")
    expect(page.get_by_text("counted 0")).to_be_visible()
    expect(page.locator("#waiting")).to_be_hidden()
    page.get_by_role("button", name="Count").click()
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_text("counted 0")).to_be_visible()
    held[0].connect_to_server()
    expect(page.get_by_text("counted 2")).to_be_visible()
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_text("counted 3")).to_be_visible()
    assert len(held) == 1


def test_what_has_changed_before_the_connection_is_shown_then(
    open_held: Callable[[str], Held], hub: Hub
) -> None:
    page, held = open_held("changes")
    expect(page.get_by_text("as in the page")).to_be_visible()
    wait_until((hub.home_of(MEMBER) / "changed").exists, "the change")
    expect(page.get_by_text("as in the page")).to_be_visible()
    held[0].connect_to_server()
    expect(page.get_by_text("changed since")).to_be_visible()
    expect(page.get_by_text("as in the page")).to_be_hidden()
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_text("counted 1")).to_be_visible()
    page.wait_for_function("Bokeh.documents.every((doc) => doc.is_idle)")


def test_a_connection_that_is_refused_is_told(open_held: Callable[[str], Held]) -> None:
    page, held = open_held("counts")
    expect(page.get_by_text("counted 0")).to_be_visible()
    held[0].close()
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")


def test_what_takes_long_to_find_out_is_found_out_after_the_drawing(
    open_held: Callable[[str], Held],
) -> None:
    page, held = open_held("counts")
    expect(page.get_by_text("counted 0")).to_be_visible()
    held[0].connect_to_server()
    info = "Bokeh.documents[0].roots().find((root) => root.type.endsWith('BrowserInfo'))"
    page.wait_for_function(f"{info}.webgl !== null")
    there = "Boolean(document.createElement('canvas').getContext('webgl'))"
    page.wait_for_function(f"{info}.webgl === {there}")


def test_a_component_that_comes_later_brings_what_it_needs(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    write_notebook(hub.notebooks / "user" / "components.ipynb", code(COMPONENTS))
    visitor = new_visitor(hub)
    page = visitor.sign_in(MEMBER, address_of("components"))
    button = page.get_by_role("button", name="Add")
    expect(button).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert not [url for url in visitor.requests if "es-module-shims" in url]
    button.click()
    expect(page.get_by_text("a component: one")).to_be_visible()
    expect(page.get_by_text("a component: two")).to_be_visible()


def test_a_dashboard_has_its_size_before_it_is_shown(new_visitor: NewVisitor, hub: Hub) -> None:
    write_notebook(hub.notebooks / "user" / "wide.ipynb", code(WIDE))
    visitor = new_visitor(hub)
    visitor.page.add_init_script(SIZES)
    page = visitor.sign_in(MEMBER, address_of("wide"))
    expect(page.get_by_text("in its place")).to_be_visible()
    expect(page.locator("#waiting")).to_be_hidden()
    assert len(set(page.evaluate("sizes"))) == 1


@pytest.mark.parametrize("backend", ["canvas", "webgl"])
def test_what_draws_with_webgl_is_fetched_before_the_plots_that_want_it_or_after_all_others(
    new_visitor: NewVisitor, hub: Hub, backend: str
) -> None:
    write_notebook(hub.notebooks / "user" / "plot.ipynb", code(PLOT.format(backend=backend)))
    page = new_visitor(hub).sign_in(MEMBER, address_of("plot"))
    expect(page.locator("#waiting")).to_be_hidden()
    expect(page.locator("script[src*=bokeh-gl]")).to_have_count(1)
    page.wait_for_function(
        "performance.getEntriesByName(document.querySelector('script[src*=bokeh-gl]').src).length"
    )
    drawn_with = (
        "[...Bokeh.index.roots[0].owner.query(view => view.model.type == 'Canvas')][0]?.webgl"
    )
    there = "document.createElement('canvas').getContext('webgl')"
    assert page.evaluate(f"Boolean({drawn_with})") == (
        backend == "webgl" and page.evaluate(f"Boolean({there})")
    )
