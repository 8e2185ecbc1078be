"""A chain of lines under a key: none can be changed, taken out, moved or cut off unnoticed.

Each line carries its number, the seal of the line before it, and last its own seal: HMAC-SHA256
(RFC 2104) over everything in the line before the seal, byte for byte.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

_SEAL: Final = ', "mac": "'


@dataclass(frozen=True, kw_only=True)
class Head:
    """The end of a chain: the number of its last line, and that line's seal."""

    seq: int = 0
    mac: str = ""


def seal(text: str, head: Head, key: bytes, *, opens: bool) -> tuple[str, Head]:
    """The JSON object in `text` as the next line after `head`, and the new head.

    `opens`: whether it is the first one of a file, so that a file cannot lose its first lines.
    """
    number = head.seq + 1
    sealed = f'{text[:-1]}, "seq": {number}, "opens": {int(opens)}, "previous": "{head.mac}"'
    mac = _mac(sealed, key)
    return f'{sealed}{_SEAL}{mac}"}}\n', Head(seq=number, mac=mac)


def head_of(line: str) -> Head | None:
    """Where a chain stands after this line; None for what is no line of one."""
    fields = fields_of(line)
    return Head(seq=fields["seq"], mac=fields["mac"]) if fields else None


def fields_of(line: str) -> dict[str, Any] | None:
    """What a line says; None for what is no line of a chain."""
    try:
        fields = json.loads(line)
        is_line = isinstance(fields["seq"], int) and isinstance(fields["mac"], str)
    except (ValueError, TypeError, KeyError):
        return None
    return fields if is_line else None


def problem_in(
    lines: Iterable[str], key: bytes, *, whole: bool = True, ends: Head | None = None
) -> str:
    """What is wrong with a chain, in a sentence that names the first record; "" if it holds.

    Args:
        lines: its lines, oldest first. Reading stops at the line that `ends` names.
        whole: whether it must begin with record 1; else with the first record of some file.
        ends: the last line that is known to have been written, where that is known.
    """
    last: Head | None = Head() if whole else None
    for line in lines:
        problem, last = _step(line, last, key)
        if problem:
            return problem
        if last == ends:
            return ""
    if ends and ends.seq:
        end = f"ends {_after(last)}" if last and last.seq else "is empty"
        return f"The trail {end}; record {ends.seq} was written last."
    return ""


def _step(line: str, last: Head | None, key: bytes) -> tuple[str, Head | None]:
    """What is wrong with one line after the last one, and where the chain stands then."""
    fields = fields_of(line)
    if fields is None:
        return f"The line {_after(last)} is no record.", last
    number = fields["seq"]
    if not _is_sealed(line, key):
        return f"Record {number}, {_after(last)}, was changed.", last
    head = Head(seq=number, mac=fields["mac"])
    if last is None:
        return ("" if fields["opens"] else f"Records before {number} were removed."), head
    if number <= last.seq:
        return f"Record {number} stands {_after(last)}, where it does not belong.", head
    if number > last.seq + 1:
        return f"Record {last.seq + 1} was removed: {number} comes {_after(last)}.", head
    if fields["previous"] != last.mac:
        return f"Record {last.seq} was replaced: {number} was written after another one.", head
    return "", head


def _after(last: Head | None) -> str:
    return f"after record {last.seq}" if last and last.seq else "at the beginning"


def _is_sealed(line: str, key: bytes) -> bool:
    sealed, _, end = line.rpartition(_SEAL)
    return hmac.compare_digest(f'{_mac(sealed, key)}"}}'.encode(), end.encode())


def _mac(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
