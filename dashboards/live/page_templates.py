"""Our page templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

from dashboards.files import usual_scripts

HERE = Path(__file__).parent.parent


def template(name: str) -> jinja2.Template:
    """One of our templates, to be filled by somebody else."""
    return _templates().get_template(name)


def load_templates() -> None:
    """Compile all of them, and know the versions of the files that they name."""
    for name in _templates().list_templates():
        _templates().get_template(name)
    usual_scripts()


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
