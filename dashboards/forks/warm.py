"""The heavy imports, in one place, to be made before a fork; the front may answer meanwhile.

Nothing here knows whose server this is: identities and secrets are made elsewhere.
"""

from __future__ import annotations

import gc
import importlib
import os
from importlib.util import find_spec
from types import ModuleType

from dashboards.forks.full_pools import fill_pools
from dashboards.forks.huge_pages import use_huge_pages
from dashboards.forks.immortal import immortalize


def warm_up() -> ModuleType:
    """Import what dashboards are made of; returns the module that runs them. Takes seconds."""
    # What they make stays: looking for garbage in it would find none.
    gc.disable()
    try:
        return _import_all()
    finally:
        gc.enable()
        # A notebook makes tens of thousands of objects that stay; looking for garbage among them
        # again and again would find none.
        gc.set_threshold(50_000, 20, 100)


def _import_all() -> ModuleType:
    os.environ |= importlib.import_module("dashboards.running.outputs").ENVIRONMENT
    importlib.import_module("dashboards.live.bokeh_defaults").remember()
    # Does every glyph find its column? That helps who writes a notebook, in their own JupyterLab;
    # here it takes time whenever it opens, and would say so in a log alone.
    importlib.import_module("bokeh.settings").settings.perform_document_validation = False
    importlib.import_module("panel")
    for name in ("tornado.platform.asyncio", "encodings.ascii"):  # or every process imports them
        importlib.import_module(name)
    if find_spec("dashboards.live.theme") is not None:
        importlib.import_module("dashboards.live.theme").apply()
    session_process = importlib.import_module("dashboards.live.session_process")
    session_process.install()
    # Most notebooks import these; none of them depends on being there.
    # Of Matplotlib, what it reads in a home that is only the template's: it has found that out when
    # somebody's process would look there.
    for name in ("pandas", "hvplot.pandas", "matplotlib.style", "matplotlib.font_manager"):
        if find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)
    return session_process


def prepare_forks() -> None:
    """Draw the sample, and leave memory as forks share it best; the last thing before them."""
    importlib.import_module("dashboards.forks.sample").draw()
    gc.collect()
    immortalize()
    fill_pools()
    gc.freeze()
    use_huge_pages()
