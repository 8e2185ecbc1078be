"""Links that lead out of a folder of notebooks show nothing of where they lead."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attacks import attack
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub
from tests.person import Person

VIEWER = "member@acme.test"
SECRET = "wisteria5c1d"
#: What somebody who may write into a folder might put there, given the folder and what is outside.
LINKS: dict[str, Callable[[Path, Path], Path]] = {
    "to a notebook outside": lambda here, out: link(here / "a.ipynb", out / "secret.ipynb"),
    "to a notebook of admins": lambda here, _: link(
        here / "b.ipynb", here.parent / "admin" / "canary.ipynb"
    ),
    "by way of dots": lambda here, _: link(here / "c.ipynb", Path("../admin/canary.ipynb")),
    "to a file that is none": lambda here, _: link(here / "d.ipynb", Path("/etc/passwd")),
    "of a folder": lambda here, out: link(here.parent / "linked", out),
    "of a folder below": lambda here, out: link(here / "below", out),
    "by way of a link": lambda here, out: link(
        here / "e.ipynb", link(here / "e2.ipynb", out / "secret.ipynb")
    ),
    "to itself": lambda here, _: link(here / "f.ipynb", here / "f.ipynb"),
    "to a device": lambda here, _: link(here / "g.ipynb", Path("/dev/zero")),
}


def link(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path


@pytest.fixture(scope="module")
def viewer(hub: Hub) -> Person:
    person = Person(hub)
    person.sign_in(VIEWER)
    person.open_dashboards()
    return person


@pytest.fixture(scope="module")
def outside(hub: Hub) -> Path:
    cells = markdown(f"# {SECRET}"), code(f"'{SECRET}'")
    write_notebook(hub.notebooks / "admin" / "canary.ipynb", *cells)
    return write_notebook(hub.folder / "outside" / "secret.ipynb", *cells).parent


@attack("link following", "a link leads to a file of the same folder only")
@pytest.mark.parametrize("how", LINKS)
def test_a_link_out_of_a_folder_is_not_followed(
    how: str, hub: Hub, viewer: Person, outside: Path
) -> None:
    made = LINKS[how](hub.notebooks / "user", outside)
    extra = [path for path in (hub.notebooks / "user").glob("e2.ipynb") if path.is_symlink()]
    hub.api("/groups/linked", "POST", json={"users": [VIEWER]})
    try:
        gallery = viewer.get(f"/user/{VIEWER}/?all").text
        assert SECRET not in gallery
        assert "Everybody" in gallery or "Penguins" in gallery
        for path in (f"user/{made.stem}", f"{made.name}/secret", f"user/{made.name}/secret"):
            page = viewer.get(f"/user/{VIEWER}/dashboards/{path}")
            assert page.status_code == 404
            assert SECRET not in page.text
            assert "root:" not in page.text
    finally:
        for path in (made, *extra):
            os.unlink(path)
        hub.api("/groups/linked", "DELETE")
