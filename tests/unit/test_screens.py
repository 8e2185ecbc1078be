"""Whether two pictures of a page count as different."""

from __future__ import annotations

from PIL import Image, ImageDraw

from tests.browser.screens import differing


def page(*, top: int = 0, paper: str = "#f7f6f3", words: str = "Updated 3 days ago") -> Image.Image:
    """A bar, a card and a line of words."""
    picture = Image.new("RGB", (640, 450), paper)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 640, 28), fill="#ffffff", outline="#e3e0d8")
    draw.rectangle((20, 80 + top, 200, 260 + top), fill="#1c2326")
    draw.text((24, 300 + top), words, fill="#1d2528")
    return picture


def test_other_words_are_the_same_page() -> None:
    assert differing(page(), page(words="Updated 11 days ago")) < 0.01


def test_what_moved_is_seen() -> None:
    assert differing(page(), page(top=40)) > 0.04


def test_the_other_scheme_is_seen() -> None:
    assert differing(page(), page(paper="#14191b")) > 0.8


def test_another_size_is_another_page() -> None:
    assert differing(page(), page().resize((180, 400))) == 1
