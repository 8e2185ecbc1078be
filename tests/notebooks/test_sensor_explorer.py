from __future__ import annotations

import os
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pandas as pd
import pytest
from vega_datasets import local_data

from tests.notebooks.shipped import ROOT, SENSOR_EXPLORER, names_of, run

OCCUPANCY = ROOT.parent / "shared" / "data" / "occupancy.csv"
SHOWN = "print(problem); print(len(readings), list(readings))"


@pytest.fixture(scope="module")
def explorer() -> dict[str, Any]:
    return names_of(SENSOR_EXPLORER, "imports", "data", "outliers", "page")


def outliers_one_by_one(values: list[float], window: int, sigma: float) -> int:
    """The number of outliers, counted without pandas."""
    averages = {
        end: mean(values[end - window + 1 : end + 1]) for end in range(window - 1, len(values))
    }
    distances = {end: values[end] - average for end, average in averages.items()}
    found = 0
    for end in range(2 * window - 2, len(values)):
        spread = stdev(distances[place] for place in range(end - window + 1, end + 1))
        found += abs(distances[end]) > sigma * spread
    return found


@pytest.mark.parametrize(("window", "sigma"), [(30, 3.0), (30, 1.5), (7, 2.0), (365, 2.5)])
@pytest.mark.parametrize("variable", ["temp_max", "wind"])
def test_outliers_are_those_of_an_independent_count(
    explorer: dict[str, Any], variable: str, window: int, sigma: float
) -> None:
    values = local_data.seattle_weather()[variable]
    counted = outliers_one_by_one(values.tolist(), window, sigma)
    assert explorer["analyse"](values, window, sigma)["outlier"].sum() == counted
    assert counted > 0


def test_a_line_without_spread_has_no_outliers(explorer: dict[str, Any]) -> None:
    assert not explorer["analyse"](pd.Series([5.0] * 100), 10, 3)["outlier"].any()


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        pytest.param("date,a,b\n2024-01-01,1,2\n2024-01-02,3,4\n", ["a", "b"], id="date first"),
        pytest.param("a,b,when\n1,2,2024-01-01\n3,4,2024-01-02\n", ["a", "b"], id="date last"),
        pytest.param("date,a\n2024-01-01,1\n2024-01-02,2\n", ["a"], id="one column"),
        pytest.param("date;a;b\n2024-01-01;1;2\n2024-01-02;3;4\n", ["a", "b"], id="semicolons"),
        pytest.param(",date,a\n0,2024-01-01,1\n1,2024-01-02,2\n", ["a"], id="an index"),
        pytest.param("a,date\n1,2024-01-01T00:00:00Z\n2,2024-01-02T00:00:00Z\n", ["a"], id="zone"),
        pytest.param("day,a\n13/01/2024,1\n14/01/2024,2\n", ["a"], id="day before month"),
        pytest.param(
            "note,date,a\nx,2024-01-01,1\ny,2024-01-02,2\n", ["a"], id="text that is ignored"
        ),
        pytest.param("date,a,b\n2024-01-02,1,\n2024-01-01,2,\n", ["a"], id="an empty column"),
    ],
)
def test_reads(tmp_path: Path, explorer: dict[str, Any], text: str, columns: list[str]) -> None:
    file = tmp_path / "own.csv"
    file.write_text(text, encoding="utf-8")
    readings = explorer["read"](file)
    assert list(readings) == columns
    assert len(readings) == 2
    assert readings.index.is_monotonic_increasing
    assert readings.index.tz is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,name\n2024-01-01,x\n2024-01-02,y\n", "it has no column of numbers"),
        ("a,b\n1,2\n3,4\n", "it has no column of dates"),
        ("date,a\n", "it has no rows"),
        ("", "it is empty"),
        ("date,a\n2024-01-01,1\n2024-01-02,2,3\n", "its rows have different numbers of columns"),
    ],
)
def test_says_why_a_file_cannot_be_shown(
    tmp_path: Path, explorer: dict[str, Any], text: str, said: str
) -> None:
    file = tmp_path / "own.csv"
    file.write_text(text, encoding="utf-8")
    readings, problem = explorer["readings_or_problem"](str(file))
    assert readings is None
    assert problem == said
    message = explorer["unusable"](str(file), problem).object
    assert message.startswith(f"<b>own.csv cannot be shown: {said}.</b>")
    assert str(tmp_path) not in message


def test_says_that_a_file_is_not_there_or_not_text(
    tmp_path: Path, explorer: dict[str, Any]
) -> None:
    assert explorer["readings_or_problem"](str(tmp_path / "none.csv")) == (None, "it is not there")
    assert "&lt;b&gt;" in explorer["unusable"]("/data/<b>.csv", "x").object
    file = tmp_path / "own.csv"
    file.write_bytes(b"date,a\n2024-01-01,\xff\xfe\n")
    assert explorer["readings_or_problem"](str(file)) == (None, "it is not text in UTF-8")


def test_reads_a_file_again_when_it_has_changed(tmp_path: Path, explorer: dict[str, Any]) -> None:
    file = tmp_path / "own.csv"
    for rows in (1, 2):
        file.write_text("date,a\n" + "2024-01-01,1\n" * rows, encoding="utf-8")
        os.utime(file, ns=(rows, rows))
        assert len(explorer["readings_or_problem"](str(file))[0]) == rows


@pytest.mark.long
def test_shows_a_message_instead_of_the_page(tmp_path: Path) -> None:
    said = run(SENSOR_EXPLORER, "print(readings, problem)", ATRIUM_DATA=str(tmp_path / "none.csv"))
    assert said.strip() == "None it is not there"


def test_words_for_columns_and_steps(explorer: dict[str, Any]) -> None:
    label_of, unit_of = explorer["label_of"], explorer["unit_of"]
    assert label_of("HumidityRatio") == "Humidity ratio"
    assert label_of("CO2") == "CO2"
    assert label_of("body_mass_g") == "Body mass g"
    assert unit_of(pd.date_range("2024-01-01", periods=9, freq="D")) == "days"
    assert unit_of(pd.date_range("2024-01-01", periods=9, freq="min")) == "minutes"
    assert unit_of(pd.date_range("2024-01-01", periods=9, freq="7min")) == "readings"


@pytest.mark.long
@pytest.mark.skipif(
    not OCCUPANCY.exists(), reason="the office's readings are not beside the project"
)
def test_shows_the_readings_of_an_office() -> None:
    columns = ["Temperature", "Humidity", "Light", "CO2", "HumidityRatio", "Occupancy"]
    then = f"{SHOWN}; print(unit_of(readings.index))"
    assert run(SENSOR_EXPLORER, then, ATRIUM_DATA=str(OCCUPANCY)).split("\n")[1:3] == [
        f"8143 {columns}",
        "minutes",
    ]
