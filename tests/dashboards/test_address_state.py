"""Widgets stand in a dashboard's address: set from it, written to it, whatever it says."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import panel as pn
import pytest
import requests
from bokeh.document import Document
from bokeh.document.events import MessageSentEvent
from panel.io.state import set_curdoc
from websockets.sync.client import ClientConnection

from dashboards.live.address_state import GO, LONGEST, follow
from tests.dashboards.notebooks import code, write_notebook
from tests.dashboards.plain_hub import Guest, PlainHub
from tests.dashboards.test_server import open_socket, session_token

NOTEBOOK = """
import panel as pn
kind = pn.widgets.Select(label="Kind of bird", options=["gull", "owl"])
most = pn.widgets.IntSlider(label="Most", start=0, end=9, value=3)
said = pn.widgets.TextInput(label="Said")
drawn = []
def draw(kind, most, said):
    drawn.append(1)
    return f"drawn {len(drawn)}: {kind} {most} {said}"
pn.Column(kind, most, said, pn.bind(draw, kind, most, said)).servable()
"""

OWN_PAGE = NOTEBOOK.replace(
    "import panel as pn", "import panel as pn\npn.extension(template='fast')"
)
ONE_PART = """
import panel as pn
kind = pn.widgets.Select(label="Kind of bird", options=["gull", "owl"])
template = pn.template.FastListTemplate(sidebar=[kind], main=[pn.bind("{} 3".format, kind)])
template.servable()
"""
LATER = """
import asyncio
import panel as pn
most = pn.widgets.IntSlider(label="Most", start=0, end=9, value=3)
said = pn.pane.Str("nothing")
async def change():
    await asyncio.sleep(0.01)
    most.value = 7
    said.object = "changed to the end"
