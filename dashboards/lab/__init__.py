"""JupyterLab for those who write dashboards, and in it their notebooks as viewers will see them.

`python -I -m dashboards.lab` is a lab as the hub starts it. `extension` is what Jupyter's server
gets of ours; `preview` is the process behind "Preview as dashboard", which jupyter-server-proxy
starts and lets nobody reach but through the lab, whose sign-in is JupyterHub's.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

PLACE = "preview"
"""The address of the preview, under the lab's own."""

_HERE = Path(__file__).parent


def work_folder() -> Path:
    """Where the notebooks of this lab are; the hub keeps it between its starts."""
    return Path.home() / "work"


def folder_name(*below: str) -> str:
    """How previews know a folder below the work folder; share/…/remoteEntry.js says the same."""
    return " · ".join((work_folder().name, *below))


def preview_server() -> dict[str, Any]:
    """What jupyter-server-proxy is told (its entry point `jupyter_serverproxy_servers`)."""
    folder = tempfile.mkdtemp(prefix="atrium-preview-")  # this account's alone
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {
        "command": [sys.executable, "-I", "-m", "dashboards.lab.preview", "{unix_socket}"],
        "environment": {"ATRIUM_PREVIEW": f"{{base_url}}{PLACE}/"},
        "unix_socket": os.path.join(folder, "socket"),
        "absolute_url": True,
        "timeout": 60,
        # A page that is merely open is no use of the lab.
        "exclude_last_activity_patterns": [r".*/(ws|changes|alive|announcement)$"],
        "launcher_entry": {
            "title": "Preview as dashboard",
            "icon_path": os.fspath(_HERE.parent / "static" / "mark.svg"),
        },
    }


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Called by Jupyter's server."""
    return [{"module": "dashboards.lab.extension"}]
