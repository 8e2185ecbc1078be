"""What the hub starts and watches: everybody's scripts, the culler, the stand-in, the template."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from . import brands, local_service, template_process
from .brands import Brand
from .settings import Settings
from .state import State

_FILES: Final = "files"
_CULLER: Final = "idle-culler"

#: Seconds between two looks for servers that nobody uses.
_CULL_EVERY: Final = 60
#: Seconds between two reports of use, as of JupyterHub's own servers.
_REPORT_EVERY: Final = 300.0


def files_url(settings: Settings) -> str:
    """Where browsers find the scripts and styles of dashboards, the same for everybody."""
    if settings.subdomain_host:
        return local_service.service_url(settings, _FILES) + "/"
    return f"{settings.path}/services/{_FILES}/"


def ahead_url(settings: Settings) -> str:
    """A script for the pages before a dashboard's: browsers then have what that will ask for."""
    return f"{files_url(settings)}ahead.js"


def activity_seconds(settings: Settings) -> float:
    """How often servers report their use: several times before the culler takes one for unused."""
    return min(_REPORT_EVERY, 60 * settings.idle_minutes / 5) or _REPORT_EVERY


def server_environment(settings: Settings) -> dict[str, str]:
    """What people's servers are told of the settings."""
    origins = " ".join(sorted(settings.embed_origins))
    told = {"ATRIUM_EMBED_ORIGINS": origins} if origins else {}
    return told | ({"ATRIUM_DATA": str(settings.data)} if settings.data else {})


def start_template(settings: Settings, state: State) -> None:
    """Start what servers are forked from, so that they need no second to start. Called by the
    configuration."""
    if settings.template:
        template_process.start(state.folder / "template", settings.notebooks)


def services(settings: Settings, state: State, folder: Path, brand: Brand) -> list[dict[str, Any]]:
    """What JupyterHub is told of them. `brand`: the installation's."""
    files = {
        "name": _FILES,
        "url": f"http://127.0.0.1:{state.files_port}",
        "command": _module("dashboards.file_server"),
        "environment": {"ATRIUM_BRAND_FILES": str(brands.folder(state))},
        "display": False,
    }
    culler = {
        "name": _CULLER,
        "command": [
            *_module("jupyterhub_idle_culler"),
            f"--timeout={round(settings.idle_minutes * 60)}",
            f"--cull-every={_CULL_EVERY}",
        ],
        "display": False,
    }
    cullers = [culler] if settings.idle_minutes else []
    stand_in = local_service.services(settings, state, folder, ahead_url(settings), brand)
    return [files, *cullers, *stand_in]


def roles(settings: Settings) -> list[dict[str, Any]]:
    """What the services may do at the hub."""
    culler = {
        "name": _CULLER,
        "description": "Stop servers that nobody uses",
        "services": [_CULLER],
        "scopes": [
            "list:users",  # whose servers there are,
            "read:users:activity",  # when each person
            "read:servers",  # and each server was last in use;
            "delete:servers",  # stop one.
        ],
    }
    return [culler] if settings.idle_minutes else []


def _module(name: str) -> list[str]:
    """The command of a service: a module, which ends when the hub does."""
    watched = [sys.executable, "-m", "hub_extensions.end_with_parent", str(os.getpid())]
    return [*watched, sys.executable, "-I", "-m", name]
