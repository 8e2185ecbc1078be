"""Notebooks of many kinds, as analysts write them: each shows what it should, and what is moved or
chosen in it has its effect; nothing comes from another host, and the console has no error."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.visitor import Visitor
from tests.conftest import StartHub
from tests.hub import FEW_SERVERS, Hub

KINDS = Path(__file__).parents[1] / "notebooks" / "kinds"
MEMBER = "member@acme.test"

Act = Callable[[Page], object]


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


def fill(label: str, text: str) -> Act:
    def act(page: Page) -> None:
        page.get_by_label(label).first.fill(text)
        page.get_by_label(label).first.press("Enter")

    return act


COUNTED = (("Count", "counted 0"), click("Count"), ("counted 1",))
ALL = [
    Kind("pandas_table", ("square", "the sum is 5"), slide("Rows"), ("the sum is 14",)),
    Kind(
        "million_rows",
        ("the first 100 of 1,000,000 rows", "There is more text than is shown here"),
        choose("Start", "500"),
        ("599",),
    ),
]


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    hub = start_hub()
    shutil.copytree(KINDS, hub.notebooks / "user", dirs_exist_ok=True)
    return hub


@pytest.fixture(scope="module")
def member(chromium: Browser, hub: Hub) -> Iterator[Visitor]:
    visitor = Visitor(chromium, hub.url)
    visitor.sign_in(MEMBER)
    yield visitor
    visitor.close()
