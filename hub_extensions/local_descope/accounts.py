"""Change the stand-in's accounts from a terminal, also while it runs.

    python -m hub_extensions.local_descope.accounts set-roles EMAIL TENANT ROLE...

The store is found by LOCAL_DESCOPE_STATE or --state.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .store import Store, StoreError


def main(arguments: list[str] | None = None) -> None:
    """Do one change. An unknown account or tenant ends with a sentence and status 1."""
    parser = argparse.ArgumentParser(prog="accounts", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--state", default=os.environ.get("LOCAL_DESCOPE_STATE"))
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("set-roles", "add-to-tenant", "remove-from-tenant", "disable", "enable"):
        command = commands.add_parser(name)
        command.add_argument("email", type=str.lower)
        if "able" not in name:
            command.add_argument("tenant")
        if name in {"set-roles", "add-to-tenant"}:
            command.add_argument("roles", nargs="*")
    given = parser.parse_args(arguments)
    if not given.state or not Path(given.state).is_dir():
        sys.exit("LOCAL_DESCOPE_STATE does not name the stand-in's folder.")
    store = Store(Path(given.state))
    try:
        _change(store, given)
    except StoreError as error:
        sys.exit(str(error))
    finally:
        store.close()


def _change(store: Store, given: argparse.Namespace) -> None:
    match given.command:
        case "set-roles":
            store.set_roles(given.email, given.tenant, given.roles)
        case "add-to-tenant":
            store.add_to_tenant(given.email, given.tenant, given.roles)
        case "remove-from-tenant":
            store.remove_from_tenant(given.email, given.tenant)
        case "disable":
            store.disable_user(given.email)
        case "enable":
            store.enable_user(given.email)


if __name__ == "__main__":
    main()
