"""A hub with a guard taken out: only so is it known that the guard is what refuses an attack."""

from __future__ import annotations

from pathlib import Path

#: Of a failure Python would only tell, and go on: a guard would stay in unnoticed.
_ONLY_THE_HUB = """
import os, sys, traceback
if "jupyterhub" in sys.orig_argv and "-f" in sys.orig_argv:
    try:
        exec(compile({patches!r}, "the guards that are out", "exec"), {{"sys": sys}})
    except BaseException:
        traceback.print_exc()
        os._exit(1)
"""


def without(folder: Path, patches: str) -> dict[str, str]:
    """The environment of a hub that runs these lines of Python before its configuration."""
    text = _ONLY_THE_HUB.lstrip().format(patches=patches)
    (folder / "sitecustomize.py").write_text(text)
    return {"PYTHONPATH": str(folder)}
