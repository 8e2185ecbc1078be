"""A hub with a guard taken out: only so is it known that the guard is what refuses an attack."""

from __future__ import annotations

from pathlib import Path

_ONLY_THE_HUB = """
import sys
if "jupyterhub" in sys.orig_argv and "-f" in sys.orig_argv:
"""


def without(folder: Path, patches: str) -> dict[str, str]:
    """The environment of a hub that runs these lines of Python before its configuration."""
    lines = "".join(f"    {line}\n" for line in patches.strip().splitlines())
    (folder / "sitecustomize.py").write_text(_ONLY_THE_HUB.lstrip() + lines)
    return {"PYTHONPATH": str(folder)}