pn.state.onload(change)
pn.Column(most, said).servable()
"""
NO_NOTE = 'id="ignored" role="status" hidden>'
DRAWN = {
    "kind": "MessageSent",
    "msg_type": "bokeh_event",
    "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map"}},
}


@pytest.fixture
def doc() -> Iterator[Document]:
    doc = Document()
    with set_curdoc(doc):
        yield doc


def asked(doc: Document, widget: Any, *texts: str) -> list[str]:
    """Open a page with one widget, called "It", by an address that asks for `it`."""
    pn.Column(widget).server_doc(doc)
    return follow(doc, {"it": [text.encode() for text in texts]})


W = pn.widgets
DAYS = {"start": dt.date(2020, 1, 1), "end": dt.date(2021, 1, 1)}
HOUR = dt.datetime(2020, 1, 1, 3)  # noqa: DTZ001 - widgets know no time zone


@pytest.mark.parametrize(
    ("widget", "texts", "value"),
    [
        (W.Select(label="It", options={"A": [1], "B": [2]}), ["B"], [2]),
        (W.RadioButtonGroup(label="It", options=["a", "b"]), ["b"], "b"),
        (W.DiscreteSlider(label="It", options=[1, 2, 4]), ["4"], 4),
        (W.AutocompleteInput(label="It", options=["a", "b"], restrict=True), ["b"], "b"),
        (W.MultiChoice(label="It", options=["a", "b", "c"]), ["b", "c"], ["b", "c"]),
        (W.CheckBoxGroup(label="It", options=["a"], value=["a"]), [""], []),
        (W.Checkbox(label="It"), ["true"], True),
        (W.Toggle(label="It", value=True), ["false"], False),
        (W.IntSlider(label="It", start=0, end=9), ["7"], 7),
        (W.FloatSlider(label="It", start=0, end=1), ["0.7"], 0.7),
        (W.EditableIntSlider(label="It", start=0, end=9), ["7"], 7),
        (W.FloatInput(label="It"), ["-2.5"], -2.5),
        (W.IntRangeSlider(label="It", start=0, end=9), ["2", "5"], (2, 5)),
        (W.DatePicker(label="It"), ["2020-02-29"], dt.date(2020, 2, 29)),
        (W.DateSlider(label="It", **DAYS), ["2020-02-29"], dt.date(2020, 2, 29)),
        (W.DatetimePicker(label="It", value=HOUR), ["2020-01-01T04:00"], HOUR.replace(hour=4)),
        (W.ColorPicker(label="It", value="#ff0000"), ["#00ff00"], "#00ff00"),
    ],
)
def test_a_value_is_taken_over_and_written_alike(
    doc: Document, widget: Any, texts: list[str], value: object
) -> None:
    told: list[dict[str, Any]] = []
    usual = widget.value
    assert asked(doc, widget, *texts) == []
    assert widget.value == value
    assert type(widget.value) is type(value)
    if "value_throttled" in widget.param:
        assert widget.value_throttled == value
    doc.on_change(lambda event: _note(event, told))
    widget.value = usual
    assert told[-1] == {"name": "it", "values": []}
    widget.value = value
    back = told[-1]["values"]
    if isinstance(value, dt.date):
        assert [dt.datetime.fromisoformat(t) for t in back] == [
            dt.datetime.fromisoformat(t) for t in texts
        ]
    else:
        assert back == texts


def _note(event: object, told: list[dict[str, Any]]) -> None:
    if isinstance(event, MessageSentEvent):
        told.append(event.msg_data)


@pytest.mark.parametrize(
    ("widget", "texts"),
    [
        (W.Select(label="It", options=["a", "b"]), ["<img src=x onerror=alert(1)>"]),
        (W.Select(label="It", options=["a", "b"]), ["a", "b"]),
        (W.Select(label="It", options=["a", "b"]), [""]),
        (W.MultiChoice(label="It", options=["a", "b"]), ["a", "c"]),
        (W.IntSlider(label="It", start=0, end=9), ["10"]),
        (W.IntSlider(label="It", start=0, end=9), ["1.5"]),
        (W.IntSlider(label="It", start=0, end=9), ["__import__('os')"]),
        (W.IntInput(label="It"), ["9" * 400]),
        (W.FloatSlider(label="It", start=0, end=1), ["nan"]),
        (W.FloatInput(label="It"), ["inf"]),
        (W.FloatInput(label="It"), ["1e999"]),
        (W.IntRangeSlider(label="It", start=0, end=9), ["5", "2"]),
        (W.IntRangeSlider(label="It", start=0, end=9), ["5"]),
        (W.DateSlider(label="It", **DAYS), ["2022-01-01"]),
        (W.DatePicker(label="It"), ["2020-02-30"]),
        (W.DatetimePicker(label="It", value=HOUR, start=HOUR), ["2021-01-01T00:00+01:00"]),
        (W.Checkbox(label="It"), ["yes"]),
        (W.ColorPicker(label="It"), ["red;background:url(//x)"]),
        (W.TextInput(label="It"), ["<script>"]),
        (W.PasswordInput(label="It"), ["secret"]),
        (W.AutocompleteInput(label="It", options=["a"], restrict=False), ["b"]),
        (W.LiteralInput(label="It", value=1), ["2"]),
        (W.Button(label="It"), ["true"]),
        (W.Select(label="It", options=["a", "b"], disabled=True), ["b"]),
        (W.Select(label="It", options=["a", "b"], visible=False), ["b"]),
    ],
)
def test_what_a_person_could_not_choose_is_ignored_and_said(
    doc: Document, widget: Any, texts: list[str]
) -> None:
    before = widget.value
    assert asked(doc, widget, *texts) == [f"it={texts[0]}"[:80]]
    assert widget.value == before


def test_usual_values_draw_nothing_anew_and_stand_in_no_address(doc: Document) -> None:
    slider, drawn = W.IntSlider(label="It", end=9, value=3), []
    slider.param.watch(drawn.append, "value")
    assert asked(doc, slider, "3") == []
    assert drawn == []


def test_a_notebook_that_fails_on_a_value_keeps_the_usual_one(doc: Document) -> None:
    def fail(event: Any) -> None:
        if event.new == 5:
            raise RuntimeError("not with five")

    slider = W.IntSlider(label="It", end=9)
    slider.param.watch(fail, "value")
    assert asked(doc, slider, "5") == ["it=5"]
    assert slider.value == 0


def test_widgets_of_one_name_are_counted_and_of_an_endless_address_nothing_is_taken_over(
    doc: Document,
) -> None:
    first, second = (W.Select(label="How  many?", options=["1", "2"]) for _ in range(2))
    pn.Row(first, second).server_doc(doc)
    endless = {"how-many-2": [b"2"], **{name: [b"y" * LONGEST] for name in "abcdefg"}}
    assert [said[:20] for said in follow(doc, endless)] == [
        "how-many-2=2",
        *(f"{name}={'y' * 18}" for name in "abcdefg"),
    ]
    assert (first.value, second.value) == ("1", "1")
    assert follow(doc, {"how-many-2": [b"2"], "utm_source": [b"mail"]}) == []
    assert (first.value, second.value) == ("1", "2")


def sent(socket: ClientConnection, kind: str, content: object, until: str) -> str:
    """Send a message of Bokeh's protocol; returns the first answer that has such words."""
    while kind == "PULL-DOC-REQ" and "ACK" not in str(socket.recv(timeout=20)):
        pass  # the first thing to be said; before the ACK the server cannot listen
    for part in ({"msgtype": kind, "msgid": "1"}, {}, content):
        socket.send(json.dumps(part))
    while until not in (said := str(socket.recv(timeout=20))):
        pass
    return said


