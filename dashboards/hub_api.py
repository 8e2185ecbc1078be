"""Asking the hub, for the notebooks of the admin folder: to read, never to change."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

TIMEOUT = 5
"""Seconds to wait for the hub."""

WRONG_FORM = "The hub gave an answer of the wrong form."

_PAGE = 200


class HubDataError(Exception):
    """The hub did not answer, or not with what was asked for."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """The hub's address and what it lets in with, and the folder of notebooks."""

    api_url: str
    api_token: str = field(repr=False)
    notebooks: str


_access: Access | None = None


def configure(access: Access) -> None:
    """Called in the processes of the admin folder's dashboards; only they may ask the hub."""
    global _access
    _access = access


def allowed() -> Access:
    """Raises PermissionError outside the admin folder."""
    if _access is None:
        raise PermissionError("Only notebooks in the folder “admin” may read what the hub knows.")
    return _access


def get(path: str, timeout: float = TIMEOUT) -> Any:
    """What the hub answers, of JSON. Raises PermissionError, HubDataError."""
    try:
        return json.loads(read(path, timeout))
    except ValueError:
        raise HubDataError(WRONG_FORM) from None


def get_all(what: str) -> list[dict[str, Any]]:
    """All records of a kind, page by page. Raises as `get` does."""
    found: list[dict[str, Any]] = []
    while True:
        page = get(f"{what}?limit={_PAGE}&offset={len(found)}")
        if not isinstance(page, list):
            raise HubDataError(WRONG_FORM)
        found.extend(page)
        if len(page) < _PAGE:
            return found


def read(path: str, timeout: float = TIMEOUT) -> bytes:
    """What the hub answers. Raises PermissionError outside the admin folder, HubDataError."""
    access = allowed()
    request = urllib.request.Request(
        f"{access.api_url}/{path}",
        headers={"Authorization": f"token {access.api_token}", "Accept": "application/json"},
    )
    try:
        # An opener without proxies: the hub is on this machine or beside it.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=timeout) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise HubDataError(f"The hub refused with status {error.code}.") from None
    except OSError as error:
        raise HubDataError(f"The hub did not answer: {type(error).__name__}.") from None


def moment(text: object) -> datetime | None:
    """A moment as the hub writes it; None for none."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None
