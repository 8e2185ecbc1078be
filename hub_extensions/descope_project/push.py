"""Carrying out what `check.py` proposes: first shown as a diff, then done through the SDK."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
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


def make_calls(
    client: DescopeClient, changes: Sequence[Change], dotenv: Path
) -> tuple[list[str], str]:
    """Make the changes that have calls of their own; returns what was done, and the new key if one
    was made.

    Raises:
        ProjectError: Descope refused one; names what was done before it.
    """
    done: list[str] = []
    key = ""
    for change in changes:
        try:
            with _new_secret(dotenv) if change.makes_key else nullcontext() as keep:
                for each in change.calls:
                    function = attrgetter(each.name)(client.mgmt)
                    answer = call(function, *each.arguments, **each.options)
                    if keep:
                        key = answer["cleartext"]
                        keep(key)
        except Refused as error:
            so_far = f"; done before it: {', '.join(done)}" if done else "; nothing was changed"
            raise ProjectError(f"Descope refused {change.what} ({error}){so_far}") from error
        if change.calls:
            done.append(change.what)
    return done, key


def validate(client: DescopeClient, files: dict[str, Any], changes: Sequence[Change]) -> None:
    """Let Descope check the snapshot with the changes in it, without importing it.

    Raises:
        ProjectError: it would not take it, or would lose a secret that only it has.
    """
    if not any(change.files for change in changes):
        return
    try:
        answer = call(client.mgmt.project.validate_snapshot, _with(files, changes))
    except Refused as error:
        raise ProjectError(f"Descope refused the settings ({error})") from error
    missing = {k: v for k, v in (answer.get("missingSecrets") or {}).items() if v}
    if missing:
        names = ", ".join(
            f"{kind} {each.get('name') or each.get('id')}"
            for kind in missing
            for each in missing[kind]
        )
        raise ProjectError(
            f"an import would lose secrets of {names}; make these changes in the console"
        )
    if not answer.get("ok", True):
        reasons = "; ".join(map(str, answer.get("failures") or ["no reason given"]))
        raise ProjectError(f"Descope would not take the settings: {reasons}")


def import_files(
    client: DescopeClient, files: dict[str, Any], changes: Sequence[Change]
) -> list[str]:
    """Import the whole snapshot with the changes in it: what an import leaves out may be reset.

    Raises:
        ProjectError: Descope would not take it; nothing of it was taken.
    """
    validate(client, files, changes)
    try:
        call(client.mgmt.project.import_snapshot, _with(files, changes))
    except Refused as error:
        raise ProjectError(f"Descope refused the settings ({error})") from error
    return [change.what for change in changes]


def _with(files: dict[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    for change in changes:
        files = files | dict(change.files)
    return files


@contextmanager
def _new_secret(dotenv: Path) -> Iterator[Callable[[str], None]]:
    """A way to add the access key to `.env`, opened before the key is made, so that none is made
    which cannot be kept. What is in the file stays; only its owner can read it.

    Raises:
        ProjectError: it cannot be written.
    """
    path = dotenv.resolve()
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:

            def keep(secret: str) -> None:
                gap = "" if not before or before.endswith("\n") else "\n"
                file.write(f"{before}{gap}{SECRET}={secret}\n")
                file.flush()
                os.fsync(file.fileno())
                draft.replace(path)

            yield keep
    except OSError as error:
        raise ProjectError(
            f"the new access key cannot be written to {path} ({error.strerror}); if the console "
            'has a key "Atrium hub" now, delete it'
        ) from error
    finally:
        draft.unlink(missing_ok=True)
