"""What a reviewer reads of the trail: records with names, searched, as JSON lines or as CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from .people import PSEUDONYM
from .trail import Trail

COLUMNS: Final = ("seq", "time", "action", "user", "by", "details")
#: What may begin a formula, and what stands before it.
_SIGN: Final = re.compile(r"(?<![;\s\ufeff])([;\s\ufeff]*)(?=[=+\-@＝＋－＠])")  # noqa: RUF001
#: After them another cell may begin, for a spreadsheet that parts cells in another way.
_BEGINS: Final = frozenset(";\t\r\n")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One record, with the names of those who are not forgotten."""

    seq: int
    time: str
    action: str
    user: str
    by: str
    details: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which records are asked for; "" and None ask for all.

    Attributes:
        search: a text that stands anywhere in a record, capital or small.
        user: whom it is about or who did it, by name or pseudonym.
        action: what happened.
        since, until: the moments between which it happened (ISO 8601, UTC without zone).
        before: the number of the record before which to begin.
    """

    search: str = ""
    user: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None

    def fits(self, entry: Entry) -> bool:
        """Whether a record is asked for."""
        return (
            (self.before is None or entry.seq < self.before)
            and (not self.action or entry.action == self.action)
            and (not self.user or self.user.casefold() in {entry.user, entry.by})
            and (self.since is None or _moment(entry) >= self.since)
            and (self.until is None or _moment(entry) < self.until)
            and (not self.search or self.search.casefold() in _text(entry))
        )


def entries(trail: Trail, query: Query) -> Iterator[Entry]:
    """The records that a query asks for, newest first."""
    names = trail.people.names()
    for record in trail.newest_first():
        entry = _entry(record, names)
        if query.fits(entry):
            yield entry


def as_json_lines(found: Iterable[Entry]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(asdict(entry)) + "\n" for entry in found)


def as_csv(found: Iterable[Entry]) -> str:
    """A table for a spreadsheet, in which no cell is a formula (OWASP, "CSV Injection")."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    for entry in found:
        details = "; ".join(f"{name}: {value}" for name, value in entry.details.items())
        cells = (entry.time, entry.action, entry.user, entry.by, details)
        writer.writerow([entry.seq, *map(_harmless, cells)])
    return text.getvalue()


def _harmless(cell: str) -> str:
    text = _SIGN.sub(_as_text, cell)
    return f"'{text}" if text.startswith(("\t", "\r", "\n")) else text


def _as_text(found: re.Match[str]) -> str:
    begins = found.start() == 0 or not _BEGINS.isdisjoint(found[1])
    return f"{found[1]}'" if begins else found[1]


def _entry(record: Mapping[str, Any], names: Mapping[str, str]) -> Entry:
    def named(text: str) -> str:
        return PSEUDONYM.sub(lambda found: names.get(found[0], found[0]), text)

    return Entry(
        seq=record["seq"],
        time=record["__timestamp__"],
        action=record["action"],
        user=named(record["user"]),
        by=named(record["by"]),
        details={name: named(value) for name, value in record["details"].items()},
    )


def _moment(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.time).replace(tzinfo=None)


def _text(entry: Entry) -> str:
    return " ".join([entry.action, entry.user, entry.by, *entry.details.values()]).casefold()
