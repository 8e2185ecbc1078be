"""The lab in a browser: a notebook, and how its viewers will see it, whenever it is saved."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor
from tests.conftest import StartHub
from tests.hub import FEW_SERVERS, Hub, wait_until

pytestmark = pytest.mark.slow

ANALYST = "analyst@acme.test"
LAB = f"/user/{ANALYST}/lab"
#: Saves the notebook with another title, as JupyterLab does: by the lab's API of files.
SAVE = """async (lab) => {
  const xsrf = document.cookie.match(/_xsrf=([^;]+)/)[1];
  const file = `${lab}/api/contents/first_dashboard.ipynb`;
  const headers = { "X-XSRFToken": xsrf };
  const notebook = await (await fetch(file, { headers })).json();
  notebook.content.cells[0].source = "# Saved anew";
  const body = JSON.stringify({ type: "notebook", format: "json", content: notebook.content });
  return (await fetch(file, { method: "PUT", body, headers })).status;
}"""


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    return start_hub(**FEW_SERVERS)


def test_a_notebook_is_seen_as_its_viewers_will_see_it_and_followed(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    # A page of the stopped lab still asks, of its next one too (403). The title is of Panel's own
    # extension of JupyterLab, and of no consequence.
    stopped = ["status of (424|503)", "status of 403 .*/lab/api/", "WebSocket", "bokeh", "ERR_"]
    allow = [*stopped, "reading 'title'"]
    visitor = new_visitor(hub, allow=allow)
    page = visitor.sign_in(ANALYST)
    page.get_by_role("link", name="Write a dashboard").click()
    expect(page.locator(".jp-NotebookPanel")).to_be_visible()
    expect(page.get_by_role("heading", name="Seattle's weather")).to_be_visible()
    lab = page
    expect(lab.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible()
    lab.get_by_role("menuitem", name="Run").first.click()
    lab.get_by_text("Run All Cells", exact=True).first.click()
    expect(lab.locator(".jp-OutputArea .bk-Figure").first).to_be_visible()  # from no other host
    with lab.expect_popup() as opened:
        lab.get_by_role("button", name="Preview").click()
    page = opened.value
    shown = page.frame_locator("#shown")
    plot, slider = shown.locator(".bk-Figure"), shown.get_by_role("slider")
    expect(shown.get_by_role("heading", name="Seattle's weather")).to_be_visible()
    expect(shown.get_by_text("member@acme.example")).to_be_visible()
    expect(plot).to_be_visible()
    picture = plot_of(page)
    wait_until(lambda: picture() == picture(), "a plot that has settled")
    before = picture()
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "2013.00")
    wait_until(lambda: picture() != before, "a plot that has moved")
    _wait_for_value(page)
    assert lab.evaluate(SAVE, LAB) == 200
    expect(shown.get_by_role("heading", name="Saved anew")).to_be_visible()
    expect(slider).to_have_attribute("aria-valuetext", "2013.00")
    page.get_by_label("Seen by").select_option("An admin")
    expect(shown.get_by_text("admin@acme.example")).to_be_visible()
    expect(slider).to_have_attribute("aria-valuetext", "2013.00")
    assert hub.api(f"/users/{ANALYST}/servers/lab", "DELETE").status_code in {202, 204}
    expect(page.get_by_role("heading", name="The lab does not answer")).to_be_visible()
    page.get_by_role("link", name="Start the lab").click()
    expect(slider).to_have_attribute("aria-valuetext", "2013.00")
    expect(shown.get_by_text("admin@acme.example")).to_be_visible()


def plot_of(page: Page) -> Callable[[], bytes]:
    """A picture of what is shown below the slider."""
    box = page.frame_locator("#shown").locator(".bk-Figure").bounding_box()
    assert box
    clip: Any = {**box, "x": box["x"] + 60, "width": box["width"] - 60}
    return lambda: page.screenshot(clip=clip)


def _wait_for_value(page: Page) -> None:
    """Until the frame's address has the slider's value."""
    address = "document.getElementById('shown').contentWindow.location.search"
    wait_until(lambda: re.search("year=2013", page.evaluate(address)), "the value in the address")
