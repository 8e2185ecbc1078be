"""What looks like a secret in a notebook: the shapes of well-known tokens, and of an assignment.

No expression can be made to take long: each has a bound on all that it repeats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_SHAPES: Final = {
    "a private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----",
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10}|hooks\.slack\.com/services/\w",
    "a Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
    "a key of a paid service": r"\b(?:sk|rk)[-_](?:live_|ant-|proj-)?[A-Za-z0-9]{20}",
    "a signed token (JWT)": r"\beyJ[A-Za-z0-9_-]{10,999}\.eyJ[A-Za-z0-9_-]{10}",
    "an address with a password": r"\b[a-z][a-z0-9+.-]{1,30}://[^\s/:@'\"{}]{1,99}:[^\s/@'\"{}]{1,99}@",
    "a password": r"(?i)(?:passw(?:or)?d|pwd|passphrase|secret|token|api_?key|access_?key)"
    r"\w{0,30}[\"']?\]?\s{0,9}[=:]\s{0,9}[rbu]?([\"'])(?!\1)(?P<value>[^\"'\s{}<>]{6,200})\1",
}
_COMPILED: Final = {what: re.compile(shape) for what, shape in _SHAPES.items()}
#: What people write where a secret would stand.
_STANDS_FOR_ONE: Final = re.compile(
    r"(?i)^(?:x+|\*+|\.+|_+|(?:your|my|the|some)[-_ ].*|change_?me|example.*|placeholder|password"
    r"|secret|token|redacted|[A-Z][A-Z0-9]*_[A-Z0-9_]*)$"
)
_MOST: Final = 20


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that looks like a secret; never the value itself. `file`: the data file that it is
    in; else it is in a cell."""

    cell: int
    line: int
    what: str
    file: str = ""


def findings(cells: Iterable[str]) -> list[Finding]:
    """What looks like a secret in the cells of a notebook, the first ones."""
    found = []
    for number, source in enumerate(cells, 1):
        for line, text in enumerate(source.splitlines(), 1):
            for what in _in_line(text):
                found.append(Finding(cell=number, line=line, what=what))
                if len(found) == _MOST:
                    return found
    return found


def _in_line(text: str) -> Iterator[str]:
    for what, shape in _COMPILED.items():
        for match in shape.finditer(text):
            value = match.groupdict().get("value")
            if value is None or not _STANDS_FOR_ONE.match(value):
                yield what
                return  # one reason for a line is enough
