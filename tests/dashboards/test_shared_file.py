"""What shared cells leave: it comes back as it was, and costs a further viewer next to nothing."""

from __future__ import annotations

import datetime
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dashboards.running import shared_file

MARK = b"ATRIUM 1"
ROWS = 1000
FRAME = pd.DataFrame(
    {
        "number": np.linspace(0, 1, ROWS),
        "count": range(ROWS),
        "text": [f"text {n % 7}" for n in range(ROWS)],
        "day": pd.date_range("2024-01-01", periods=ROWS, freq="h"),
        "kind": pd.Categorical([str(n % 3) for n in range(ROWS)]),
        "flag": [True, False] * (ROWS // 2),
        "zoned": pd.date_range("2024-01-01", periods=ROWS, tz="Europe/Berlin"),
        "another": np.linspace(1, 2, ROWS),
        "maybe": pd.array([1, None] * (ROWS // 2), dtype="Int64"),
        "may": pd.array([True, None] * (ROWS // 2), dtype="boolean"),
        "words": pd.array(["a", None] * (ROWS // 2), dtype="string"),
        "date": pd.Series(
            [datetime.date(2024, 1, 1), None] * 500, dtype=pd.ArrowDtype(pa.date32())
        ),
        "lasted": pd.to_timedelta(range(ROWS), unit="s"),
        "gaps": [None, "x"] * (ROWS // 2),
    }
)
VALUES = {
    "frame": FRAME,
    "by text": FRAME.set_index("text"),
    "by two": FRAME.set_index(["text", "kind"])[["number", "count"]],
    "mean": FRAME.groupby("text")["number"].mean(),
    "pivot": FRAME.pivot_table(index="text", columns="kind", values="number"),
    "mixed labels": pd.DataFrame([[1, 2]], columns=["a", 1]),
    "no rows": FRAME.iloc[:0],
    "no frame": pd.DataFrame(),
    "index": pd.Index(["a", "b"], name="letters"),
    "array": np.arange(12).reshape(3, 4).T,
    "texts": np.array(["ab", "c"]),
    "scalar": np.float32(1.5),
    "moment": pd.Timestamp("2024-01-01", tz="Europe/Berlin"),
    "python": [1, "a", None, 1.5, (2, {"a": True, 3: []})],
    "times": {"t": datetime.datetime(2024, 1, 1), "d": datetime.date(2024, 1, 1)},  # noqa: DTZ001
}

MAKE = """
import sys, numpy as np, pandas as pd
from dashboards.running import shared_file
n = 1_000_000
r = np.random.default_rng(1)
frame = pd.DataFrame({
    "a": r.random(n), "text": [f"sensor {i % 5000} in hall {i % 17}" for i in range(n)],
    "b": r.random(n), "i": np.arange(n), "time": pd.date_range("2020", periods=n, freq="s"),
    "j": r.integers(0, 9, n), "kind": pd.Categorical(r.choice(["a", "b", "c"], n)),
    "c": r.random(n),
})
with open(sys.argv[1], "wb") as file:
    shared_file.write({"frame": frame}, file)
"""
VIEW = """
import gc, sys, numpy as np, pandas as pd, psutil
from pathlib import Path
from dashboards.running import shared_file
def own():
    gc.collect()
    return psutil.Process().memory_full_info().uss
def use(frame):
    for name in frame:
        frame[name].iloc[::500].tolist()
        frame[name].max() if name in "abcij" else frame[name].iloc[-1]
    return frame[["a", "b"]].mean()
use(pd.DataFrame({"a": [1.0], "b": [2.0], "text": ["a"], "kind": pd.Categorical(["a"])}))
before = own()
kept = shared_file.read(Path(sys.argv[1]))["frame"]
use(kept.copy(deep=False))
print(own() - before, flush=True)
sys.stdin.read()
"""


def same(one: Any, other: Any) -> bool:
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_freq=False)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_freq=False)
    elif isinstance(one, pd.Index):
        pd.testing.assert_index_equal(one, other)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, strict=True)
    else:
        return one == other and type(one) is type(other)
    return True


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("shared") / "values"
    with path.open("wb") as file:
        shared_file.write(VALUES, file)
    return shared_file.read(path)


@pytest.mark.parametrize("name", VALUES)
def test_it_comes_back_as_it_was(found: dict[str, Any], name: str) -> None:
    assert same(VALUES[name], found[name])


def test_what_is_shared_stays_and_a_copy_may_be_changed(found: dict[str, Any]) -> None:
    frame, array = found["frame"], found["array"]
    own = frame.copy(deep=False)
    assert np.shares_memory(own["number"].to_numpy(), frame["number"].to_numpy())
    own.loc[0, "number"], own.loc[0, "text"] = 5.0, "changed"
    own["count"] += 1
    assert same(frame, FRAME)
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1


def test_columns_of_a_type_lie_together_so_that_nothing_copies_them(found: dict[str, Any]) -> None:
    assert found["frame"]._mgr.is_consolidated()


@pytest.mark.parametrize(
    "value",
    [
        print,
        object(),
        json,
        pd.Series([{}, 1]),
        pd.DataFrame({"x": [{}]}),
        np.array([{}]),
        pd.Series(pd.period_range("2024", periods=3)),
        {"a": [object()]},
        type("Sub", (pd.DataFrame,), {})(),
    ],
)
def test_what_cannot_be_shared_is_named(value: object) -> None:
    with pytest.raises(shared_file.CannotBeShared, match="“the_name"):
        shared_file.write({"the_name": value}, io.BytesIO(), needed={"the_name"})
    shared_file.write({"the_name": value}, io.BytesIO())


@pytest.mark.parametrize(
    "content", [b"", b"short", b"x" * 100, bytes(8) + b"ATRIUM 1", b"\xff" * 8 + b"ATRIUM 1"]
)
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011
        shared_file.read(tmp_path / "file")


def test_an_index_cannot_ask_for_objects(tmp_path: Path) -> None:
    index = json.dumps({"x": {"array": {"at": 0, "dtype": "|O", "shape": [1]}}}).encode()
    (tmp_path / "file").write_bytes(
        bytes(64) + index + len(index).to_bytes(8, "little") + b"ATRIUM 1"
    )
    with pytest.raises(ValueError, match="OBJECT"):
        shared_file.read(tmp_path / "file")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="symbolic"):
        shared_file.read(tmp_path / "link")


@pytest.mark.long
def test_a_million_rows_of_eight_columns_cost_a_further_viewer_under_five_megabytes(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "values")
    subprocess.run([sys.executable, "-c", MAKE, path], check=True)
    command = [sys.executable, "-c", VIEW, path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as first:  # type: ignore[call-overload]
        first.stdout.readline()
        with subprocess.Popen(command, **pipes) as further:  # type: ignore[call-overload]
            cost = int(further.stdout.readline())
            further.communicate()
        first.communicate()
    assert cost < 5_000_000, cost
