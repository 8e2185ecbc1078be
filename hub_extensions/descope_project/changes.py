"""Carrying out what `findings.py` proposes: first shown as a diff, then done through the SDK."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from descope import DescopeClient

from .desired import ProjectError
from .finding import Change
from .project import Refused, call

SECRET = "DESCOPE_CLIENT_SECRET"


def shown(changes: Sequence[Change]) -> str:
    """The changes as a unified diff of what the project has and what it would have."""
    return "\n".join(_diff(change) for change in changes)


def _diff(change: Change) -> str:
    before, after = _lines(change.before), _lines(change.after)
    names = (f"project/{change.what}", f"wanted/{change.what}")
    lines = list(difflib.unified_diff(before, after, *names, lineterm="", n=2))
    return "\n".join(lines or [f"{change.what}: the secret alone"])


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).splitlines()


def make_calls(client: DescopeClient, changes: Sequence[Change], dotenv: Path) -> list[str]:
    """Make the changes that have calls of their own; returns what was done.

    Raises:
        ProjectError: Descope refused one; names what was done before it.
    """
    done: list[str] = []
    for change in changes:
        try:
            for each in change.calls:
                answer = call(attrgetter(each.name)(client.mgmt), *each.arguments, **each.options)
                if change.makes_key:
                    keep_secret(dotenv, answer["cleartext"])
        except Refused as error:
            so_far = f"; done before it: {', '.join(done)}" if done else "; nothing was changed"
            raise ProjectError(f"Descope refused {change.what} ({error}){so_far}") from error
        if change.calls:
            done.append(change.what)
    return done


def import_files(
    client: DescopeClient, files: dict[str, Any], changes: Sequence[Change]
) -> list[str]:
    """Import the whole snapshot with the changes in it: what an import leaves out may be reset.

    Raises:
        ProjectError: Descope would not take it; nothing of it was taken.
    """
    for change in changes:
        files = files | dict(change.files)
    try:
        answer = call(client.mgmt.project.validate_snapshot, files)
        if not answer.get("ok", True):
            reasons = "; ".join(map(str, answer.get("failures") or ["no reason given"]))
            raise ProjectError(f"Descope would not take the settings: {reasons}")
        call(client.mgmt.project.import_snapshot, files)
    except Refused as error:
        raise ProjectError(f"Descope refused the settings ({error})") from error
    return [change.what for change in changes]


def keep_secret(dotenv: Path, secret: str) -> None:
    """Add the access key to `.env`, which only its owner can read; what is in it stays.

    Raises:
        ProjectError: it cannot be written.
    """
    draft = dotenv.with_name(f".{dotenv.name}.{os.getpid()}")
    try:
        before = dotenv.read_text(encoding="utf-8") if dotenv.exists() else ""
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            gap = "" if not before or before.endswith("\n") else "\n"
            file.write(f"{before}{gap}{SECRET}={secret}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(dotenv)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ProjectError(
            f"the new access key could not be written to {dotenv} ({error.strerror}); delete the "
            'key "Atrium hub" in the console and give the command again'
        ) from error
