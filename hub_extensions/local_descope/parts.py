"""The parts that the running application is made of, for the pages to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app

if TYPE_CHECKING:
    from .config import Config
    from .flows.mail import Outbox
    from .flows.runner import Runner
    from .oidc.keys import Keys
    from .oidc.server import Server
    from .oidc.sessions import Sessions
    from .store import Store

EXTENSION = "local_descope"


@dataclass(frozen=True, kw_only=True)
class Parts:
    config: Config
    store: Store
    keys: Keys
    sessions: Sessions
    server: Server
    outbox: Outbox
    runner: Runner


def parts() -> Parts:
    """The parts of the application that answers the request at hand."""
    return cast(Parts, current_app.extensions[EXTENSION])
