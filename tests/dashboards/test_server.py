"""A person's server behind a real hub: who gets in, what they see, what a notebook can reach."""

from __future__ import annotations

import base64
import json
import re
import zlib
from urllib.parse import quote

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from dashboards.files import usual_scripts, usual_styles
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.dashboards.plain_hub import Guest, PlainHub, wait_until

pytestmark = pytest.mark.hub

NOT_HERE = "This dashboard is not here, or not shared with you"


def without_names(page: str) -> str:
    """A page without what differs between two people's servers."""
    return re.sub(r"/user/\w+/|\b(ann|bob)\b", "", page)


def session_token(page: requests.Response) -> str:
    """What a dashboard's page gives its script to open the WebSocket with."""
    found = re.search(r'"token":"([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def first_state(page: requests.Response) -> str:
    """The document that a dashboard's page begins with."""
    found = re.search(r'<script type="application/json" id="first-state">(.*?)</script>', page.text)
    assert found, page.text
    return found[1]


def open_socket(guest: Guest, path: str, token: str, *, cookies: bool = True) -> ClientConnection:
    """Open a dashboard's WebSocket as its page would."""
    cookie = "; ".join(f"{c.name}={c.value}" for c in guest.cookies if path.startswith(c.path))
    return connect(
        guest.hub.url.replace("http:", "ws:") + path,
        subprotocols=["bokeh", token],  # pyright: ignore[reportArgumentType]
        additional_headers={"Cookie": cookie} if cookies else {},
        origin=guest.hub.url,  # pyright: ignore[reportArgumentType]
        proxy=None,
        close_timeout=1,  # of one that says more than is read here
    )


def test_a_deep_link_with_its_query_survives_signing_in(plain_hub: PlainHub, bob: Guest) -> None:
    path = f"{bob.home}dashboards/user/cells?window=30&variable=a%20b"
    newcomer = Guest(plain_hub, "bob")
    page = newcomer.sign_in(path)
    assert page.url == plain_hub.url + path
    assert "Cells" in page.text


def test_without_signing_in_nothing_is_answered(plain_hub: PlainHub, bob: Guest) -> None:
    stranger = Guest(plain_hub, "nobody")
    for path in ("", "dashboards/user/cells", "dashboards/user/none", "whatever", "?all"):
        page = stranger.get(bob.home + path, allow_redirects=False)
        assert page.status_code == 302
        assert page.headers["Location"].startswith("/hub/api/oauth2/authorize?")
    fetched = {"Sec-Fetch-Mode": "cors"}
    for path in ("", "dashboards/user/cells", "components/panel.io/x/y/z"):
        assert stranger.get(bob.home + path, headers=fetched).status_code == 403
    assert stranger.post(f"{bob.home}dashboards/user/cells").status_code in {403, 405}


def test_the_gallery_shows_a_persons_folders(ann: Guest, bob: Guest) -> None:
    page = bob.get(bob.home)
    assert "Everybody" in page.text
    assert "Who" in page.text
    assert "Names." in page.text
    assert "Money" not in page.text
    assert "/hub/admin" not in page.text
    assert "unreadable" not in page.text.lower()
    assert "Outside" not in page.text
    full = ann.get(ann.home)
    assert "Money" in full.text
    assert 'href="/hub/admin"' in full.text
    assert "This file is no notebook" in full.text
    assert "/hub/spawn/ann/admin?next=%2Fuser%2Fann%2Fadmin%2Fdashboards%2Fadmin%2Fhub" in full.text
    assert "<img src=x" not in full.text


def test_somebody_with_no_folder_is_told_so(plain_hub: PlainHub) -> None:
    guest = Guest(plain_hub, "carol@acme.test")
    guest.sign_in()
    guest.start()
    page = guest.get(guest.home)
    assert "Nothing is shared with you yet" in page.text
    # Programs that mail a link write "@" in their own way.
    page = guest.get("/user/carol%40acme.test/dashboards/user/cells?a=b")
    assert page.url == f"{plain_hub.url}/user/carol@acme.test/dashboards/user/cells?a=b"
    assert page.status_code == 404


def test_somebody_with_one_dashboard_lands_on_it_and_finds_the_way_back(
    plain_hub: PlainHub,
) -> None:
    guest = Guest(plain_hub, "dora")
    guest.sign_in()
    guest.start()
    page = guest.get(guest.home)
    assert page.url == f"{plain_hub.url}/user/dora/dashboards/one%20only/a%20b"
    assert 'href="/user/dora/?all"' in page.text
    page = guest.get("/user/dora/?all")
    assert page.url == f"{plain_hub.url}/user/dora/?all"
    assert "Single" in page.text


def test_a_full_admin_of_the_hub_is_led_to_versions_of_what_they_see(
    plain_hub: PlainHub, bob: Guest
) -> None:
    root = Guest(plain_hub, "root")
    root.sign_in()
    root.start()
    link = 'data-versions="/hub/versions/'
    assert link + "finance/money" in root.dashboard("finance", "money").text
    assert link not in bob.dashboard("user", "cells").text


@pytest.mark.parametrize(
    "path",
    [
        "finance/money",
        "finance/none",
        "user/none",
        "admin/hub",
        "user/who.ipynb",
        "user/beside.txt",
        "user/unreadable",
        "user/linked",
        "user/..%2Ffinance%2Fmoney",
        "user/%2e%2e%2ffinance%2fmoney",
        "user/..%252Ffinance%252Fmoney",
        "..%2Fuser/who",
        "%2e%2e/who",
        ".%2Fuser/who",
        "User/who",
        "user/WHO",
        "user/who%00",
        "user/who%20",
        "user/who/ws",
        "user/who/autoload.js",
        "user/who/metadata",
        "user%2Fwho",
    ],
)
def test_what_is_not_shared_answers_like_what_is_not_there(bob: Guest, path: str) -> None:
    page = bob.get(f"{bob.home}dashboards/{path}")
    missing = bob.dashboard("nowhere", "nothing")
    assert (page.status_code, without_asking(page.text)) == (404, without_asking(missing.text))
    assert NOT_HERE in page.text


def without_asking(page: str) -> str:
    """A page without the link that asks for what its own address names, if it names something."""
    link = r'<a class="button primary" href="[^"]*/hub/ask\?dashboard=[^"]*">Ask for access</a>'
    return re.sub(link, "", page).replace('class="button primary"', 'class="button"')


def test_bytes_that_are_no_text_are_refused(bob: Guest) -> None:
    # The hub's proxy itself gives 500 for them.
    page = bob.dashboard("user", "%ff")
    assert page.status_code in {400, 404, 500}
    assert "Everybody" not in page.text


def test_nobody_uses_the_server_of_somebody_else(
    plain_hub: PlainHub, ann: Guest, bob: Guest
) -> None:
    root = Guest(plain_hub, "root")
    root.sign_in()
    for guest in (ann, root):
        for path in ("", "dashboards/user/cells", "dashboards/user/none"):
            page = guest.get(bob.home + path)
            assert "Cells" not in page.text
            if guest is ann:
                assert page.status_code in {403, 404}
    # The hub asks a full admin whether they mean it; their yes is not enough for us.
    page = root.get(f"{bob.home}dashboards/user/cells")
    given = dict(re.findall(r'name="([^"]+)"[^>]*?value="([^"]*)"', page.text))
    page = root.post(page.url, data=given, headers={"Referer": page.url})
    assert page.url.startswith(f"{plain_hub.url}{bob.home}"), page.text
    assert page.status_code == 403
    assert "This page is somebody else" in page.text


def test_a_dashboard_runs_and_knows_its_viewer(bob: Guest) -> None:
    page = bob.dashboard("user", "who")
    assert page.ok
    assert "<title>Who · Atrium</title>" in page.text
    payload = json.loads(_payload(session_token(page)))
    assert payload["cookies"] == {}
    assert set(payload["headers"]) <= {"User-Agent", "Accept-Language", "Host", "Cookie"}
    assert not payload["headers"].get("Cookie")
    with open_socket(bob, f"{bob.home}dashboards/user/who/ws", session_token(page)) as socket:
        document = _document(socket)
        assert '"#bob/user/bob/None/[]"' in document
        button = re.search(r'"name":"panel.models.widgets.Button","id":"([^"]+)"', document)
        assert button, document
        _click(socket, button[1])
        assert "callback: bob" in _until(socket, "callback: bob")
    with open_socket(bob, f"{bob.home}dashboards/user/who/ws", session_token(page)) as socket:
        assert "periodic: bob" in _document(socket)


def test_the_first_state_comes_with_the_page(bob: Guest) -> None:
    page = bob.dashboard("user", "cells")
    state = first_state(page)
    assert "an output" in str(json.loads(state))
    assert "<" not in state  # nothing ends the element that it stands in
    with open_socket(bob, f"{bob.home}dashboards/user/cells/ws", session_token(page)) as socket:
        _until(socket, "ACK")
        assert json.loads(_until(socket, '"doc"')) == {"doc": None}  # unasked
        _send(socket, "PULL-DOC-REQ", {})  # a page that lost its connection
        assert "an output" in _until(socket, '"doc"')
    with open_socket(bob, f"{bob.home}dashboards/user/cells/ws", session_token(page)) as socket:
        _until(socket, "ACK")
        _send(socket, "PULL-DOC-REQ", {})
        assert "an output" in _until(socket, '"doc"')  # the first that is told


def test_a_state_that_has_changed_since_the_page_is_sent_anew(bob: Guest) -> None:
    page, changed = bob.dashboard("user", "changes"), bob.hub.notebooks / "user" / "changed"
    wait_until(changed.exists, "a change after the page", log=bob.hub.log)
    with open_socket(bob, f"{bob.home}dashboards/user/changes/ws", session_token(page)) as socket:
        _until(socket, "ACK")
        assert "after" in _until(socket, '"doc"')


def test_a_dashboard_asks_for_no_other_host(bob: Guest) -> None:
    for name in ("who", "cells", "own"):
        page = bob.dashboard("user", name)
        asked = re.findall(r'(?:src|href)="((?:https?:)?//[^"]*)"', page.text)
        assert asked == []
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'self' data: blob:;" in policy
        assert "frame-ancestors 'self'" in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_scripts_are_fetched_ahead_under_their_true_addresses(bob: Guest) -> None:
    page = bob.dashboard("user", "who").text
    used = re.findall(r'<script[^>]* src="/user/bob/(static/(?!atrium)[^"]*\?v=[^"]*)"', page)
    assert used == list(usual_scripts())  # each once
    assert page.index(used[-1]) < page.index('id="dashboard"')  # before the notebook has run
    assert set(re.findall(r'rel="preload" as="script" href="/user/bob/([^"]*)"', page)) == {*used}
    script = bob.get(bob.home + usual_scripts()[0])
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_sheets_may_be_kept_for_good_and_are_fetched_ahead(bob: Guest) -> None:
    page = bob.dashboard("user", "cells").text
    sheets = re.findall(r'"url":"/user/bob/(static/extensions/panel/[^"]*)"', page)
    assert sheets
    assert set(sheets) <= set(usual_styles())


def test_a_page_of_its_own_keeps_a_way_back(bob: Guest) -> None:
    page = bob.dashboard("user", "own")
    assert 'href="/user/bob/?all"' in page.text
    assert 'href="/hub/logout"' in page.text
    assert 'id="waiting"' not in page.text


def test_a_page_that_loads_once_more_is_no_other_opening(bob: Guest) -> None:
    first, again, later = (bob.get(f"{bob.home}dashboards/user/hidden_own").text for _ in range(3))
    assert "location.reload()" in first
    assert "location.reload()" not in again
    keys = [page.partition('data-opening="')[2].partition('"')[0] for page in (first, again, later)]
    assert keys[0]
    assert keys[0] == keys[1] != keys[2]


def test_a_socket_needs_cookie_and_token(ann: Guest, bob: Guest) -> None:
    path = f"{bob.home}dashboards/user/cells/ws"
    token = session_token(bob.dashboard("user", "cells"))
    for guest, cookies in ((bob, False), (ann, True)):
        with pytest.raises(InvalidStatus) as refused:
            open_socket(guest, path, token, cookies=cookies)
        assert refused.value.response.status_code == 403
    for wrong, other in (
        (path, "made-up"),
        (path.replace("cells", "who"), token),
        (path.replace("user/cells", "finance/money"), token),
    ):
        with pytest.raises(InvalidStatus) as refused:
            open_socket(bob, wrong, other)
        assert refused.value.response.status_code in {403, 404}
    with open_socket(bob, path, token) as socket:
        assert "an output" in _document(socket)


def test_what_went_wrong_in_a_callback_is_told_to_admins_only(ann: Guest, bob: Guest) -> None:
    event = {"kind": "ModelChanged", "model": {"id": "no-such"}, "attr": "x", "new": 1}
    for guest, told in ((bob, False), (ann, True)):
        token = session_token(guest.dashboard("user", "cells"))
        with open_socket(guest, f"{guest.home}dashboards/user/cells/ws", token) as socket:
            _until(socket, '"doc"')  # before it the server does not listen
            _send(socket, "PATCH-DOC", {"events": [event]})
            answers = [str(socket.recv(timeout=20)) for _ in range(3)]
        assert any('"ERROR"' in answer for answer in answers)
        assert any("Traceback" in answer for answer in answers) == told


def test_a_socket_from_a_page_of_another_host_is_refused(bob: Guest) -> None:
    token = session_token(bob.dashboard("user", "cells"))
    path = f"{bob.home}dashboards/user/cells/ws"
    cookie = "; ".join(f"{c.name}={c.value}" for c in bob.cookies if path.startswith(c.path))
    with pytest.raises(InvalidStatus) as refused:
        connect(
            bob.hub.url.replace("http:", "ws:") + path,
            subprotocols=["bokeh", token],  # pyright: ignore[reportArgumentType]
            additional_headers={"Cookie": cookie},
            origin="http://evil.test",  # pyright: ignore[reportArgumentType]
            proxy=None,
        )
    assert refused.value.response.status_code == 403


def test_a_notebook_finds_no_token_and_runs_in_its_folder(plain_hub: PlainHub, bob: Guest) -> None:
    page = bob.dashboard("user", "peek")
    session_token(page)
    peeked = (plain_hub.notebooks / "user/peeked.txt").read_text()
    assert "JUPYTERHUB_USER" in peeked
    assert not re.search(r"JUPYTERHUB_API_TOKEN['\"]?[=:] ?['\"]?(?!x*\0)\w", peeked)
    for cookie in bob.cookies:
        if cookie.value and len(cookie.value) > 16:
            assert cookie.value not in peeked


@pytest.mark.parametrize("name", ["broken", "leaves", "wrong_callback"])
def test_a_broken_notebook_has_a_page_and_only_admins_see_why(
    plain_hub: PlainHub, ann: Guest, bob: Guest, name: str
) -> None:
    page = bob.dashboard("user", name).text
    assert "This dashboard could not be drawn" in page
    assert "Traceback" not in page
    assert "told to" not in page
    found = re.search(r"Reference: <code>(\w+)</code>", page)
    assert found
    wait_until(lambda: f"reference {found[1]}" in plain_hub.log(), "the log", plain_hub.log)
    full = ann.dashboard("user", name).text
    assert "Traceback" in full
    assert f"{name}.ipynb, cell" in full
    assert "<b>nobody" not in full
    assert "Cells" in bob.get(bob.home).text
    assert bob.dashboard("user", "cells").ok


def test_a_notebook_comes_and_goes_without_a_restart(plain_hub: PlainHub, bob: Guest) -> None:
    assert bob.dashboard("user", "new one").status_code == 404
    path = write_notebook(plain_hub.notebooks / "user/new one.ipynb", markdown("# Fresh"))
    assert "Fresh" in bob.get(bob.home).text
    page = bob.dashboard("user", quote("new one"))
    assert page.ok
    write_notebook(path, markdown("# Changed"), code("1"))
    assert "Changed" in bob.dashboard("user", quote("new one")).text
    path.unlink()
    assert bob.dashboard("user", quote("new one")).status_code == 404
    token, socket = session_token(page), f"{bob.home}dashboards/user/{quote('new one')}/ws"
    with pytest.raises(InvalidStatus):
        open_socket(bob, socket, token)


def test_the_admin_folder_runs_in_a_server_of_its_own(plain_hub: PlainHub, ann: Guest) -> None:
    sent = ann.dashboard("admin", "hub", params={"a": "b"}, allow_redirects=False)
    assert sent.status_code == 302
    assert sent.headers["Location"] == (
        "/hub/spawn/ann/admin?next=%2Fuser%2Fann%2Fadmin%2Fdashboards%2Fadmin%2Fhub%3Fa%3Db"
    )
    ann.start("admin")
    page = ann.get(f"{ann.home}admin/dashboards/admin/hub")
    session_token(page)
    read = (plain_hub.notebooks / "admin/read.txt").read_text()
    assert "'ann'" in read
    assert "('ann', 'admin', True, None)" in read  # this hub tells nothing of memory
    assert ann.get(f"{ann.home}admin/dashboards/user/cells").status_code == 404
    assert ann.get(f"{ann.home}admin/", allow_redirects=False).headers["Location"] == ann.home
    refused = ann.dashboard("user", "asks").text
    assert "PermissionError: Only notebooks in the folder" in refused


def test_no_log_line_has_a_token_or_a_code(plain_hub: PlainHub, bob: Guest) -> None:
    log = plain_hub.log()
    ours = "\n".join(line for line in log.splitlines() if "dashboards." in line)
    assert "oauth_callback" in ours
    assert "code=" not in ours
    assert "state=" not in ours
    for cookie in bob.cookies:
        if cookie.value and len(cookie.value) > 16:
            assert cookie.value not in ours


def _payload(token: str) -> bytes:
    """What a session token says, as far as it is not packed."""
    body = token.split(".")[0]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    packed = claims["__bk__zlib_"]
    return zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))


