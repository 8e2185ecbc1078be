"""The page of a session, and the state of its document that goes with it, as texts.

Imports Panel: only `dashboards.live.session_process` may import this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import panel
from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models import Plot
from bokeh.resources import Resources as BokehResources
from bokeh.server.session import ServerSession
from bokeh.server.views.static_handler import StaticHandler
from jinja2 import Template
from markupsafe import escape
from panel.io.resources import Resources
from panel.io.server import server_html_page_for_session
from panel.io.state import set_curdoc
from panel.models.esm import ReactiveESM

from dashboards.files import usual_scripts
from dashboards.live.local_only import NO_ICON_FONT, without_outside
from dashboards.live.page_templates import template

_OWN_FILE = re.compile(r"((?:src|href)=[\"'])(?:\.\./)*static/(?=js/|extensions/panel/)")
"""In a page: the way to a script or style that is the same for everybody."""

_OWN_SHEET = re.compile(r'(?<="url":")(?:\.\./)*(static/extensions/panel/[^"?]+)(\?[^"]*)?(?=")')
"""In a document: the way to a style that is the same for everybody, which Panel gives no version
where it tells about loading."""

_SHIM = re.compile(r'<script [^>]*src="([^"]*/es-module-shims[^"]*)"[^>]*>')
"""In a page: what browsers of some years ago need for components that are modules."""

_WEBGL = re.compile(r'<script [^>]*src="([^"]*/bokeh-gl\.min\.js[^"]*)"[^>]*>')
"""In a page: what draws with WebGL."""


_NO_MATHJAX = "<script>window.MathJax ??= { Hub: { Queue() {} } };</script>\n"
"""In a page with ipywidgets: they leave a label empty where nothing sets its formulas."""


def resources_at(prefix: str) -> Resources:
    """Where a page's scripts are, as Bokeh's server says it. `prefix`: of the server's address."""
    return Resources.from_bokeh(
        BokehResources(mode="server", root_url=prefix, path_versioner=StaticHandler.append_version)
    )


def dashboard_page(
    session: ServerSession, resources: Resources, files: str, values: Mapping[str, object]
) -> str:
    """What follows our frame: the document's first state, as JSON in a script element, and a
    template of ours filled with the document's parts and the values.

    `files`: where it finds the scripts and styles that are the same for everybody.
    """
    values = {**values, "quiet": NO_ICON_FONT}
    page = _page_of(session, resources, files, template("dashboard.html"), values)
    for script in usual_scripts():  # they stand in the frame already
        page = page.replace(
            f'<script type="text/javascript" src="{files}{script}"></script>', "", 1
        )
    state = state_of(session.document, files)
    return f'<script type="application/json" id="first-state">{state}</script>\n{page}'


def own_page(
    session: ServerSession, resources: Resources, files: str, ignored: Sequence[str]
) -> str:
    """The page of a notebook that brings a page template. `files`: as for `dashboard_page`.
    `ignored`: what its address asked for in vain, for static/address.js."""
    page = _page_of(session, resources, files, None, {})
    told = f'<template data-ignored="{escape(json.dumps(ignored))}"></template>'
    return page.replace("</body>", f"{told}</body>", 1)


def _page_of(
    session: ServerSession,
    resources: Resources,
    files: str,
    template: Template | None,
    values: Mapping[str, object],
) -> str:
    document = session.document
    with set_curdoc(document):
        page = server_html_page_for_session(
            session,
            resources=resources,
            title=document.title,
            token=session.token,
            template=template or document.template,
            template_variables={**document.template_variables, **values},
        )
    page = _OWN_FILE.sub(rf"\1{files}static/", page)
    # What only some models need is for those that may come later, if none of them is here. Our own
    # frame fetches it then: `dashboard.js`.
    models = document.models
    if template and not any(map(_draws_with_webgl, models)):
        page = _WEBGL.sub(r'<script type="text/plain" data-drawn="\1">', page)
    if not any(isinstance(model, ReactiveESM) for model in models):
        later = 'type="text/plain" data-later' if template else "async src"
        page = _SHIM.sub(rf'<script {later}="\1">', page)
    if any(type(model).__module__.startswith("ipywidgets_bokeh") for model in models):
        page = page.replace("<script", f"{_NO_MATHJAX}<script", 1)
    return without_outside(page)


def _draws_with_webgl(model: Model) -> bool:
    """Without its script Bokeh draws on a plain canvas."""
    return isinstance(model, Plot) and model.output_backend == "webgl"


def state_of(document: Document, files: str) -> str:
    """A document as JSON that may stand in a script element. `files`: as for `dashboard_page`."""
    state = serialize_json(document.to_json(deferred=False))
    version = f"?v={panel.__version__}"
    state = _OWN_SHEET.sub(lambda sheet: f"{files}{sheet[1]}{sheet[2] or version}", state)
    return state.replace("<", "\\u003c")
