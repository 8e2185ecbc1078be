"""What is compared, what must be reached, and the records of it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parents[1] / "results"
SECONDS, MEGABYTES, MILLISECONDS, OF_ONE_CORE = "s", "MB", "ms", "% of a core"

Record = dict[str, Any]
Pair = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured. Times in seconds.

    Attributes:
        pairs: how often both are measured for each row that is compared; `idle` takes its time.
        rounds: how often what has no bar is measured.
    """

    pairs: int = 10
    rounds: int = 3
    people: int = 30
    others: int = 20
    idle: int = 100
    window: float = 60
    growth: tuple[int, ...] = (1, 5, 10, 30, 60)
    tenants: int = 25


QUICK: Final = Size(
    pairs=1, rounds=1, people=3, others=2, idle=3, window=6, growth=(1, 2), tenants=2
)


@dataclass(frozen=True)
class Detail:
    """Something measured that has no bar: for docs/performance.md."""

    part: str
    key: str
    values: dict[str, Any]


class Bar(Enum):
    """How what must be reached is meant."""

    TIMES_LESS = "times less than the peer's"
    TIMES_AS_MUCH = "times as much as the static file's, at most"
    LESS_THAN = "less than"


@dataclass(frozen=True, kw_only=True)
class Row:
    """Something measured at both.

    Attributes:
        must_reach, aim: what `bar` says; of `LESS_THAN` in the row's own unit.
    """

    name: str
    unit: str = SECONDS
    must_reach: float
    aim: float
    bar: Bar = Bar.TIMES_LESS

    def ratio(self, ours: float, other: float) -> float | None:
        """What is compared with the bar; None where that is our own number."""
        if self.bar is Bar.TIMES_LESS:
            return other / ours
        return ours / other if self.bar is Bar.TIMES_AS_MUCH else None

    def holds(self, ours: float, ratio: float | None) -> bool:
        """Whether it reaches what it must."""
        if ratio is None:
            return ours < self.must_reach
        return ratio >= self.must_reach if self.bar is Bar.TIMES_LESS else ratio <= self.must_reach


ADDRESS: Final = Row(name="sign-in click → dashboard's address answers", must_reach=10, aim=20)
PLOT: Final = Row(name="sign-in click → first plot drawn", must_reach=7, aim=12)
STATIC: Final = Row(
    name="dashboard's address → first plot, against one static file",
    must_reach=1.3,
    aim=1.1,
    bar=Bar.TIMES_AS_MUCH,
)
FIRST_SIGN_IN: Final = Row(
    name="the same at a first sign-in, scripts fetched meanwhile, against one static file",
    must_reach=1.0,
    aim=0.7,
    bar=Bar.TIMES_AS_MUCH,
)
MEMORY: Final = Row(
    name="memory of one more viewer (proportional set size)", unit=MEGABYTES, must_reach=5, aim=10
)
THIRTY: Final = Row(
    name="30 people sign in within one second → the last one's document with its plot",
    must_reach=10,
    aim=20,
)
ANSWER: Final = Row(name="sign-in click → first answer to a moved slider", must_reach=7, aim=12)
SECOND: Final = Row(name="a second dashboard of the same person", must_reach=1.2, aim=2)
MOVED: Final = Row(name="slider moved → plot changed", must_reach=1, aim=1.5)
MOVED_SLOWEST: Final = Row(
    name="slider moved → plot changed, 95th percentile", must_reach=1, aim=1.5
)
OTHERS: Final = Row(
    name="slider moved → plot changed, while 20 others move sliders", must_reach=1.1, aim=1.5
)
OTHERS_SLOWEST: Final = Row(
    name="slider moved → plot changed, while 20 others move sliders, 95th percentile",
    must_reach=1.1,
    aim=1.5,
)
IDLE: Final = Row(
    name="100 idle viewers connected", unit=OF_ONE_CORE, must_reach=10, aim=3, bar=Bar.LESS_THAN
)
HEALTH: Final = Row(
    name="hub's answer to /hub/health during the 30 sign-ins, 95th percentile",
    unit=MILLISECONDS,
    must_reach=500,
    aim=100,
    bar=Bar.LESS_THAN,
)
ROWS: Final = (
    *(ADDRESS, PLOT, STATIC, FIRST_SIGN_IN, MEMORY, THIRTY, ANSWER, SECOND),
    *(MOVED, MOVED_SLOWEST, OTHERS, OTHERS_SLOWEST, IDLE, HEALTH),
)
_BY_NAME: Final = {row.name: row for row in ROWS}


def row_of(record: Record) -> Row:
    """The row that a record is of."""
    return _BY_NAME[record["name"]]


def slowest(values: Iterable[float]) -> float:
    """The 95th percentile."""
    ordered = list(values)
    if len(ordered) < 2:
        return ordered[0]
    return statistics.quantiles(ordered, n=20, method="inclusive")[-1]


def record(
    row: Row,
    pairs: Sequence[Pair],
    *,
    of: Callable[[Iterable[float]], float] = statistics.median,
    rounds: int = 0,
    **more: object,
) -> Record:
    """A record of measured pairs, ours and the other.

    Args:
        of: what is taken of each side's numbers.
        rounds: how often both were measured in turn, if that gave several pairs each time.
        more: further keys.
    """
    ours, other = of(pair[0] for pair in pairs), of(pair[1] for pair in pairs)
    ratio = row.ratio(ours, other)
    return {
        "name": row.name,
        "ours": round(ours, 3),
        "peer": round(other, 3),
        "unit": row.unit,
        "ratio": None if ratio is None else round(ratio, 2),
        "must_reach": row.must_reach,
        "aim": row.aim,
        "holds": row.holds(ours, ratio),
        "pairs": rounds or len(pairs),
        **more,
    }


def read(path: Path, nothing: Any) -> Any:
    """What was measured before, or `nothing`."""
    return json.loads(path.read_text("utf-8")) if path.exists() else nothing


def write(path: Path, values: object) -> None:
    """Write what was measured."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


def kept(old: Iterable[Record], new: Record) -> list[Record]:
    """The old records with a new one: it takes the place of that name, whose other keys stay."""
    by_name = {one["name"]: one for one in old if one["name"] in _BY_NAME}
    by_name[new["name"]] = by_name.get(new["name"], {}) | new
    return [by_name[name] for name in _BY_NAME if name in by_name]


def number(value: float | None) -> str:
    """A number as people read it; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def table(records: Sequence[Record]) -> str:
    """The records for people to read."""
    rows = [("", "ours", "peer", "", "times", "must", "aim", "")]
    rows += [
        (
            one["name"],
            number(one["ours"]),
            number(one["peer"]),
            one["unit"],
            number(one["ratio"]),
            f"{one['must_reach']:g}",
            f"{one['aim']:g}",
            "" if one["holds"] else "falls short",
        )
        for one in records
        if "ours" in one
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )
