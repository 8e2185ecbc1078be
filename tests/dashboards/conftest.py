from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.dashboards.plain_hub import Guest, PlainHub

GROUPS = {
    "user": ["ann", "bob"],
    "admin": ["ann"],
    "finance": ["ann", "root"],
    "one only": ["dora"],
}

WHO = """
import panel as pn
from dashboards import current_user
pn.extension()
button = pn.widgets.Button(name="Ask")
said = pn.pane.Str("-")
def ask(event):
    said.object = f"callback: {current_user().name}"
button.on_click(ask)
ticked = pn.pane.Str("-")
def tick():
    ticked.object = f"periodic: {current_user().name}"
pn.state.add_periodic_callback(tick, period=20)
pn.Column(button, said, ticked).servable()
found = pn.state.user_info
pn.state.location.hash = "#" + "/".join([
    pn.state.user, ",".join(found["groups"]), current_user().name,
    str(pn.state.access_token), str(sorted(pn.state.cookies)),
])
"""

CHANGES = """
from pathlib import Path
import panel as pn
said = pn.pane.Str("before")
def change():
    said.object = "after"
    Path("changed").touch()
pn.state.add_periodic_callback(change, period=20, count=1)
said.servable()
"""

PEEK = """
import os, subprocess, sys
import panel as pn
text = str(dict(os.environ))
text += subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"],
                       capture_output=True, text=True).stdout
try:
    text += open("/proc/self/environ", "rb").read().decode(errors="replace")
except PermissionError:  # only root can read it of a process that hides its memory
    pass
request = pn.state.curdoc.session_context.request
text += str(request._request.headers) + str(dict(request.cookies)) + str(request.headers)
open("peeked.txt", "w").write(text)
open("beside.txt").read()
pn.pane.Str("done").servable()
"""


@pytest.fixture(scope="module")
def plain_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainHub]:
    """A hub with the notebooks that the tests of the server open."""
    hub = PlainHub(tmp_path_factory.mktemp("plain"), GROUPS)
    try:
        _write_notebooks(hub)
        hub.wait()
        yield hub
    finally:
        hub.stop()


@pytest.fixture(scope="module")
def ann(plain_hub: PlainHub) -> Guest:
    """A member of `admin`, signed in, with a server."""
    return _signed_in(plain_hub, "ann")


@pytest.fixture(scope="module")
def bob(plain_hub: PlainHub) -> Guest:
    """A member of `user` only, signed in, with a server."""
    return _signed_in(plain_hub, "bob")


def _signed_in(hub: PlainHub, name: str) -> Guest:
    guest = Guest(hub, name)
    guest.sign_in()
    guest.start()
    assert guest.get(guest.home).ok
    return guest


def _write_notebooks(hub: PlainHub) -> None:
    folder = hub.notebooks
    write_notebook(folder / "user/who.ipynb", markdown("# Who\n\nNames."), code(WHO))
    write_notebook(folder / "user/peek.ipynb", code(PEEK))
    write_notebook(folder / "user/changes.ipynb", code(CHANGES))
    (folder / "user/beside.txt").write_text("here")
    write_notebook(
        folder / "user/shared.ipynb",
        code("from dashboards import current_user\nmade = current_user().name", "shared"),
        code("open('made.txt', 'w').write(made)"),
    )
    write_notebook(folder / "user/cells.ipynb", markdown("# Cells"), code("'an output'"))
    write_notebook(
        folder / "user/broken.ipynb",
        markdown("# Broken <img src=x onerror=alert(1)> & more"),
        code("def fails():\n    raise ValueError('told to <b>nobody</b>')\nfails()"),
    )
    write_notebook(
        folder / "user/wrong_callback.ipynb",
        code(
            "from bokeh.models import Slider\nimport panel as pn\npn.extension()\n"
            "slider = Slider(start=0, end=5, value=1)\n"
            "slider.on_change('value', lambda: None)\npn.pane.Bokeh(slider).servable()"
        ),
    )
    write_notebook(folder / "user/leaves.ipynb", code("import sys\nsys.exit('bye')"))
    write_notebook(
        folder / "user/own.ipynb",
        code("import panel as pn\npn.extension(template='fast')\npn.pane.Str('own').servable()"),
    )
    write_notebook(
        folder / "user/hidden_own.ipynb",
        code("import panel as pn\nexec('pn.extension(tem' + 'plate=\"fast\")')\n"),
        code("pn.pane.Str('own').servable()"),
    )
    write_notebook(folder / "one only/a b.ipynb", markdown("# Single"))
    write_notebook(folder / "finance/money.ipynb", markdown("# Money"), code("1"))
    write_notebook(
        folder / "admin/hub.ipynb",
        code(
            "from dashboards import hub_data\nimport panel as pn\n"
            "names = [u.name for u in hub_data.users()]\n"
            "servers = [(s.user, s.name, s.ready, s.memory_mb)"
            " for s in hub_data.servers()]\n"
            "open('read.txt', 'w').write(f'{names} {servers} {hub_data.groups()}')\n"
            "pn.pane.Str('read').servable()"
        ),
    )
    write_notebook(
        folder / "user/asks.ipynb", code("from dashboards import hub_data\nhub_data.users()")
    )
    (folder / "user/unreadable.ipynb").write_text("not JSON")
    write_notebook(hub.folder / "outside.ipynb", markdown("# Outside"))
    (folder / "user/linked.ipynb").symlink_to(hub.folder / "outside.ipynb")
