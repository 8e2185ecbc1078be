"""What is compared, what must be reached, and the records of it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parents[1] / "results" / "latest.json"
SECONDS, MEGABYTES = "s", "MB"

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """Something measured at both.

    Attributes:
        must_reach, aim: how many times less ours has to be than the peer's; for `against_static`
            how many times as much ours may be at most.
    """

    name: str
    unit: str
    must_reach: float
    aim: float
    against_static: bool = False

    def holds(self, ratio: float) -> bool:
        """Whether a ratio reaches what it must."""
        return ratio <= self.must_reach if self.against_static else ratio >= self.must_reach


ADDRESS: Final = Row(
    name="sign-in click → dashboard's address answers", unit=SECONDS, must_reach=10, aim=20
)
PLOT: Final = Row(name="sign-in click → first plot drawn", unit=SECONDS, must_reach=7, aim=12)
ANSWER: Final = Row(
    name="sign-in click → first answer to a moved slider", unit=SECONDS, must_reach=7, aim=12
)
SECOND: Final = Row(
    name="a second dashboard of the same person", unit=SECONDS, must_reach=1.2, aim=2
)
MOVED: Final = Row(name="slider moved → plot changed", unit=SECONDS, must_reach=1, aim=1.5)
MEMORY: Final = Row(
    name="memory of one more viewer (proportional set size)",
    unit=MEGABYTES,
    must_reach=5,
    aim=10,
)
STATIC: Final = Row(
    name="dashboard's address → first plot, against one static file",
    unit=SECONDS,
    must_reach=1.3,
    aim=1.1,
    against_static=True,
)
ROWS: Final = (ADDRESS, PLOT, ANSWER, SECOND, MOVED, MEMORY, STATIC)


def record(row: Row, pairs: Sequence[tuple[float, float]]) -> Record:
    """A record of measured pairs, ours and the other: medians, and the ratio of these."""
    ours = statistics.median(pair[0] for pair in pairs)
    other = statistics.median(pair[1] for pair in pairs)
    ratio = ours / other if row.against_static else other / ours
    return {
        "name": row.name,
        "ours": round(ours, 3),
        "peer": round(other, 3),
        "unit": row.unit,
        "ratio": round(ratio, 2),
        "must_reach": row.must_reach,
        "aim": row.aim,
        "holds": row.holds(ratio),
        "pairs": len(pairs),
    }


def write(path: Path, records: Iterable[Record]) -> None:
    """Write all records into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(records), indent=2, ensure_ascii=False) + "\n")


def table(records: Sequence[Record]) -> str:
    """The records for people to read."""
    rows = [("", "ours", "peer", "", "times", "must", "aim", "")]
    rows += [
        (
            one["name"],
            f"{one['ours']:.2f}",
            f"{one['peer']:.2f}",
            one["unit"],
            f"{one['ratio']:.2f}",
            f"{one['must_reach']:g}",
            f"{one['aim']:g}",
            "" if one["holds"] else "falls short",
        )
        for one in records
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )
