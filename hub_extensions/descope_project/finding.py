"""What a finding is, and the change that would mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of the SDK's management half, such as `role.create`; what it is told may be secret."""

    name: str
    arguments: tuple[Any, ...] = field(repr=False, default=())
    options: Mapping[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Change:
    """What would change: before and after, with no secret in either, and how.

    `files` are files of the snapshot as they would be.
    """

    what: str
    before: Any
    after: Any
    calls: tuple[Call, ...] = ()
    files: Mapping[str, Any] = field(default_factory=dict)
    makes_key: bool = False


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as the hub needs it (a note, if it only may become one)."""

    what: str
    fix: str
    change: Change | None = None
    is_note: bool = False