def _document(socket: ClientConnection) -> str:
    """The document of a session, as Bokeh sends it."""
    _until(socket, "ACK")
    _send(socket, "PULL-DOC-REQ", {})
    return _until(socket, '"roots"')


def _click(socket: ClientConnection, button: str) -> None:
    event = {
        "kind": "MessageSent",
        "msg_type": "bokeh_event",
        "msg_data": {
            "type": "event",
            "name": "button_click",
            "values": {"type": "map", "entries": [["model", {"id": button}]]},
        },
    }
    _send(socket, "PATCH-DOC", {"events": [event]})


def _send(socket: ClientConnection, kind: str, content: dict) -> None:
    socket.send(json.dumps({"msgid": kind, "msgtype": kind}))
    socket.send("{}")
    socket.send(json.dumps(content))


def _until(socket: ClientConnection, text: str) -> str:
    """Read until a part has this text."""
    while True:
        part = socket.recv(timeout=10)
        if isinstance(part, str) and text in part:
            return part


def test_shared_cells_run_as_all_others_on_a_hub_that_runs_none(
    plain_hub: PlainHub, bob: Guest
) -> None:
    assert session_token(bob.dashboard("user", "shared"))
    assert (plain_hub.notebooks / "user" / "made.txt").read_text() == "bob"
    assert "shared cells of user/shared run for this viewer alone" in plain_hub.log()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("input('who?')", "asks for keyboard input, which a page cannot give"),
        ("import getpass\ngetpass.getpass()", "asks for keyboard input, which a page cannot give"),
        ("files = !ls", "read them with Python instead"),
        ("import os\nos._exit(3)", "Something in it went wrong"),
        ("def f(:", "Something in it went wrong"),
        ("await 1", "Something in it went wrong"),
    ],
    ids=["input", "getpass", "shell", "exit", "syntax", "await"],
)
def test_what_a_page_cannot_do_is_told(
    plain_hub: PlainHub, bob: Guest, source: str, sentence: str
) -> None:
    path = write_notebook(plain_hub.notebooks / "user" / "cannot.ipynb", code(source))
    try:
        page = bob.dashboard("user", "cannot").text
    finally:
        path.unlink()
    assert sentence in page
    assert re.search(r"Reference: <code>\w{8}</code>", page)
    assert session_token(bob.dashboard("user", "who"))  # nobody else is disturbed


def test_a_notebook_of_another_kernel_says_so_to_those_who_may_see_its_folder(
    plain_hub: PlainHub, ann: Guest, bob: Guest
) -> None:
    kernel = {"kernelspec": {"name": "ir", "language": "R"}}
    paths = [
        write_notebook(plain_hub.notebooks / folder / "other.ipynb", code("x <- 1"), **kernel)
        for folder in ("user", "finance")
    ]
    try:
        assert "is written in R" in ann.get(f"{ann.home}?all").text
        assert "is written in R" not in bob.get(f"{bob.home}?all").text
        for page in (ann.dashboard("user", "other"), bob.dashboard("user", "other")):
            assert (page.status_code, NOT_HERE in page.text) == (404, False)
            assert "is written in R; only those in Python can be shown" in page.text
        there, missing = bob.dashboard("finance", "other"), bob.dashboard("finance", "othex")
        assert NOT_HERE in there.text
        assert there.text.replace("other", "othex") == missing.text
    finally:
        for path in paths:
            path.unlink()
