"""`python -I -m dashboards.lab`: how the hub starts somebody's lab."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import urljoin

from dashboards.lab import work_folder
from dashboards.log_lines import tell_no_session

_HERE = Path(__file__).parent
_FIRST = "first_dashboard.ipynb"


def main() -> None:
    """Be JupyterHub's single-user server, with our settings before the person's own."""
    folder = work_folder()
    start = "/lab"
    if not folder.exists():  # later it may be empty because somebody wants it so
        folder.mkdir(parents=True)
        shutil.copyfile(_HERE / _FIRST, folder / _FIRST)
        start += f"/tree/{_FIRST}"
    os.environ["JUPYTERHUB_ROOT_DIR"] = os.fspath(folder)
    os.environ["JUPYTERHUB_DEFAULT_URL"] = start
    os.environ["JUPYTER_CONFIG_PATH"] = os.fspath(_HERE / "config")
    os.environ["JUPYTER_PATH"] = os.fspath(_HERE / "share")
    os.environ |= _from_no_other_host()
    tell_no_session()
    # Reads the environment as it is imported.
    from jupyterhub.singleuser import main as serve

    serve()


def _from_no_other_host() -> dict[str, str]:
    """For kernels: the scripts of a plot come with it, its sheets from where all of ours are."""
    # With its host: Panel takes what it has no other way for as relative to the lab's page.
    files = urljoin(os.environ["ATRIUM_ADDRESS"], os.environ["ATRIUM_FILES_URL"])
    return {
        "BOKEH_RESOURCES": "inline",
        "HOLOVIEWSRC": os.fspath(_HERE / "config" / "holoviews.rc"),
        "PANEL_CDN_ROOT": f"{files}panel/",
        "PANEL_INLINE": "True",
    }


if __name__ == "__main__":
    main()
