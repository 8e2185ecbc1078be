"""Every page as people see it: wide and narrow, light and dark, beside the picture that somebody
has reviewed (`screens.py`); and none has a serious fault for those who use it in another way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.axe import serious
from tests.browser.screens import LOOKS, SHARE, look_at, problem_of
from tests.browser.visitor import Visitor
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub

ADMIN, ANALYST, MEMBER = "admin@acme.test", "analyst@acme.test", "member@acme.test"
CUSTOMER, NOBODY = "member@globex.test", "new@example.test"
DASHBOARDS = "/hub/user-redirect/dashboards"


def heading(name: str) -> Callable[[Page], Locator]:
    return lambda page: page.get_by_role("heading", name=name).first


PLOT = """
from bokeh.plotting import figure
plot = figure(height=300)
plot.line([0, 1, 2, 3, 4], [2, 5, 1, 4, 3])
plot
"""


def plot(page: Page) -> Locator:
    return page.locator(".bk-Figure").first


def check(page: Page) -> None:
    """Hand in a notebook, and wait until it has been tried."""
    with TemporaryDirectory() as folder:
        page.get_by_label("Notebook").set_input_files(
            write_notebook(Path(folder) / "tides.ipynb", markdown("# Tides"), code(PLOT))
        )
        page.get_by_label("Folder").select_option("analysts")
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_text("It runs.")).to_be_visible()
        expect(page.get_by_role("img", name="What its card")).to_be_visible()


@dataclass(frozen=True)
class Shown:
    """A page: who sees it at which address, and what is there once it is whole.

    `then`: what they do there before the picture is taken. `allow`: errors of the console that
    belong to it. `differs`: how much of it may look otherwise, more where it tells of this run.
    `without`: parts that are another's to mend.
    """

    name: str
    email: str
    path: str
    whole: Callable[[Page], Locator]
    then: Callable[[Page], object] = lambda page: None
    allow: list[str] = field(default_factory=list)
    differs: float = SHARE
    without: tuple[str, ...] = ()


OWN_TEMPLATE = """
import panel as pn
from bokeh.plotting import figure
pn.extension(template="fast")
plot = figure(height=300, sizing_mode="stretch_width")
plot.line([1, 2, 3], [3, 1, 2])
pn.pane.Bokeh(plot).servable()
"""
NOT_THERE = ["status of 404"]
LIVE = 0.15
PAGES = [
    Shown("sign-in", "", "/", lambda page: page.get_by_label("E-mail")),
    Shown("gallery", MEMBER, "/hub/user-redirect/?all", heading("Dashboards")),
    Shown("gallery-admin", ADMIN, "/hub/user-redirect/?all", heading("Dashboards")),
    Shown(
        "gallery-nothing-found",
        MEMBER,
        "/hub/user-redirect/?all",
        heading("Dashboards"),
        then=lambda page: page.get_by_role("searchbox").fill("no such thing"),
    ),
    Shown("sensor-explorer", MEMBER, f"{DASHBOARDS}/user/sensor_explorer", plot),
    Shown("penguins", MEMBER, f"{DASHBOARDS}/user/penguins", plot),
    Shown("your-orders", CUSTOMER, f"{DASHBOARDS}/customers/your_orders", plot),
    Shown("dashboard-failed", MEMBER, f"{DASHBOARDS}/user/broken", heading("could not be drawn")),
    Shown(
        "not-shared", MEMBER, f"{DASHBOARDS}/finance/costs", heading("not shared"), allow=NOT_THERE
    ),
    Shown("ask", MEMBER, "/hub/ask?dashboard=finance/costs", heading("Ask for access")),
    Shown("requests", ADMIN, "/hub/requests", heading("Requests")),
    Shown("who-is-signed-in", ADMIN, "/hub/sessions", heading("Who is signed in"), differs=LIVE),
    Shown("nothing-yet", NOBODY, "/hub/home", heading("Nothing is shared")),
    Shown("nowhere", MEMBER, "/hub/nowhere", heading("nothing here"), allow=NOT_THERE),
    Shown("signed-out", "", "/hub/signed-out", heading("signed out")),
    Shown("access", ADMIN, f"{DASHBOARDS}/admin/access", heading("Why can’t"), differs=LIVE),
    Shown("audit", ADMIN, f"{DASHBOARDS}/admin/audit", heading("Audit trail"), differs=LIVE),
    Shown(
        "the-hub", ADMIN, f"{DASHBOARDS}/admin/the_hub", heading("Running servers"), differs=LIVE
    ),
    Shown("usage", ADMIN, f"{DASHBOARDS}/admin/usage", heading("Usage"), differs=LIVE),
    Shown("speed", ADMIN, f"{DASHBOARDS}/admin/speed", heading("Speed"), differs=LIVE),
    Shown("health", ADMIN, f"{DASHBOARDS}/admin/health", heading("Health"), differs=LIVE),
    Shown("announcement", ADMIN, "/hub/announcement", heading("Announcement")),
    Shown("publish", ANALYST, "/hub/publish", heading("Publish")),
    Shown("publish-check", ANALYST, "/hub/publish", heading("Publish"), then=check, differs=LIVE),
    Shown("versions", ADMIN, "/hub/versions/user/penguins", heading("Penguins"), differs=LIVE),
    Shown(
        "own-template",
        MEMBER,
        f"{DASHBOARDS}/user/own_template",
        plot,
        without=("#theme-switch",),  # Panel's own, which has no name
    ),
    Shown("parameters", MEMBER, f"{DASHBOARDS}/user/parameters", heading("Parameters")),
    Shown("who-am-i", ADMIN, f"{DASHBOARDS}/admin/who_am_i", heading("Who am I")),
]


@pytest.fixture(scope="module")
def hub(hub: Hub) -> Hub:
    """A hub with a folder that is not everybody's, a dashboard that fails, and somebody who may
    see nothing; all notebooks are three days old."""
    hub.project.mgmt.user.create(NOBODY, email=NOBODY, verified_email=True)
    write_notebook(hub.notebooks / "finance" / "costs.ipynb", markdown("# Costs"))
    broken = hub.notebooks / "user" / "broken.ipynb"
    write_notebook(broken, markdown("# Broken\n\nIt raises an error."), code("1 / 0"))
    write_notebook(
        hub.notebooks / "user" / "own_template.ipynb", markdown("# In a frame"), code(OWN_TEMPLATE)
    )
    write_notebook(
        hub.notebooks / "user" / "parameters.ipynb",
        markdown("# Parameters"),
        code(
            'region = "EMEA"  # Region, one of: EMEA, APAC\nyear = 2024  # 2020 to 2026',
            "parameters",
        ),
        code("f'{region} in {year}'"),
    )
    then = time.time() - 3 * 86400
    for notebook in hub.notebooks.rglob("*.ipynb"):
        os.utime(notebook, (then, then))
    return hub


@pytest.fixture(scope="module")
def browser_of(chromium: Browser, hub: Hub) -> Iterator[Callable[[str], Visitor]]:
    """The browser of each person, which keeps from page to page what is the same on all."""
    known: dict[str, Visitor] = {}

    def browser_of(email: str) -> Visitor:
        if email not in known:
            known[email] = Visitor(chromium, hub)
            if email:
                known[email].sign_in(email, "/hub/home")
        return known[email]

    yield browser_of
    for visitor in known.values():
        visitor.close()


def misfit(page: Page, look: str) -> str:
    """How a page does not fit its window or its scheme of colours, "" if it does."""
    width, _height, is_dark = LOOKS[look]
    wide = page.evaluate("document.documentElement.scrollWidth")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    paper_is_dark = sum(int(part) for part in paper[4:-1].split(",")[:3]) < 200
    if wide <= width and paper_is_dark == is_dark:
        return ""
    return f"{look}: {wide} px of {width}, on {paper}"


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_it_looks_as_reviewed_and_everybody_can_use_it(
    shown: Shown, browser_of: Callable[[str], Visitor]
) -> None:
    visitor = browser_of(shown.email)
    visitor.begin_anew(*shown.allow)
    look_at(visitor.page, next(iter(LOOKS)))
    page = visitor.go(shown.path)
    expect(shown.whole(page)).to_be_visible()
    shown.then(page)
    problems = []
    for look in LOOKS:
        look_at(page, look)
        problems.append(problem_of(page, f"{shown.name}-{look}", shown.differs))
        if not shown.without:  # the size and the colours are another's too
            problems.append(misfit(page, look))
        if look in {"wide", "narrow-dark"}:
            problems += serious(page, without=shown.without)
    assert not any(problems), "\n".join(filter(None, problems))
    visitor.assert_stayed_clean()


@pytest.mark.parametrize("path", ["/hub/home", "/services/descope/outbox"])
def test_what_has_no_picture_fits_its_window_too(
    path: str, browser_of: Callable[[str], Visitor]
) -> None:
    visitor = browser_of(ADMIN)
    visitor.begin_anew()
    page = visitor.go(path)
    for look in LOOKS:
        look_at(page, look)
        assert misfit(page, look) == ""
    visitor.assert_stayed_clean()
