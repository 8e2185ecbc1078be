"""The local stand-in for Descope as a service of the hub, and what the terminal says about it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from jupyterhub.utils import subdomain_hook_idna

from .settings import LOCAL_OWNER_TENANT, LOCAL_PROJECT_ID, Settings
from .signing_in import provider
from .state import State

if TYPE_CHECKING:  # the commands, which need no database, start in half the time without it
    from .accounts.unix_accounts import Isolation
    from .brands import Brand

#: The tenant that owns the hub with the stand-in.
OWNER_TENANT: Final = LOCAL_OWNER_TENANT
#: The state folder's secret that opens the stand-in's management API.
MANAGEMENT_KEY: Final = "descope_management_key"
_NAME: Final = "descope"
_PATH: Final = f"/services/{_NAME}"
_FLOW: Final = Path("flows") / "sign-up-or-in.json"
_ACCOUNTS: Final = (
    ("admin@acme.test", "Tenant Admin in acme"),
    ("analyst@acme.test", "Analyst in acme"),
    ("member@acme.test", "member of acme"),
    ("member@globex.test", "member of globex, a customer"),
)


def service_url(settings: Settings, name: str) -> str:
    """Where browsers find a service of the hub: with subdomains each has one of its own."""
    path = f"/services/{name}"
    if not settings.subdomain_host:
        return f"{settings.address}{path}"
    parts = urlsplit(settings.subdomain_host)
    domain = subdomain_hook_idna(name, parts.hostname or "", "service")
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=domain + port, path=settings.path + path))


def base_uri(settings: Settings) -> str:
    """Where browsers find the stand-in."""
    return service_url(settings, _NAME)


def direct_uri(settings: Settings, state: State) -> str:
    """Where the hub itself finds the stand-in."""
    return f"http://127.0.0.1:{state.descope_port}{settings.path}{_PATH}"


def endpoints(settings: Settings, state: State) -> dict[str, str]:
    """The stand-in's endpoints. The hub itself asks it directly: nothing needs the proxy's way."""
    public = provider.documented_endpoints(base_uri(settings), LOCAL_PROJECT_ID)
    direct = provider.documented_endpoints(direct_uri(settings, state), LOCAL_PROJECT_ID)
    asked_by_the_hub = ("token_endpoint", "userinfo_endpoint", "jwks_uri", "revocation_endpoint")
    return public | {name: direct[name] for name in asked_by_the_hub}


def set_up(c: Any, settings: Settings, state: State) -> None:
    """Have people signed in by the stand-in, when no project is configured. It starts with the hub,
    so it cannot be asked for its endpoints before. Called by the configuration."""
    if settings.is_local:
        c.DescopeAuthenticator.base_uri = base_uri(settings)
        c.DescopeAuthenticator.provider_metadata = endpoints(settings, state)
        c.DescopeAuthenticator.management_key = state.secret(MANAGEMENT_KEY)
        c.DescopeAuthenticator.management_uri = direct_uri(settings, state)


def services(
    settings: Settings, state: State, folder: Path, ahead: str, brand: Brand
) -> list[dict[str, Any]]:
    """The hub-managed services: the stand-in when no project is configured, else none.

    `ahead`: the address of a script for its pages. `brand`: how they name themselves.
    """
    if not settings.is_local:
        return []
    hub = f"{settings.address}/hub"
    environment = {
        "LOCAL_DESCOPE_URL": base_uri(settings),
        "LOCAL_DESCOPE_STATE": str(state.folder / "descope"),
        "LOCAL_DESCOPE_FLOW": str(folder / _FLOW),
        "LOCAL_DESCOPE_PROJECT_ID": LOCAL_PROJECT_ID,
        "LOCAL_DESCOPE_SECRET_FILE": str(state.secret_file("descope_client_secret")),
        "LOCAL_DESCOPE_MANAGEMENT_KEY_FILE": str(state.secret_file(MANAGEMENT_KEY)),
        "LOCAL_DESCOPE_PARENT": str(os.getpid()),
        "LOCAL_DESCOPE_AHEAD": ahead,
        "LOCAL_DESCOPE_BRAND": json.dumps(brand.page),
        "LOCAL_DESCOPE_REDIRECTS": f"{hub}/oauth_callback {hub}/signed-out",
        "LOCAL_DESCOPE_LOGOUT_URL": f"http://127.0.0.1:{state.hub_port}{settings.path}/hub/"
        "backchannel-logout",
    }
    return [
        {
            "name": _NAME,
            "url": f"http://127.0.0.1:{state.descope_port}",
            "command": [sys.executable, "-m", "hub_extensions.local_descope"],
            "environment": environment,
            "display": False,
        }
    ]


def welcome(settings: Settings, state: State, isolation: Isolation) -> str:
    """What the terminal says once the hub serves: where, who, state, how to stop."""
    lines = [f"Atrium is ready: {settings.address}"]
    if settings.is_local:
        lines.append("  Local stand-in for Descope; type one of these addresses to sign in:")
        lines += [f"    {address:<20} {what}" for address, what in _ACCOUNTS]
        lines.append(f"  No mail is sent: read it at {base_uri(settings)}/outbox")
        lines.append(f"  Its management key: {state.secret_file(MANAGEMENT_KEY)}")
    else:
        lines.append(f"  Sign-in by Descope project {settings.project_id}")
    lines += [f"  {isolation.line}", f"  State and secrets: {state.folder}", "  Stop: Ctrl-C"]
    return "\n".join(["", *lines, ""])
