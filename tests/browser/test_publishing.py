"""Publishing in a browser: from a file to a dashboard, to the version before, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import NewVisitor
from tests.conftest import StartHub
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub

pytestmark = pytest.mark.slow

ANALYST, ADMIN = "analyst@acme.test", "admin@acme.test"


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    return start_hub()


def hand_in(page: Page, file: Path, folder: str = "analysts") -> None:
    """Choose a file and a folder, and have it checked."""
    page.get_by_label("Notebook").set_input_files(file)
    page.get_by_label("Folder").select_option(folder)
    page.get_by_role("button", name="Check").click()


def test_a_notebook_is_published_changed_and_rolled_back(
    new_visitor: NewVisitor, hub: Hub, tmp_path: Path
) -> None:
    words = "import panel as pn\npn.panel('{}').servable()"
    file = tmp_path / "monthly costs.ipynb"
    write_notebook(file, markdown("# Monthly costs"), code(words.format("The first")))
    analyst = new_visitor(hub, allow=["status of 400"])
    page = analyst.sign_in(ANALYST)
    page.get_by_role("link", name="Publish").click()
    expect(page.get_by_role("heading", name="Publish", exact=True)).to_be_visible()
    hand_in(page, file)
    expect(page.get_by_text("It runs once from top to bottom")).to_be_attached()
    expect(page.get_by_role("heading", name="Publish monthly costs?")).to_be_visible()
    expect(page.get_by_text("It runs.")).to_be_visible()
    expect(page.get_by_text("1 person: whoever sees")).to_be_visible()
    page.get_by_label("What is new?").fill("The first of them")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("heading", name="Published")).to_be_visible()
    link = f"{hub.url}/hub/user-redirect/dashboards/analysts/monthly%20costs"
    expect(page.get_by_label("The link")).to_have_value(link)
    page.get_by_role("link", name="Open it").click()
    expect(page.get_by_text("The first")).to_be_visible()

    secret = "password = 'correct-horse'"
    write_notebook(file, markdown("# Monthly costs"), code(words.format("Another")), code(secret))
    analyst.go("/hub/publish")
    hand_in(page, file)
    expect(page.get_by_text("a password in cell 3, line 1")).to_be_visible()
    expect(page.get_by_role("heading", name="Cell 2 changed")).to_be_visible()
    expect(page.get_by_role("heading", name="Cell 3 added")).to_be_visible()
    page.get_by_label("This is no secret").check()
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("link", name="Versions").click()
    versions = page.get_by_role("listitem")
    expect(versions).to_have_count(2)
    expect(versions.first).to_contain_text("shown now")
    versions.last.get_by_role("link", name="What changed").click()
    expect(page.get_by_role("heading", name="Cell 2 added")).to_be_visible()
    page.get_by_role("button", name="Go back to the version").click()
    expect(page.get_by_role("status")).to_contain_text("sees the version at the top")
    expect(versions).to_have_count(3)
    shown = json.loads((hub.notebooks / "analysts" / "monthly costs.ipynb").read_text())
    assert "The first" in shown["cells"][1]["source"][1]

    write_notebook(file, code("def f(:"))
    analyst.go("/hub/publish")
    hand_in(page, file)
    expect(page.get_by_role("alert")).to_contain_text("It does not run.")
    expect(page.get_by_role("button", name="Publish")).to_be_hidden()


def test_what_is_sent_late_loses_nothing(new_visitor: NewVisitor, hub: Hub, tmp_path: Path) -> None:
    """Somebody else has published meanwhile: they are named, and it takes another click."""
    file = write_notebook(tmp_path / "both.ipynb", markdown("# Mine"))
    admin = new_visitor(hub, allow=["status of 409"])
    page = admin.sign_in(ADMIN, "/hub/publish")
    hand_in(page, file, "user")
    page.get_by_label("What is new?").fill("My note")
    write_notebook(hub.notebooks / "user" / "both.ipynb", markdown("# By hand"))
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("alert")).to_contain_text("put another notebook there by hand")
    expect(page.get_by_label("What is new?")).to_have_value("My note")
    page.get_by_role("button", name="Publish over it").click()
    expect(page.get_by_role("heading", name="Published")).to_be_visible()
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_text("found in the folder").first).to_be_visible()
