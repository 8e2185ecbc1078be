"""Notebooks of many kinds, as analysts write them: each shows what it should, and what is moved or
chosen in it has its effect; nothing comes from another host, and the console has no error."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.visitor import Visitor
from tests.conftest import StartHub
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until

pytestmark = pytest.mark.slow

KINDS = Path(__file__).parents[1] / "notebooks" / "kinds"
MEMBER = "member@acme.test"

Act = Callable[[Page], object]
TEMPLATES = (
    *("fast", "fast_grid", "material", "bootstrap", "vanilla"),
    *("react", "golden", "slides", "editable"),
)


@dataclass(frozen=True)
class Kind:
    """What is to be seen in a notebook of a kind: at first, and after something is done in it.

    Attributes:
        name: of the notebook.
        shows: texts, or the first letters of a selector such as `css=`.
        act: what a person does.
        then: texts or selectors as `shows`.
        query: of the address.
        gone: texts that are not to be seen any more then.
    """

    name: str
    shows: tuple[str, ...]
    act: Act
    then: tuple[str, ...]
    query: str = ""
    gone: tuple[str, ...] = ()


#: Of these `make test` tries each, of the others only `make test-all`.
OFTEN = {"plotly_figure", "altair_chart", "ipywidgets_interact", "printed", "long_running"}


def at(page: Page, what: str) -> Locator:
    if what.startswith("css="):
        return page.locator(what).first
    return page.get_by_text(what).first


def press(page: Page, label: str, keys: str = "ArrowRight", count: int = 1) -> None:
    """Move a slider of Panel's, of ipywidgets' or the browser's own."""
    slider = page.get_by_role("slider", name=label).first
    slider.focus()
    for _ in range(count):
        slider.press(keys)


def slide(label: str, **keys: object) -> Act:
    return lambda page: press(page, label, **keys)  # type: ignore[arg-type]


def choose(label: str, option: str) -> Act:
    return lambda page: page.get_by_label(label).first.select_option(option)


def click(name: str) -> Act:
    return lambda page: page.get_by_role("button", name=name).first.click()


def move_vega(page: Page) -> None:
    page.locator(".vega-bind input").fill("3")


def drag_ipywidget(page: Page) -> None:
    handle = page.locator(".noUi-handle")
    handle.focus()
    handle.press("ArrowRight")


def choose_and_say(page: Page) -> None:
    page.locator(".widget-dropdown select").select_option("two")
    page.get_by_role("button", name="Say").click()


def fill(label: str, text: str) -> Act:
    def act(page: Page) -> None:
        page.get_by_label(label).first.fill(text)
        page.get_by_label(label).first.press("Enter")

    return act


