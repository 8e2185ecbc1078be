"""Remembered defaults of Bokeh's properties are the same; in a process of its own."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import re
import panel as pn
from bokeh.core.property.override import Override
from bokeh.core.properties import Dict, Either, Instance, Int, List, Nullable, String
from bokeh.model import Model, collect_models
from dashboards.live.bokeh_defaults import remember

def asked(model):
    '''What each property of a new object says, what is sent of it to the page, and what it refers
    to.'''
    found = {}
    for name in model.properties():
        try:
            found[name] = repr(getattr(model, name))
        except Exception as error:
            found[name] = type(error).__name__
    sent = model.properties_with_values(include_defaults=False, include_undefined=True)
    try:
        others = sorted(type(other).__name__ for other in collect_models(model))
    except Exception as error:
        others = type(error).__name__
    return found, sorted(map(repr, sent.items())), others

def plain(text):
    return re.sub(r"id='[^']*'|\\(id=[^)]*\\)|p\\d+|0x[0-9a-f]+", "", str(text))

classes = [
    cls
    for cls in Model.model_class_reverse_map.values()
    if cls.__module__.startswith(("bokeh.", "panel."))
]
def all_asked():
    found = {}
    for cls in classes:
        try:
            model = cls()
        except Exception:
            continue
        found[cls.__qualified_model__] = plain(asked(model))
    return found

before = all_asked()
assert len(before) > 250, len(before)
remember()
for _ in range(2):  # found out, and remembered
    after = all_asked()
    assert after == before, [name for name in before if before[name] != after[name]][:3]

class Shelf(Model):
    books = List(String, default=["a book"])
    places = Dict(String, Int, default={})
    height = Int(default=3)
one, other = Shelf(), Shelf()
one.books.append("another"); one.places["left"] = 1; one.height = 4
assert (other.books, other.places, other.height) == (["a book"], {}, 3)
assert (one.books, one.places, one.height) == (["a book", "another"], {"left": 1}, 4)
fresh = Shelf()
fresh.apply_theme({"height": 7})
assert fresh.height == 7 and Shelf().height == 3
fresh.unapply_theme()
assert fresh.height == 3

class Room(Model):
    shelf = Nullable(Instance(Shelf))
    name_or_shelf = Either(String, Instance(Shelf), default="none")
shelf, room = Shelf(), Room()
assert room.references() == {room}
room.name_or_shelf = shelf
assert room.references() == {room, shelf}
room.name_or_shelf = "none"
room.apply_theme({"shelf": shelf})
assert {one.id for one in room.references()} == {room.id, shelf.id}  # it has a copy
assert set(room.properties_with_values(include_defaults=False)) == {"name_or_shelf", "shelf"}

class Higher(Shelf):
    height = Int(default=5)
class Highest(Shelf):
    height = Override(default=9)
assert [cls().height for cls in (Shelf, Higher, Highest)] == [3, 5, 9]
"""


def test_remembered_defaults_are_those_that_bokeh_finds_out() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", _PROGRAM], check=True, timeout=200)
