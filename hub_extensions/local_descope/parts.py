"""What the running application works with: its settings and its store."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

from flask import current_app

from .config import Config
from .store import Store, Transaction

EXTENSION = "local_descope"


@dataclass(frozen=True, kw_only=True)
class Parts:
    config: Config
    store: Store


def parts() -> Parts:
    """The parts of the application that answers the request at hand."""
    return cast(Parts, current_app.extensions[EXTENSION])


def transaction() -> AbstractContextManager[Transaction]:
    """A transaction of its store: committed at the end of the block, rolled back if it raises."""
    return parts().store.begin()
