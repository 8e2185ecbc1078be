"""The whole way: from a notebook in the lab to a link in a mail, and back by one version."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.axe import serious
from tests.browser.visitor import NewVisitor
from tests.conftest import StartHub
from tests.hub import FEW_SERVERS, Hub
from tests.requests_page import give

ADMIN, ANALYST, MEMBER = "admin@acme.test", "analyst@acme.test", "member@acme.test"
#: Panel's own extension of JupyterLab, for a kernel in which no Panel has run yet.
PYVIZ = r"exception: Cannot read properties of undefined \(reading '[0-9a-f-]{36}'\)"
CODE = """import hvplot.pandas
import pandas as pd
import panel as pn

hours = pn.widgets.IntSlider(name="Hours", start=6, end=48, value=12)


def plot(hours):
    water = pd.DataFrame({"hour": range(hours), "metres": [hour % 12 for hour in range(hours)]})
    return water.hvplot.line(x="hour", y="metres", title=f"The water of {hours} hours")


pn.Column(hours, pn.bind(plot, hours), WORDS).servable()"""

WORDS = "The second version"
#: Saves a file beside the notebook, as JupyterLab does: by the lab's API of files.
SAVE = """async ([file, content]) => {
  const headers = { "X-XSRFToken": document.cookie.match(/_xsrf=([^;]+)/)[1] };
  const body = JSON.stringify({ type: "file", format: "text", content });
  return (await fetch(file, { method: "PUT", body, headers })).status;
}"""


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    return start_hub(**FEW_SERVERS)


def write(page: Page, code: str) -> None:
    """Put code into the cell that is chosen, as somebody who pastes it."""
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    page.keyboard.press("Escape")


def publish(lab: Page, note: str, file: str = "") -> Page:
    """Press the button in the notebook, which saves it, look at what is said, and publish it with
    the file that it names; returns the page that says so."""
    with lab.expect_popup() as opened:
        lab.get_by_role("button", name="Publish").click()
    page = opened.value
    if file:
        expect(page.get_by_role("checkbox", name=file)).to_be_checked()
        expect(page.get_by_role("checkbox", checked=True)).to_have_count(1)
        assert not serious(page)
        page.get_by_role("button", name="Next").click()
    page.get_by_label("Folder").select_option("user")
    expect(page.get_by_label("Name")).to_have_value("tides")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("It runs.")).to_be_visible()
    expect(page.get_by_role("img", name="What its card")).to_be_visible()
    if file:
        expect(page.get_by_text(f"{file} added")).to_be_visible()
    page.get_by_label("What is new?").fill(note)
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("heading", name="Published")).to_be_visible()
    return page


def test_from_a_notebook_in_the_lab_to_a_link_that_another_opens(
    new_visitor: NewVisitor, hub: Hub
) -> None:
    hub.api("/users/" + ANALYST, "POST")
    give(hub, "user.publish", ANALYST)

    # Written in the lab, seen as viewers will see it, published.
    lab = new_visitor(hub, allow=["status of 424", PYVIZ]).sign_in_by_mail(ANALYST)
    lab.get_by_role("link", name="Write a dashboard").click()
    expect(lab.locator(".jp-NotebookPanel")).to_be_visible()
    expect(lab.get_by_role("heading", name="Seattle's weather")).to_be_visible()
    lab.locator(".jp-LauncherCard, [data-command='launcher:create']").first.click()
    lab.locator(".jp-LauncherCard[data-category='Notebook']").first.click()
    cell = lab.locator(".jp-NotebookPanel:visible .jp-CodeCell").first
    cell.click()
    write(lab, CODE.replace("WORDS", '"The first version"'))
    lab.keyboard.press("Control+s")
    lab.get_by_role("dialog").get_by_role("textbox").fill("tides.ipynb")
    lab.get_by_role("button", name="Rename and Save").click()
    expect(lab.get_by_role("tab", name="tides.ipynb")).to_be_visible()

    with lab.expect_popup() as opened:
        lab.get_by_role("button", name="Preview").click()
    preview = opened.value.frame_locator("#shown")
    expect(preview.locator(".bk-Figure")).to_be_visible()
    expect(preview.get_by_text("The first version")).to_be_visible()
    publish(lab, "The first")

    # Found by search; what somebody sees there goes to another in a link.
    member = new_visitor(hub)
    page = member.sign_in_by_mail(MEMBER, "/hub/user-redirect/?all")
    page.get_by_role("searchbox").fill("tide")
    page.get_by_role("link", name="tides").first.click()
    expect(page.locator(".bk-Figure")).to_be_visible()
    page.get_by_role("slider").press("ArrowRight")
    expect(page).to_have_url(f"{hub.url}/user/{MEMBER}/dashboards/user/tides?hours=13")
    page.get_by_role("button", name="Share").click()
    link = page.get_by_role("dialog").get_by_role("textbox").input_value()
    assert link == f"{hub.url}/hub/user-redirect/dashboards/user/tides?hours=13"
    other = new_visitor(hub).sign_in_by_mail(ADMIN, link.removeprefix(hub.url))
    expect(other.get_by_role("slider")).to_have_attribute("aria-valuetext", "13.00")
    expect(other.get_by_text("The first version")).to_be_visible()

    # Another version, and back: who has the first open keeps it.
    lab.bring_to_front()
    cell.click()
    for file in ("words.txt", "lookup.txt"):
        assert lab.evaluate(SAVE, [f"/user/{ANALYST}/lab/api/contents/{file}", WORDS]) == 201
    write(lab, CODE.replace("WORDS", 'open("words.txt").read()'))
    published = publish(lab, "The second", "words.txt")
    expect(page.get_by_text("The first version")).to_be_visible()
    other.reload()
    expect(other.get_by_text(WORDS)).to_be_visible()
    published.get_by_role("link", name="Versions").click()
    speed = published.get_by_text("its first view was there within")
    expect(speed).to_contain_text(
        re.compile(r"Its budget is 2\.0 s: (in time|(at times )?too slow)\.")
    )
    versions = published.get_by_role("listitem")
    expect(versions).to_have_count(2)
    versions.last.get_by_role("button", name="Go back").click()
    expect(versions).to_have_count(3)
    other.reload()
    expect(other.get_by_text("The first version")).to_be_visible()
