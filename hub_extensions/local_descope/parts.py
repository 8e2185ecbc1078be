"""The parts that the running application is made of, for the pages to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import current_app

if TYPE_CHECKING:
    from .config import Config
    from .mail import Outbox
    from .runner import Runner
    from .server import Server
    from .store import Store

EXTENSION = "local_descope"


@dataclass(frozen=True, kw_only=True)
class Parts:
    config: Config
    store: Store
    server: Server
    outbox: Outbox
    runner: Runner


def parts() -> Parts:
    """The parts of the application that answers the request at hand."""
    return cast(Parts, current_app.extensions[EXTENSION])