def opened(guest: Guest, name: str, **values: str) -> tuple[requests.Response, ClientConnection]:
    """A dashboard by an address that asks for these values: its page and its WebSocket."""
    page = guest.dashboard("user", name, params=values)
    path = f"{guest.home}dashboards/user/{name}/ws"
    return page, open_socket(guest, path, session_token(page))


def go(doc: Document, query: object) -> list[dict[str, Any]]:
    """Say that somebody has gone back to this query; returns what the page is told."""
    told: list[dict[str, Any]] = []
    doc.on_change(lambda event: _note(event, told))
    MessageSentEvent._handle_event(doc, MessageSentEvent(doc, GO, query))
    return told


def test_going_back_sets_what_the_address_says_and_the_rest_as_it_was(doc: Document) -> None:
    it, other = W.Select(label="It", options=["a", "b", "c"]), W.IntSlider(label="Other", end=9)
    none = W.DatePicker(label="None")
    pn.Column(it, other, none).server_doc(doc)
    assert follow(doc, {"it": [b"b"], "other": [b"4"], "none": [b"2020-02-29"]}) == []
    assert go(doc, "it=c&none=2020-03-01")[-1] == {"ignored": []}
    assert (it.value, other.value, none.value) == ("c", 0, dt.date(2020, 3, 1))
    assert go(doc, "")[-1] == {"ignored": []}
    assert (it.value, other.value, none.value) == ("a", 0, None)


@pytest.mark.parametrize(
    "query", ["it=no", "it=b&it=c", "it=%ff", "no=b", f"it=b&no={'x' * LONGEST}"]
)
def test_going_back_to_what_cannot_be_is_told(doc: Document, query: str) -> None:
    it = W.Select(label="It", options=["a", "b"])
    asked(doc, it, "b")
    assert go(doc, query)[-1]["ignored"]
    assert it.value == "a"


@pytest.mark.parametrize("query", [None, 5, ["it=a"], {"it": ["a"]}])
def test_a_page_that_says_something_else_is_not_heard(doc: Document, query: object) -> None:
    it = W.Select(label="It", options=["a", "b"])
    asked(doc, it, "b")
    assert go(doc, query) == []
    assert it.value == "b"