ALL = [
    Kind("pandas_table", ("square", "the sum is 5"), slide("Rows"), ("the sum is 14",)),
    Kind(
        "million_rows",
        ("These are the first 100 of 1,000,000 rows", "There is more text than is shown here"),
        choose("Start", "500"),
        ("599",),
    ),
    Kind(
        "matplotlib_figures",
        ("css=img >> nth=2", "between the figures"),
        slide("Points"),
        ("css=img",),
    ),
    Kind("statistics_figures", ("css=img", "mean of A"), choose("Group", "B"), ("mean of B",)),
    Kind("hvplot_line", ("css=.bk-Figure", "20 rows are"), slide("Last"), ("21 rows are",)),
    Kind("hvplot_interactive", ("row 1",), slide("First"), ("row 2",)),
    Kind(
        "holoviews_map",
        ("css=.bk-Figure >> nth=2",),
        slide("Value"),
        ("css=.bk-Figure", "Power: 2"),
    ),
    Kind(
        "plotly_figure",
        ("css=.js-plotly-plot", "up to 5", "shown by show"),
        slide("Highest"),
        ("up to 6",),
        gone=("up to 5",),
    ),
    Kind("plotly_panel", ("a bar chart",), click("line"), ("a line chart",)),
    Kind("altair_chart", ("css=.vega-embed", "times 1"), move_vega, ("times 3",)),
    Kind("altair_panel", ("drawn as bar",), choose("Mark", "point"), ("drawn as point",)),
    Kind("ipywidgets_linked", ("nothing chosen yet",), drag_ipywidget, ("chosen: 4",)),
    Kind(
        "ipywidgets_interact",
        ("the word is one 2", "said inside an output", "css=.widget-html img"),
        choose_and_say,
        ("the word is two 2", "said by a button"),
        gone=("the word is one 2",),
    ),
    Kind("bokeh_figure", ("css=.bk-Figure", "factor 1"), slide("Factor"), ("factor 2",)),
    Kind(
        "bokeh_shown",
        ("css=.bk-Figure", "1 renderer, 3 points"),
        slide("Points"),
        ("1 renderer, 4 points",),
    ),
    Kind("panel_servable", ("hello you",), fill("Name", "world"), ("hello world",)),
    Kind("panel_depends", ("squared: 4",), slide("Number"), ("squared: 9",)),
    Kind(
        "panel_tabulator",
        ("Oslo", "selected: []"),
        lambda page: page.locator(".tabulator-row").nth(1).click(),
        ("selected: [1]",),
    ),
    *(
        Kind(f"template_{name}", ("counted 0",), click("Count"), ("counted 1",))
        for name in TEMPLATES
    ),
    Kind(
        "template_by_name",
        ("good day, counted 0",),
        click("Count"),
        ("good day, counted 1",),
        query="?greeting=good+day",
    ),
    Kind(
        "magics",
        ("the total is 1", "half is 1.0 kept: hidden at first", "bold by a magic"),
        slide("Times"),
        ("the total is 3", "said beside it"),
        gone=("never said",),
    ),
    Kind("data_beside", ("greetings to Norway",), choose("City", "Rome"), ("greetings to Italy",)),
    Kind(
        "rich_reprs",
        (
            *("bold in teal", "css=em >> text=slanted", "css=svg"),
            *("css=i >> text=a card by html", "css=strong >> text=by a bundle", "shown instead"),
            *("css=img[src^='data:image/png']", "inside", "{'a': [1, 2], 'b': None}"),
        ),
        choose("Colour", "navy"),
        ("bold in navy",),
    ),
    Kind(
        "printed",
        ("hello you <b>not bold</b>", "to the other stream", "mind the gap", "[1, 2, 3]"),
        fill("Name", "<i>me</i>"),
        ("hello <i>me</i>",),
        gone=("10 %",),
    ),
    Kind("awaits", ("fetched 1", "ticked"), slide("Pause"), ("fetched 2",)),
    Kind(
        "long_running",
        ("Working on step 2 of 4 (", "done after 2 rounds"),
        choose("Rounds", "1"),
        ("done after 1 rounds",),
    ),
    Kind("parameters_servable", ("Size 3", "3 is ticking"), slide("Size"), ("4 is ticking",)),
    Kind(
        "parameters_all",
        ("APAC 2020 0.5 10 'tea' False 2026-01-31 ['a', 'c'] 3", "own is second"),
        slide("From year"),
        ("APAC 2021 0.5 10 'tea' False 2026-01-31 ['a', 'c'] 3", "own is second"),
        query="?region=APAC&year=2020&kinds=a&kinds=c&most=3&own=second",
    ),
]


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    hub = start_hub()
    shutil.copytree(KINDS, hub.notebooks / "user", dirs_exist_ok=True)
    return hub


@pytest.fixture(scope="module")
def member(chromium: Browser, hub: Hub) -> Iterator[Visitor]:
    visitor = Visitor(chromium, hub)
    visitor.sign_in(MEMBER)
    yield visitor
    visitor.close()


@pytest.fixture
def page(member: Visitor) -> Iterator[Page]:
    """The member's tab, in which this test has no error."""
    member.begin_anew()
    yield member.page
    member.assert_stayed_clean()


def opened(member: Visitor, name: str, query: str = "") -> Page:
    """The page of a notebook, as soon as it begins."""
    address = f"{member.url}/user/{MEMBER}/dashboards/user/{name}{query}"
    member.page.goto(address, wait_until="commit")
    return member.page


def test_each_notebook_of_a_kind_is_tried() -> None:
    assert sorted(kind.name for kind in ALL) == sorted(path.stem for path in KINDS.glob("*.ipynb"))
    for path in KINDS.glob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=nbformat.NO_CONVERT))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=kind.name, marks=() if kind.name in OFTEN else pytest.mark.slow)
        for kind in ALL
    ],
)
def test_a_kind_shows_its_output_and_follows_its_widget(
    member: Visitor, page: Page, kind: Kind
) -> None:
    opened(member, kind.name, kind.query)
    for what in kind.shows:
        expect(at(page, what)).to_be_visible()
    kind.act(page)
    for what in kind.then:
        expect(at(page, what)).to_be_visible()
    for what in kind.gone:
        expect(page.get_by_text(what)).to_have_count(0)


