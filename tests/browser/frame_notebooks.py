"""Notebooks that bring a page of their own, one for each of Panel's templates."""

from __future__ import annotations

FRAMED = """
import panel as pn
import hvplot.pandas, pandas as pd
pn.extension(sizing_mode="stretch_width")
window = pn.widgets.IntSlider(name="Window", start=1, end=9)
figures = pd.DataFrame({{"day": pd.date_range("2025-01-01", periods=5), "count": [3, 1, 4, 1, 5]}})
plot = figures.hvplot.line(x="day", y="count", responsive=True, height=300)
said = pn.pane.HTML(pn.bind("<b class='said'>window of {{}}</b>".format, window))
{template}
"""
#: The main part alone is what Golden Layout and Slides have in common with the others.
_PLAIN = """
template = pn.template.{name}(title="A page of its own"{more})
template.main.append(pn.Column(window, said, plot))
template.servable()
"""
_GRID = """
template = pn.template.{name}(title="A page of its own")
template.main[0:3, 0:12] = pn.Column(window, said, plot)
template.servable()
"""
_DRAWER = """
template = pn.template.MaterialTemplate(title="A page of its own")
template.sidebar.append(window)
template.main.append(pn.Column(said, plot))
template.servable()
"""
_CUSTOM = """
template = pn.Template(
    "{% extends base %}{% block contents %}<header style='position:fixed;inset:0 0 auto;"
    "height:40px;background:#123;color:#fff'>A page of its own</header>"
    "<div style='margin-top:48px'>{{ embed(roots.all) }}</div>{% endblock %}"
)
template.add_panel("all", pn.Column(window, said, plot))
template.servable()
"""

TEMPLATES = {
    **{
        name.lower(): FRAMED.format(template=_PLAIN.format(name=name, more=""))
        for name in (
            "BootstrapTemplate",
            "EditableTemplate",
            "FastListTemplate",
            "GoldenTemplate",
            "MaterialTemplate",
            "SlidesTemplate",
            "VanillaTemplate",
        )
    },
    "fastdark": FRAMED.format(
        template=_PLAIN.format(name="FastListTemplate", more=', theme="dark"')
    ),
    **{
        name.lower(): FRAMED.format(template=_GRID.format(name=name))
        for name in ("FastGridTemplate", "ReactTemplate")
    },
    "drawer": FRAMED.format(template=_DRAWER),
    "custom": FRAMED.format(template=_CUSTOM.replace("{", "{{").replace("}", "}}").format()),
}
