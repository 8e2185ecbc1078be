"""Keeps Panel's pages from asking other hosts for fonts, icons and styles.

Only `install` imports Panel; `dashboards.live.session_process` calls it.
"""

from __future__ import annotations

import re

NO_ICON_FONT = """(() => {
  const view = window.Bokeh?.Models.get("TablerIcon")?.prototype.default_view;
  if (!view) return;
  view._url = "data:text/css,";
  view._fonts = new view._fonts.constructor("");
})();"""
"""Bokeh fetches the font of its named icons from another host; without it they stay empty."""

_OUTSIDE_LINK = re.compile(
    r"<link\b[^>]*\bhref\s*=\s*[\"']?(?:https?:)?//(?!localhost|127\.)[^>]*>", re.I
)
_OUTSIDE_IMPORT = re.compile(r"@import\s+(?:url\()?\s*[\"']?(?:https?:)?//[^;]*;", re.I)


def install() -> None:
    """Take the fonts from other hosts out of Panel's designs and page templates."""
    from panel.theme.base import Design

    for design in [Design, *_descendants(Design)]:
        resources = design.__dict__.get("_resources")
        if isinstance(resources, dict):
            resources.pop("font", None)


def without_outside(page: str) -> str:
    """A page without links to styles of other hosts; text falls back to the system's font."""
    return _OUTSIDE_IMPORT.sub("", _OUTSIDE_LINK.sub("", page))


def _descendants(kind: type) -> list[type]:
    found = []
    for child in kind.__subclasses__():
        found += [child, *_descendants(child)]
    return found