PARAMETERS = "parameters_all"


def test_the_address_follows_parameters_and_says_what_it_cannot_take_over(
    member: Visitor, page: Page
) -> None:
    opened(member, PARAMETERS, "?region=MARS&year=1999&word=written+by+anybody&limit=7")
    ignored = page.locator("#ignored")
    for asked in ("region=MARS", "year=1999", "word=written by anybody"):
        expect(ignored).to_contain_text(asked)
    expect(ignored).not_to_contain_text("limit")
    expect(at(page, "EMEA 2024 0.5 7 'tea'")).to_be_visible()
    choose("Region", "APAC")(page)
    expect(at(page, "APAC 2024 0.5 7 'tea'")).to_be_visible()
    expect(page).to_have_url(re.compile(r"[?&]region=APAC\b"))
    choose("Own", "second")(page)
    expect(page).to_have_url(re.compile(r"[?&]own=second\b"))
    slide("From year")(page)
    expect(at(page, "APAC 2025 0.5 7 'tea'")).to_be_visible()
    expect(at(page, "own is second")).to_be_visible()
    expect(page).to_have_url(re.compile(r"[?&]year=2025\b"))
    page.reload()
    expect(at(page, "APAC 2025 0.5 7 'tea'")).to_be_visible()
    expect(at(page, "own is second")).to_be_visible()


def test_values_that_fail_are_told_in_place_and_what_was_shown_stays(
    member: Visitor, page: Page, hub: Hub
) -> None:
    opened(member, PARAMETERS)
    expect(at(page, "EMEA 2024 0.5 10 'tea'")).to_be_visible()
    fill("A word", "wrong")(page)
    told = page.get_by_text("Something went wrong with these values")
    expect(told).to_be_visible()
    assert "password" not in page.content()
    reference = told.inner_text().rpartition(": ")[2]
    assert f"reference {reference}" in hub.log_text()
    expect(at(page, "EMEA 2024 0.5 10 'tea'")).to_be_visible()
    fill("A word", "right")(page)
    expect(at(page, "EMEA 2024 0.5 10 'right'")).to_be_visible()
    expect(told).to_be_hidden()


STEPS = (
    ("n = 1  # Count, 1 to 9", "parameters"),
    ("from pathlib import Path\nimport time\nbegun = Path.home() / 'begun'",),
    ("begun.open('a').write(f'{n} begins\\n')\ntime.sleep(0.5)",),
    ("begun.open('a').write(f'{n} ends\\n')\nf'the count is {n}'",),
)


def test_what_nobody_wants_to_see_any_more_is_not_shown(
    member: Visitor, page: Page, hub: Hub
) -> None:
    write_notebook(
        hub.notebooks / "user" / "steps.ipynb",
        *(code(source, *tags) for source, *tags in STEPS),
    )
    opened(member, "steps")
    expect(at(page, "the count is 1")).to_be_visible()
    begun = hub.home_of(MEMBER) / "begun"
    slide("Count")(page)
    wait_until(lambda: "2 begins" in begun.read_text(), "the second run")
    slide("Count", count=2)(page)
    expect(at(page, "the count is 4")).to_be_visible()
    assert "2 ends" not in begun.read_text()
    assert begun.read_text().endswith("4 begins\n4 ends\n")


def test_one_that_never_ends_says_where_it_is_and_holds_nobody_up(
    member: Visitor, page: Page, hub: Hub
) -> None:
    write_notebook(
        hub.notebooks / "user" / "endless.ipynb", code("1"), code("while True:\n    pass")
    )
    before = {process.pid for process in hub.sessions_of(MEMBER)}
    opened(member, "endless")
    expect(at(page, "Working on step 2 of 2.")).to_be_visible()
    (endless,) = (one for one in hub.sessions_of(MEMBER) if one.pid not in before)
    opened(member, "panel_depends")
    expect(at(page, "squared: 4")).to_be_visible()
    wait_until(lambda: not endless.is_running(), "the end of what nobody waits for")