def test_free_text_is_not_set_by_going_back(doc: Document) -> None:
    said = W.TextInput(label="It", value="mine")
    pn.Column(said).server_doc(doc)
    follow(doc, {})
    assert go(doc, "it=theirs")[-1] == {"ignored": ["it=theirs"]}
    assert said.value == "mine"


@pytest.mark.hub
def test_a_link_shows_what_it_says_and_the_page_is_told_of_changes(
    plain_hub: PlainHub, bob: Guest
) -> None:
    write_notebook(plain_hub.notebooks / "user/birds.ipynb", code(NOTEBOOK))
    page, socket = opened(bob, "birds", **{"kind-of-bird": "owl", "most": "7"})
    assert NO_NOTE in page.text
    assert "owl 7" in page.text.partition('id="first-state">')[2].partition("</script>")[0]
    with socket:
        document = sent(socket, "PULL-DOC-REQ", {}, '"roots"')
        assert "owl 7" in document
        found = re.search(r'panel.models.widgets.CustomSelect","id":"([^"]+)"', document)
        assert found, document
        change = {"kind": "ModelChanged", "model": {"id": found[1]}, "attr": "value", "new": "gull"}
        said = sent(socket, "PATCH-DOC", {"events": [change]}, "atrium-address")
        assert "kind-of-bird" in said


@pytest.mark.hub
def test_a_coroutine_that_changes_a_widget_comes_to_its_end(
    plain_hub: PlainHub, bob: Guest
) -> None:
    """It holds no lock of the document when it goes on; what the page is told must not need one."""
    write_notebook(plain_hub.notebooks / "user/later.ipynb", code(LATER))
    _, socket = opened(bob, "later")
    with socket:
        sent(socket, "PULL-DOC-REQ", {}, '"roots"')
        heard = sent(socket, "PATCH-DOC", {"events": [DRAWN]}, "")
        while not all(words in heard for words in ("atrium-address", "changed to the end")):
            heard += str(socket.recv(timeout=20))


@pytest.mark.hub
def test_what_is_not_there_is_said_without_becoming_part_of_the_page(
    plain_hub: PlainHub, bob: Guest
) -> None:
    write_notebook(plain_hub.notebooks / "user/birds.ipynb", code(NOTEBOOK))
    page, socket = opened(bob, "birds", **{"kind-of-bird": "<img src=x>", "said": "hello"})
    assert "kind-of-bird=&lt;img src=x&gt;" in page.text
    assert "said=hello" in page.text
    assert "<img src=x>" not in page.text
    with socket:
        assert "gull 3" in sent(socket, "PULL-DOC-REQ", {}, '"roots"')


@pytest.mark.hub
@pytest.mark.parametrize("notebook", [OWN_PAGE, ONE_PART])
def test_a_page_of_the_notebooks_own_follows_its_address_too(
    plain_hub: PlainHub, bob: Guest, notebook: str
) -> None:
    write_notebook(plain_hub.notebooks / "user/own_birds.ipynb", code(notebook))
    page, socket = opened(bob, "own_birds", **{"kind-of-bird": "owl"})
    assert 'id="waiting"' not in page.text
    with socket:
        assert "owl 3" in sent(socket, "PULL-DOC-REQ", {}, '"roots"')


@pytest.mark.hub
def test_a_notebook_can_keep_the_address_for_itself(plain_hub: PlainHub, bob: Guest) -> None:
    folder = plain_hub.notebooks / "user"
    write_notebook(folder / "off.ipynb", code(NOTEBOOK), atrium={"address": False})
    write_notebook(folder / "self.ipynb", code(NOTEBOOK + "pn.state.session_args"))
    for name in ("off", "self"):
        page, socket = opened(bob, name, **{"kind-of-bird": "owl", "more": "x"})
        assert NO_NOTE in page.text
        with socket:
            assert "gull 3" in sent(socket, "PULL-DOC-REQ", {}, '"roots"')
