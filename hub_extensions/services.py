"""The services that the hub starts and watches: one with everybody's scripts, and the stand-in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from . import local_service
from .settings import Settings
from .state import State

_FILES: Final = "files"


def files_url(settings: Settings) -> str:
    """Where browsers find the scripts and styles of dashboards, the same for everybody."""
    if settings.subdomain_host:
        return local_service.service_url(settings, _FILES) + "/"
    return f"{settings.path}/services/{_FILES}/"


def ahead_url(settings: Settings) -> str:
    """A script for the pages before a dashboard's: browsers then have what that will ask for."""
    return f"{files_url(settings)}ahead.js"


def services(settings: Settings, state: State, folder: Path) -> list[dict[str, Any]]:
    """What JupyterHub is told of them."""
    files = {
        "name": _FILES,
        "url": f"http://127.0.0.1:{state.files_port}",
        "command": [
            *(sys.executable, "-m", "hub_extensions.end_with_parent", str(os.getpid())),
            *(sys.executable, "-I", "-m", "dashboards.file_server"),
        ],
        "display": False,
    }
    return [files, *local_service.services(settings, state, folder, ahead_url(settings))]
