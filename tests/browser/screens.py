"""Pictures of our pages, compared with those that somebody has looked at (`screens/*.webp`).

Fonts differ by a little between machines, and some words with the day. So both are reduced to a
coarse grid, and the pages differ where many of its cells do: a sheet that is missing, a part that
moved or went, colours of the other scheme.

What a run has seen lies in `test-results/screens`; to take it as reviewed, copy it to
`tests/browser/screens`.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops
from playwright.sync_api import Page

from tests.hub import wait_until

REVIEWED = Path(__file__).with_name("screens")
SEEN = Path(__file__).parents[2] / "test-results" / "screens"

#: Width and height of the window, and whether it is dark.
LOOKS = {
    "wide": (1280, 900, False),
    "wide-dark": (1280, 900, True),
    "narrow-dark": (360, 800, True),
    "narrow": (360, 800, False),
}

_CELL = 10  # pixels of the picture as it is kept
_NOTICED = 20  # of 255, that a cell's colour may differ by
SHARE = 0.03  # of the cells, that may differ by more


def look_at(page: Page, look: str) -> None:
    """Give the window of a page another size and another scheme of colours."""
    width, height, is_dark = LOOKS[look]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if is_dark else "light", reduced_motion="reduce")


def problem_of(page: Page, name: str, allowed: float = SHARE) -> str:
    """Take a picture of what the window shows once it has settled, half as large; says how it
    differs from the reviewed one, "" if it does not.

    allowed: the share of it, from 0 to 1, that may.
    """
    picture = Image.open(BytesIO(_settled(page))).convert("RGB")
    picture = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX)
    SEEN.mkdir(parents=True, exist_ok=True)
    seen, reviewed = SEEN / f"{name}.webp", REVIEWED / f"{name}.webp"
    picture.save(seen, quality=60)
    if not reviewed.exists():
        return f"{name} has never been reviewed: look at {seen}, and copy it to {REVIEWED}"
    with Image.open(seen) as now, Image.open(reviewed) as before:
        share = differing(now.convert("RGB"), before.convert("RGB"))
    if share > allowed:
        return f"{name} differs from {reviewed} in {share:.0%} of it: look at {seen}"
    return ""


def _settled(page: Page) -> bytes:
    """What the window shows, as soon as two pictures of it are the same. JPEG is made sooner."""
    taken = [b""]

    def is_settled() -> bool:
        taken.append(page.screenshot(caret="hide", type="jpeg", quality=90))
        return taken[-1] == taken[-2]

    wait_until(is_settled, "a page that has settled")
    return taken[-1]


def differing(one: Image.Image, other: Image.Image) -> float:
    """The share of two pictures, from 0 to 1, in which they differ; 1 for different sizes."""
    if one.size != other.size:
        return 1
    size = (one.width // _CELL, one.height // _CELL)
    small = [picture.resize(size, Image.Resampling.BOX) for picture in (one, other)]
    bands = ImageChops.difference(*small).split()
    most = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    counted = most.histogram()
    return sum(counted[_NOTICED + 1 :]) / (size[0] * size[1])
