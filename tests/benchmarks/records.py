"""What was measured: records in a file, the limits that they must keep, and a table of them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).with_name("results") / "access.json"
#: Revocations of each kind that have to be measured.
SAMPLES: Final = 20
#: Seconds that a revocation may take, whatever the setting.
LONGEST: Final = 30.0
MOST_CALLS: Final = 60
SECONDS, CALLS, SHARE = "s", "calls a minute", "% of one core"

#: Every record that has to be there, and its unit.
NAMES: Final[Mapping[str, str]] = {
    "role removed at the provider": SECONDS,
    "role removed at the provider, setting of 5 seconds": SECONDS,
    "user disabled at the provider": SECONDS,
    "user disabled at the provider, no back-channel logout": SECONDS,
    "refresh token revoked": SECONDS,
    "refresh token revoked, no back-channel logout": SECONDS,
    "group removed in the hub": SECONDS,
    "group removed in the hub, notebook blocks": SECONDS,
    "signed out by an admin": SECONDS,
    "calls to the provider, 20 signed in": CALLS,
    "calls to the provider, 600 signed in": CALLS,
    "hub's processor, 20 signed in, 20 servers": SHARE,
    "hub's processor, 300 signed in, 20 servers": SHARE,
    "hub's processor, 300 signed in, no server": SHARE,
}
FIELDS: Final = ("name", "median", "maximum", "unit", "peer")

Record = dict[str, Any]


def record(name: str, values: Sequence[float], **more: Any) -> Record:
    """A record of measured values. Without more it says nothing of the peer."""
    return {
        "name": name,
        "median": round(statistics.median(values), 2),
        "maximum": round(max(values), 2),
        "unit": NAMES[name],
        "samples": len(values),
        **more,
    }


def kept(path: Path, news: Iterable[Record]) -> list[Record]:
    """The records in a file with new ones in their places; what these do not say stays."""
    old = {one["name"]: one for one in read(path)} if path.exists() else {}
    for one in news:
        old[one["name"]] = {"peer": None} | old.get(one["name"], {}) | one
    records = [
        {field: old[name].get(field) for field in FIELDS}
        | {field: value for field, value in old[name].items() if field not in FIELDS}
        for name in NAMES
        if name in old
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records, indent=2) + "\n")
    return records


def read(path: Path) -> list[Record]:
    """The records in a file."""
    return json.loads(path.read_text())


def problems(records: Iterable[Record], samples: int = SAMPLES) -> list[str]:
    """What keeps these records from holding what is promised, a sentence each."""
    found = {one.get("name"): one for one in records}
    said = [f"{name}: not measured" for name in NAMES if name not in found]
    for name, unit in NAMES.items():
        if name not in found:
            continue
        one = found[name]
        if lacking := [field for field in FIELDS if field not in one]:
            said.append(f"{name}: says no {lacking[0]}")
        elif not isinstance(one["maximum"], int | float) or one["unit"] != unit:
            said.append(f"{name}: has no maximum in {unit}")
        elif unit == SECONDS:
            said += _too_late(one, samples)
        elif unit == CALLS and not one["maximum"] <= MOST_CALLS:
            said.append(f"{name}: {one['maximum']} in a minute, more than {MOST_CALLS}")
    return said


def _too_late(one: Record, samples: int) -> list[str]:
    said = []
    if not one.get("samples", 0) >= samples:
        said.append(f"{one['name']}: {one.get('samples', 0)} samples, fewer than {samples}")
    limit = min(LONGEST, one.get("setting", LONGEST))
    if not one["maximum"] <= limit:
        said.append(f"{one['name']}: {one['maximum']} s, later than {limit:.0f} s")
    return said


def table(records: Sequence[Record]) -> str:
    """The records for people to read."""
    rows = [("", "median", "maximum", "", "JupyterHub with GenericOAuthenticator")]
    rows += [
        (one["name"], f"{one['median']:g}", f"{one['maximum']:g}", one["unit"], _peer(one))
        for one in records
        if isinstance(one.get("maximum"), int | float) and "peer" in one
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  "
        f"{row[3]:<{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    )


def _peer(one: Record) -> str:
    match one["peer"]:
        case None:
            return "not measured"
        case "never":
            return f"never (in {one['peer_waited']:g} s)"
        case seconds:
            note = one.get("peer_note")
            return f"{seconds:g} s" + (f" ({note})" if note else "")
