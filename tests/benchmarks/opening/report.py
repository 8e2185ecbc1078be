"""Fills what was measured into docs/performance.md, and draws its pictures."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import psutil
from matplotlib.figure import Figure

from tests.benchmarks.opening.comparison import Bar, Record, number, row_of
from tests.conftest import find_chromium
from tests.hub import ROOT

PAGE: Final = ROOT / "docs" / "performance.md"
NOT_YET: Final = "*Not measured yet.*"
_COLORS: Final = {"ours": "#0072b2", "peer": "#d55e00"}
_NAMES: Final = {"ours": "Atrium", "peer": "the peer"}

Details = Mapping[str, Mapping[str, Mapping[str, Any]]]


def machine() -> dict[str, Any]:
    """What the numbers were measured with."""
    said = subprocess.run([find_chromium(), "--version"], capture_output=True, text=True)
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory (GB)": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in ("panel", "bokeh", "hvplot", "jupyterhub")},
        "browser": said.stdout.strip(),
    }


def _processor() -> str:
    try:
        described = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*: (.*)", described, re.MULTILINE)
    return found[1] if found else platform.machine()


def write_page(page: Path, records: Sequence[Record], details: Details) -> None:
    """Put what is known between the page's markers, with pictures beside the page."""
    growth = list(details.get("growth", {}).items())
    marks = details.get("timeline", {})
    if growth:
        _save(growth_picture(growth), page.with_name("performance-growth.svg"))
    if marks:
        _save(timeline_picture(marks), page.with_name("performance-timeline.svg"))
    text = page.read_text("utf-8")
    for name, content in (
        ("table", records_table(records)),
        ("columns", columns_table(records)),
        ("growth", with_picture(growth_table(growth), "growth", "How it grows")),
        ("modes", plain_table(list(details.get("modes", {}).values()))),
        ("catalogue", plain_table(list(details.get("catalogue", {}).values()))),
        ("timeline", with_picture(timeline_table(marks), "timeline", "From the click to the plot")),
        ("machine", plain_table([details["machine"]]) if "machine" in details else ""),
    ):
        text = filled(text, name, content)
    page.write_text(text, "utf-8")


def with_picture(table: str, name: str, words: str) -> str:
    """A table with the picture of it, if there is one."""
    return table and f"{table}\n\n![{words}](performance-{name}.svg)"


def filled(text: str, name: str, content: str) -> str:
    """A page with other content between the markers of that name.

    Raises:
        ValueError: it has no such markers.
    """
    marker = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not marker.search(text):
        raise ValueError(f"no markers of {name}")
    return marker.sub(lambda found: f"{found[1]}{content or NOT_YET}\n{found[2]}", text, count=1)


def records_table(records: Sequence[Record]) -> str:
    """The rows with a bar."""
    rows = [
        [
            one["name"],
            f"{number(one['ours'])} {one['unit']}",
            f"{number(one['peer'])} {one['unit']}",
            number(one["ratio"]),
            _bar(one, one["must_reach"]),
            _bar(one, one["aim"]),
            "yes" if one["holds"] else "**no**",
            str(one["pairs"]),
        ]
        for one in records
        if "ours" in one
    ]
    heads = ["", "Atrium", "peer or static file", "ratio", "must", "aim", "holds", "pairs"]
    return _markdown(heads, rows)


def _bar(record: Record, value: float) -> str:
    bar = row_of(record).bar
    if bar is Bar.LESS_THAN:
        return f"< {value:g} {record['unit']}"
    return f"≥ {value:g}" if bar is Bar.TIMES_LESS else f"≤ {value:g}"


def columns_table(records: Sequence[Record]) -> str:
    """The rows in which a further server stands beside the two."""
    keys = ("ours", "peer", "one_panel_server", "voila")
    rows = [
        [one["name"], *(number(one.get(key)) for key in keys), row_of(one).unit]
        for one in records
        if keys[2] in one
    ]
    return _markdown(["", "Atrium", "peer", "one Panel server", "Voilà", ""], rows)


def growth_table(growth: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """What each number of viewers takes."""
    rows = [
        [
            _NAMES[key.split()[0]],
            str(point["viewers"]),
            *(number(point[name]) for name in ("seconds", "memory", "processor", "idle")),
            number(1000 / point["memory"]) if point["memory"] > 0 else "–",
        ]
        for key, point in sorted(growth, key=_by_side_and_size)
    ]
    heads = [
        *("", "viewers", "last document (s)", "memory a viewer (MB)"),
        *("processor a viewer (s)", "idle (% of a core)", "viewers a GB"),
    ]
    return _markdown(heads, rows)


def _by_side_and_size(entry: tuple[str, Mapping[str, Any]]) -> tuple[str, int]:
    return entry[0].split()[0], entry[1]["viewers"]


def timeline_table(marks: Mapping[str, Mapping[str, float]]) -> str:
    """When each step of a start was done."""
    names = list(dict.fromkeys(name for side in _NAMES for name in _in_order(marks, side)))
    rows = [[name, *(number(marks.get(side, {}).get(name)) for side in _NAMES)] for name in names]
    return _markdown(["seconds after the click", *_NAMES.values()], rows)


def _in_order(marks: Mapping[str, Mapping[str, float]], side: str) -> list[str]:
    own = marks.get(side, {})
    return sorted(own, key=own.__getitem__)


def plain_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Values under their names."""
    if not rows:
        return ""
    cells = [
        [number(value) if isinstance(value, float) else str(value) for value in row.values()]
        for row in rows
    ]
    return _markdown(list(rows[0]), cells)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def growth_picture(growth: Sequence[tuple[str, Mapping[str, Any]]]) -> Figure:
    """The same as curves."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    panels = (
        ("seconds", "last document (s)"),
        ("memory", "memory a viewer (MB)"),
        ("idle", "idle (% of a core)"),
    )
    for axes, (name, title) in zip(figure.subplots(1, 3), panels, strict=True):
        for side, color in _COLORS.items():
            points = sorted(
                (point["viewers"], point[name]) for key, point in growth if key.startswith(side)
            )
            if points:
                axes.plot(*zip(*points, strict=True), "o-", color=color, label=_NAMES[side])
        axes.set(title=title, xlabel="viewers", ylim=(0, None))
        axes.legend(frameon=False)
    return figure


def timeline_picture(marks: Mapping[str, Mapping[str, float]]) -> Figure:
    """One bar a side, cut at each mark."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(name for side in _NAMES for name in _in_order(marks, side)))
    colors = dict(zip(names, mpl.colormaps["viridis"].resampled(len(names)).colors, strict=True))
    for side, label in _NAMES.items():
        begin = 0.0
        for name in _in_order(marks, side):
            end = marks[side][name]
            axes.barh(label, end - begin, left=begin, color=colors[name])
            begin = end
    for name in names:
        axes.barh(0, 0, color=colors[name], label=f"until {name}")
    axes.invert_yaxis()
    axes.set(xlabel="seconds after the click")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure


def _save(figure: Figure, path: Path) -> None:
    """As text that is the same for the same numbers."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "atrium"}):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
