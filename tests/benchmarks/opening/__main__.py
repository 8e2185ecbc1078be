"""`make benchmark`: how soon a dashboard is open, and what viewers cost, beside the peer.

Measures in parts, each with hubs of its own, both sides in turn, with the same notebook and the
same clients. Writes results/latest.json and results/details.json as soon as something is known, and
fills docs/performance.md. Ends with status 1 where what must be reached is not.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.opening import comparison as compared
from tests.benchmarks.opening import report
from tests.benchmarks.opening.comparison import QUICK, Detail, Size
from tests.benchmarks.opening.parts import PARTS
from tests.hub import ROOT


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, help="how often both are measured in a browser")
    parser.add_argument(
        "--only", default=",".join(PARTS), help="parts, with commas between; the others are kept"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few people, short times; writes to test-results only"
    )
    asked = parser.parse_args(arguments)
    parts = asked.only.split(",")
    if unknown := set(parts) - PARTS.keys():
        parser.error(f"there is no part {min(unknown)}, only {', '.join(PARTS)}")
    size = QUICK if asked.quick else Size()
    if asked.pairs:
        size = replace(size, pairs=asked.pairs, rounds=min(asked.pairs, size.rounds))
    results, page = compared.RESULTS, report.PAGE
    if asked.quick:
        results = ROOT / "test-results" / "benchmark"
        page = results / "performance.md"
        results.mkdir(parents=True, exist_ok=True)
        page.write_text(report.PAGE.read_text("utf-8"), "utf-8")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # clean up then too, as for Ctrl-C
    try:
        measure(parts, size, results)
    except KeyboardInterrupt:
        print("Stopped. What was measured until now is kept.", file=sys.stderr)
        return 130
    records = compared.read(results / "latest.json", [])
    report.write_page(page, records, compared.read(results / "details.json", {}))
    print(f"\n{compared.table(records)}\n\n{results / 'latest.json'}")
    return 0 if all(one.get("holds") for one in records) else 1


def measure(parts: Sequence[str], size: Size, results: Path) -> None:
    """Measure these parts, and keep what is found when it is there."""
    records = compared.read(results / "latest.json", [])
    details = compared.read(results / "details.json", {})
    details["machine"] = report.machine()
    began = time.monotonic()
    for part in parts:
        for found in PARTS[part](size):
            if isinstance(found, Detail):
                details.setdefault(found.part, {})[found.key] = found.values
                said = f"{found.part}, {found.key}: {found.values}"
            else:
                records = compared.kept(records, found)
                values = {key: value for key, value in found.items() if key != "name"}
                said = f"{found['name']}: {values}"
            compared.write(results / "latest.json", records)
            compared.write(results / "details.json", details)
            print(f"{time.monotonic() - began:6.0f} s  {said}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
