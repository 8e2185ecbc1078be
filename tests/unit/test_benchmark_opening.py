"""What `make benchmark` writes: bars that can fail, rows that stay, a page that is filled in."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.benchmarks.opening import comparison as compared
from tests.benchmarks.opening.comparison import Row, kept, record, slowest
from tests.benchmarks.opening.report import (
    NOT_YET,
    PAGE,
    filled,
    growth_table,
    records_table,
    timeline_table,
    write_page,
)
from tests.benchmarks.opening.timeline import hub_marks
from tests.benchmarks.opening.viewer import Page, find_slider, has_outputs, has_plot

FORMAT = ["name", "ours", "peer", "unit", "ratio", "must_reach", "aim", "holds", "pairs"]


@pytest.mark.parametrize(
    ("row", "pair", "ratio", "holds"),
    [
        (compared.ADDRESS, (1.0, 10.0), 10, True),
        (compared.ADDRESS, (1.0, 9.9), 9.9, False),
        (compared.STATIC, (1.3, 1.0), 1.3, True),
        (compared.STATIC, (1.4, 1.0), 1.4, False),
        (compared.HEALTH, (499.0, 1.0), None, True),
        (compared.HEALTH, (500.0, 9000.0), None, False),
    ],
)
def test_a_bar_is_reached_or_not(
    row: Row, pair: tuple[float, float], ratio: float | None, holds: bool
) -> None:
    found = record(row, [pair])
    assert list(found) == FORMAT
    assert (found["ratio"], found["holds"], found["pairs"]) == (ratio, holds, 1)


def test_medians_and_the_slowest() -> None:
    pairs = [(1.0, 2.0), (2.0, 4.0), (9.0, 3.0)]
    assert record(compared.MOVED, pairs)["ours"] == 2
    assert slowest([1.0] * 19 + [5.0] * 2) == 5
    assert slowest([3.0]) == 3
    assert record(compared.MOVED_SLOWEST, pairs, of=max, rounds=1)["pairs"] == 1


def test_a_part_measured_anew_keeps_the_others() -> None:
    moved, plot = record(compared.MOVED, [(1.0, 1.0)]), record(compared.PLOT, [(1.0, 8.0)])
    records = kept(kept([], moved), plot)
    assert records == [plot, moved]  # in the order of the rows
    records = kept(records, {"name": compared.PLOT.name, "one_panel_server": 3.0})
    anew = kept(records, record(compared.PLOT, [(1.0, 9.0)]))
    assert (anew[0]["peer"], anew[0]["one_panel_server"]) == (9, 3)
    assert anew[1] == moved


def test_the_page_has_a_place_for_all_that_is_measured(tmp_path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE.read_text("utf-8"), "utf-8")
    point = {"viewers": 5, "seconds": 1.5, "memory": 50.0, "processor": 0.7, "idle": 1.2}
    marks = {"ours": {"the plot is drawn": 1.0}, "peer": {"the plot is drawn": 9.0}}
    details = {
        "machine": {"cores": 2},
        "growth": {"ours 5": point},
        "timeline": marks,
        "modes": {"memory": {"": "memory", "unit": "MB"}},
        "catalogue": {"3 folders": {"folders": 3, "gallery": 0.25}},
    }
    records = [record(compared.PLOT, [(1.0, 8.0)]) | {"one_panel_server": 3.0}]
    write_page(page, records, details)
    text = page.read_text("utf-8")
    assert NOT_YET not in text
    assert "| sign-in click → first plot drawn | 1.00 s | 8.00 s | 8.00 | ≥ 7 |" in text
    assert "](performance-growth.svg)" in text
    assert (tmp_path / "performance-growth.svg").read_text().count("<svg") == 1
    assert (tmp_path / "performance-timeline.svg").stat().st_size < 100_000
    write_page(page, [], {})
    assert text.count("<!-- measured") == page.read_text("utf-8").count(NOT_YET)


def test_tables() -> None:
    assert records_table([]) == ""
    assert "< 500 ms" in records_table([record(compared.HEALTH, [(600.0, 1.0)])])
    rows = growth_table(
        [
            (key, {"viewers": viewers, "seconds": 1, "memory": 50, "processor": 1, "idle": 1})
            for key, viewers in (("ours 10", 10), ("peer 1", 1), ("ours 5", 5))
        ]
    ).splitlines()
    assert [row[:14] for row in rows[2:]] == ["| Atrium | 5 |", "| Atrium | 10 ", "| the peer | 1"]
    assert rows[2].endswith("| 20.0 |")  # viewers a GB
    assert "| only here | 1.00 | – |" in timeline_table({"ours": {"only here": 1.0}})


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no markers of table"):
        filled("A page", "table", "| a |")


def test_marks_are_the_first_of_their_kind() -> None:
    log = (
        "[I 2026-01-02 03:04:05.678 JupyterHub base:1] User logged in: somebody\n"
        "INFO something else\n"
        "[I 2026-01-02 03:04:06.000 JupyterHub base:2] User x took 0.1 seconds to start\n"
        "[I 2026-01-02 03:04:09.000 JupyterHub base:1] User logged in: somebody\n"
    )
    marks = dict(hub_marks(log))
    begin = datetime.fromisoformat("2026-01-02 03:04:05.678").astimezone().timestamp()
    assert marks["the hub knows who it is"] == begin
    assert marks["the server listens"] - begin == pytest.approx(0.322)
    assert "a server is ordered" not in marks


def test_what_a_client_finds_in_a_document() -> None:
    def model(name: str, key: str, **attributes: object) -> dict[str, object]:
        return {"type": "object", "name": name, "id": key, "attributes": attributes}

    sliders = [model("panel.models.x.IntSlider", "p2", title="Window"), model("Slider", "p3")]
    document = json.dumps({"doc": {"roots": [model("Row", "p1", children=sliders)]}})
    assert find_slider(document) == "p2"
    with pytest.raises(AssertionError, match="no slider Sigma"):
        find_slider(document, "Sigma")
    assert has_plot('{"name":"Figure"},{"name":"ColumnDataSource"},{"name":"Line"}')
    assert not has_plot('{"name":"Figure"},{"name":"ColumnDataSource"}')
    outputs = r"run({\"name\": \"Figure\"}, {\"name\":\"ColumnDataSource\"}, {\"name\":\"Line\"})"
    assert has_outputs(Page(url="", text=outputs))
    assert not has_outputs(Page(url="", text=outputs.replace("Line", "Text")))
