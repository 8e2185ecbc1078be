"""Sample viewers: as whom somebody can look at a notebook before it is published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.identity import CurrentUser, user_from
from dashboards.settings import ADMIN

FILE = "viewers.json"
"""In the work folder: more sample viewers, a list of objects with `title`, `name`, `email`,
`tenant`, `groups` and `roles`, all but the title optional."""

_MOST = 50
_LARGEST = 1 << 20


class ViewersError(Exception):
    """The file of viewers cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Somebody who does not exist. `key` names them in addresses, `title` for people."""

    key: str
    title: str
    user: CurrentUser


def sample_viewers(tenants: Sequence[str]) -> tuple[Viewer, ...]:
    """One for each kind of person there is here.

    Args:
        tenants: those that are served, the one that owns the hub first.
    """
    owner, *customers = tenants
    members = [
        _viewer(
            f"customer-{number}",
            f"A member of {tenant}",
            tenant=tenant,
            groups=(tenant, "customers"),
        )
        for number, tenant in enumerate(customers, start=1)
    ]
    return (
        _viewer("member", f"A member of {owner}", tenant=owner, groups=("user",)),
        *members,
        _viewer("admin", "An admin", tenant=owner, groups=(ADMIN, "user"), roles=("Tenant Admin",)),
    )


def viewers_of(folder: Path) -> tuple[Viewer, ...]:
    """Those that an author has described, none without the file. Raises ViewersError."""
    file = folder / FILE
    try:
        if not file.exists():
            return ()
        if file.stat().st_size > _LARGEST:
            raise ViewersError(f"{FILE} is too large.")
        told = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        raise ViewersError(f"{FILE} cannot be read: it has to be JSON.") from None
    if not isinstance(told, list) or len(told) > _MOST:
        raise ViewersError(f"{FILE} has to be a list of at most {_MOST} viewers.")
    return tuple(_described(number, one) for number, one in enumerate(told, start=1))


def _described(number: int, told: object) -> Viewer:
    title = told.get("title") if isinstance(told, Mapping) else None
    if not isinstance(told, Mapping) or not isinstance(title, str) or not title.strip():
        raise ViewersError(f"{FILE}: viewer {number} has no “title”.")
    texts: dict[str, Any] = {}
    for name in ("name", "email", "tenant"):
        if name in told and not isinstance(told[name], str):
            raise ViewersError(f"{FILE}: “{name}” of viewer {number} has to be a text.")
        texts[name] = told.get(name, "")
    for name in ("groups", "roles"):
        listed = told.get(name, [])
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise ViewersError(f"{FILE}: “{name}” of viewer {number} has to be a list of texts.")
        texts[name] = tuple(listed)
    return _viewer(f"own-{number}", title.strip()[:100], **texts)


def _viewer(
    key: str,
    title: str,
    *,
    tenant: str,
    groups: Sequence[str],
    roles: Sequence[str] = (),
    name: str = "",
    email: str = "",
) -> Viewer:
    email = email or f"{key}@{tenant or 'nowhere'}.example"
    claims = {
        "sub": f"sample-{key}",
        "name": name or title,
        "email": email,
        "tenants": {tenant: {"roles": list(roles), "permissions": []}} if tenant else {},
    }
    return Viewer(key=key, title=title, user=user_from(email, groups, tenant or None, claims))
