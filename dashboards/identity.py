"""Who looks at a dashboard: `current_user()` for notebook authors.

No token and no cookie is involved: each open dashboard has a process, which is told who opened it.
Panel is not imported here, so that `from dashboards import current_user` costs nothing.
"""

from __future__ import annotations

import copy
import getpass
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn


@dataclass(frozen=True, kw_only=True)
class CurrentUser:
    """The person for whom a notebook runs.

    `roles` and `permissions` are those in their `tenant`; `claims` is what the identity provider
    says of them (an allow-list, never a token). Without a provider's claims only `name` and
    `groups` are filled.
    """

    name: str
    email: str = ""
    display_name: str = ""
    groups: tuple[str, ...] = ()
    tenant: str | None = None
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def user_info(self) -> dict[str, Any]:
        """What Panel calls `pn.state.user_info`: the claims, and the groups of the hub."""
        info: dict[str, Any] = copy.deepcopy(dict(self.claims))
        info.setdefault("name", self.display_name or self.name)
        info.setdefault("email", self.email)
        info["groups"] = list(self.groups)
        return info


class NeedsViewer(RuntimeError):
    """A notebook asks who looks at it where nobody does."""


_viewer: CurrentUser | None = None
_why_nobody = ""
_was_asked = False


def user_from(
    name: str, groups: Iterable[str], tenant: str | None, claims: Mapping[str, Any]
) -> CurrentUser:
    """A typed record of what the hub and the provider say.

    Claims of a wrong shape count for nothing.
    """
    tenants = claims.get("tenants")
    own = tenants.get(tenant) if isinstance(tenants, Mapping) and tenant else None
    own = own if isinstance(own, Mapping) else {}
    email = _text(claims.get("email")) or (name if "@" in name else "")
    return CurrentUser(
        name=name,
        email=email,
        display_name=_text(claims.get("name")) or email or name,
        groups=tuple(sorted(groups)),
        tenant=tenant,
        roles=_texts(own.get("roles")),
        permissions=_texts(own.get("permissions")),
        claims=MappingProxyType(copy.deepcopy(dict(claims))),
    )


def current_user() -> CurrentUser:
    """Who looks at this dashboard.

    In a dashboard it works at the top of a notebook, in its callbacks and in periodic ones.
    Outside of one, as in JupyterLab, it names the person who runs the notebook.

    Raises NeedsViewer in a cell tagged `shared`, which runs for everybody at once, and where a
    notebook is only tried.
    """
    if _why_nobody:
        refuse()
    if _viewer is not None:
        return _viewer
    return CurrentUser(name=os.environ.get("JUPYTERHUB_USER") or getpass.getuser())


def remember(user: CurrentUser) -> None:
    """Note who has opened this process's dashboard; called before the notebook runs."""
    global _viewer
    _viewer = user


def belong_to_nobody(why: str) -> None:
    """From now on this process runs for everybody: nobody is its current user. `why`: a sentence
    for who asks."""
    global _why_nobody, _was_asked
    _why_nobody, _was_asked = why, False


def refuse() -> NoReturn:
    """Say that there is nobody who could be told of, and remember that it was asked."""
    global _was_asked
    _was_asked = True
    raise NeedsViewer(_why_nobody)


def was_asked() -> bool:
    """Whether it was asked who looks at this, since it is for nobody; also if that was caught."""
    return _was_asked


def install(state_type: type) -> None:
    """Make `pn.state.user` and `pn.state.user_info` answer from here, and its tokens None.

    Panel's own way reads them from cookies that travel in the page and in WebSocket headers.
    """
    state_type.user = property(lambda _: current_user().name)  # pyright: ignore[reportAttributeAccessIssue]
    state_type.user_info = property(lambda _: current_user().user_info)  # pyright: ignore[reportAttributeAccessIssue]
    state_type.access_token = property(lambda _: None)  # pyright: ignore[reportAttributeAccessIssue]
    state_type.refresh_token = property(lambda _: None)  # pyright: ignore[reportAttributeAccessIssue]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in value if isinstance(item, str))
