"""What changes from one version of a notebook to another, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

#: A cell: its type and its text.
Cell = tuple[str, str]

#: Changes that are told.
MOST_CHANGES: Final = 200
#: Cells of which each is compared with each: that takes time by the cube of their number, where the
#: same ones come again and again.
_MOST_CELLS: Final = 300
_LONGEST: Final = 4000  # signs of a cell that are shown


@dataclass(frozen=True, kw_only=True)
class Change:
    """One cell that is not as it was.

    Attributes:
        cell: its number, in the new version unless it was removed, from 1 on.
        before, after: its text, "" where there is none; long ones are cut.
    """

    kind: Literal["added", "removed", "changed"]
    cell: int
    type: str
    before: str = ""
    after: str = ""


def changes(before: Sequence[Cell], after: Sequence[Cell]) -> list[Change]:
    """How the cells of one version become those of another; the first ones, if they are many."""
    head = _equal(before, after)
    tail = _equal(before[head:][::-1], after[head:][::-1])
    before, after = before[head : len(before) - tail], after[head : len(after) - tail]
    if max(len(before), len(after)) > _MOST_CELLS:
        return _one_by_one(before, after, head, head)[:MOST_CHANGES]
    number: dict[Cell, int] = {}  # to compare numbers, not long texts
    both = [[number.setdefault(cell, len(number)) for cell in cells] for cells in (before, after)]
    found: list[Change] = []
    for tag, b0, b1, a0, a1 in SequenceMatcher(None, *both, autojunk=False).get_opcodes():
        if tag != "equal":
            found += _one_by_one(before[b0:b1], after[a0:a1], head + b0, head + a0)
    return found[:MOST_CHANGES]


def _equal(before: Sequence[Cell], after: Sequence[Cell]) -> int:
    """How many cells are the same from the beginning on."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((n for n, (old, new) in pairs if old != new), min(len(before), len(after)))


def _one_by_one(
    before: Sequence[Cell], after: Sequence[Cell], skipped_before: int, skipped_after: int
) -> list[Change]:
    """Cells in the order in which they stand, the rest as added or removed."""
    found: list[Change] = []
    for place in range(max(len(before), len(after))):
        old = before[place] if place < len(before) else None
        new = after[place] if place < len(after) else None
        if old == new:
            continue
        if new is None:
            assert old is not None
            number = skipped_before + place + 1
            found.append(Change(kind="removed", cell=number, type=old[0], before=_cut(old[1])))
        else:
            found.append(
                Change(
                    kind="changed" if old else "added",
                    cell=skipped_after + place + 1,
                    type=new[0],
                    before=_cut(old[1]) if old else "",
                    after=_cut(new[1]),
                )
            )
    return found


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
