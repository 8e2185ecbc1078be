"""A plugin of pytest that lists every attempt, and every guard that a test takes out.

For `pytest --collect-only`: test_inventory.py runs it in a process of its own.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

#: Where the list goes.
PLACE = "ATRIUM_ATTACKS"
#: The ways in which a hub runs, as they stand in the names of tests. One attempt may be made in
#: several of them and is one attempt all the same.
MODES = ("one origin", "subdomains", "accounts", "one account", "template", "no template")
_MODE = re.compile(f"(?<=[\\[-])(?:{'|'.join(MODES)})-|-?(?:{'|'.join(MODES)})(?=\\])")
#: Where a mode has a test of its own, as what happens is not the same in each.
_FIXED = re.compile("(?:with_accounts|under_one_account|on_a_subdomain|on_one_origin)_")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Called by pytest when it knows all tests."""
    attempts, out = [], []
    for item in session.items:
        name = f"{item.path.name}::{item.name}"
        for marker in item.iter_markers("attack"):
            kind, guard = marker.args
            attempt = _FIXED.sub("", _MODE.sub("", name))
            attempts.append({"kind": kind, "guard": guard, "attempt": attempt})
        for marker in item.iter_markers("guard_out"):
            out += [{"guard": guard, "test": name} for guard in marker.args]
    Path(os.environ[PLACE]).write_text(json.dumps({"attempts": attempts, "out": out}))
