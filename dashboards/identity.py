"""Who looks at a dashboard: `current_user()` for notebook authors.

No token and no cookie is involved: the server remembers, for each session of a dashboard, who
opened it. Panel is not imported here, so that `from dashboards import current_user` costs nothing.
"""

from __future__ import annotations

import copy
import getpass
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


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


_of_session: dict[str, CurrentUser] = {}
_owner: CurrentUser | None = None
_is_nobodys = False


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

    Raises RuntimeError in a cell tagged `shared`, which runs for everybody at once.
    """
    if _is_nobodys:
        raise RuntimeError("A shared cell runs for all viewers at once: it has no current user.")
    session = _session_id()
    if session in _of_session:
        return _of_session[session]
    # A server lets in nobody but its owner, so a thread without a session is theirs too.
    if _owner is not None:
        return _owner
    return CurrentUser(name=os.environ.get("JUPYTERHUB_USER") or getpass.getuser())


def remember(session_id: str, user: CurrentUser) -> None:
    """Note who opened a session; called by the server before the notebook runs."""
    global _owner
    _of_session[session_id] = _owner = user


def forget(session_id: str) -> None:
    """A session has ended."""
    _of_session.pop(session_id, None)


def belong_to_nobody() -> None:
    """From now on this process runs for everybody: nobody is its current user."""
    global _is_nobodys
    _is_nobodys = True


def install(state_type: type) -> None:
    """Make `pn.state.user` and `pn.state.user_info` answer from here, and its tokens None.

    Panel's own way reads them from cookies that travel in the page and in WebSocket headers.
    """
    state_type.user = property(lambda _: current_user().name)  # pyright: ignore[reportAttributeAccessIssue]
    state_type.user_info = property(lambda _: current_user().user_info)  # pyright: ignore[reportAttributeAccessIssue]
    state_type.access_token = property(lambda _: None)  # pyright: ignore[reportAttributeAccessIssue]
    state_type.refresh_token = property(lambda _: None)  # pyright: ignore[reportAttributeAccessIssue]


def _session_id() -> str:
    panel_state = sys.modules.get("panel.io.state")
    document = panel_state.state.curdoc if panel_state else None
    context = document.session_context if document else None
    return context.id if context else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in value if isinstance(item, str))
