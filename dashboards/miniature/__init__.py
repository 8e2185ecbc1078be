"""What a dashboard shows first, as a small picture for its card: there is no browser to draw it.

The plots of its document are drawn anew by Matplotlib, in the colours of the page; without a plot
its numbers, or a table. What cannot be drawn gives no picture.

Imports Panel and Matplotlib: only the process of a trial run (`dashboards.trial`) may import it.
"""

from __future__ import annotations

import io
import logging
from itertools import islice
from typing import Final

from bokeh.document import Document
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from dashboards.miniature.colours import SCHEMES, Colours
from dashboards.miniature.finding import Box, Seen, arranged, seen_in

log = logging.getLogger(__name__)

SIZE: Final = (640, 360)
"""Pixels: twice what a card shows. The hub takes no other (`hub_extensions.pictures`)."""

_PER_INCH: Final = 100


def pictures(document: Document) -> dict[str, bytes]:
    """By colour scheme, `light` and `dark`, a PNG; none where nothing can be drawn."""
    seen = seen_in(document)
    found = {}
    for scheme in SCHEMES:
        picture = _picture(seen, Colours(scheme))
        if picture is None:
            return {}
        found[scheme] = picture
    return found


def _picture(seen: list[Seen], colours: Colours) -> bytes | None:
    """One picture of what can be drawn of these, up to four."""
    drawn = list(islice((one for one in seen if _draws(one, colours)), 4))
    if not drawn:
        return None
    figure = _empty()
    for one, box in arranged(drawn):
        one.draw(figure, box, colours)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    file = io.BytesIO()
    Image.frombuffer("RGBA", SIZE, canvas.buffer_rgba()).save(file, "PNG", optimize=True)  # type: ignore[arg-type]
    return file.getvalue()


def _draws(one: Seen, colours: Colours) -> bool:
    """Whether it can be drawn; a notebook may have anything in its plots."""
    try:
        figure = _empty()
        if not one.draw(figure, Box(0, 0, 1, 1), colours):
            return False
        FigureCanvasAgg(figure).draw()
    except Exception:
        log.info("A %s cannot be drawn", type(one).__name__, exc_info=True)
        return False
    return True


def _empty() -> Figure:
    return Figure(
        figsize=(SIZE[0] / _PER_INCH, SIZE[1] / _PER_INCH), dpi=_PER_INCH, facecolor=(0, 0, 0, 0)
    )
