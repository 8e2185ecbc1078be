"""Where a person's dashboards are."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from dashboards.catalog import Dashboard
from dashboards.settings import ADMIN, Settings


def place_of(group: str, name: str) -> str:
    """How a notebook is named in addresses, percent-encoded."""
    return f"{quote(group, safe='')}/{quote(name, safe='')}"


def address(dashboard: Dashboard, settings: Settings, query: str = "") -> str:
    """Where a person's dashboard is, seen from the server they are on; percent-encoded.

    The admin folder runs in a server of its own: the hub starts it if need be and leads there.
    """
    place = f"dashboards/{place_of(dashboard.group, dashboard.name)}"
    place += f"?{query}" if query else ""
    if dashboard.group != ADMIN or settings.serves_admin:
        return settings.prefix + place
    return admin_server_url(settings, f"{settings.own_prefix}{ADMIN}/{place}")


def ask_url(settings: Settings, group: str, name: str) -> str:
    """Where at the hub somebody asks for a dashboard, whether or not there is such a one."""
    return f"{settings.hub_prefix}ask?{urlencode({'dashboard': f'{group}/{name}'})}"


def admin_server_url(settings: Settings, target: str) -> str:
    """Where the hub starts the admin's own server, if need be, and sends the browser to target."""
    return f"{_spawn_url(settings)}/{ADMIN}?{urlencode({'next': target})}"


def lab_url(settings: Settings, target: str = "") -> str:
    """Where the hub starts the person's lab, if need be, and sends the browser to target."""
    return f"{_spawn_url(settings)}/lab" + (f"?{urlencode({'next': target})}" if target else "")


def _spawn_url(settings: Settings) -> str:
    user = settings.own_prefix.rstrip("/").rpartition("/")[2]
    return f"{settings.hub_prefix}spawn/{user}"
