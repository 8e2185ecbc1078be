"""The lab: who gets one, what it may do and see, and when it ends."""

from __future__ import annotations

import json
import re
import stat
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from websockets.exceptions import InvalidStatus

from tests.conftest import StartHub
from tests.dashboards.notebooks import code, notebook
from tests.hub import FEW_SERVERS, Hub, wait_until
from tests.labs import Lab
from tests.person import SIGNED_OUT, Person, answers, closed_with

ADMIN, ANALYST, MEMBER = "admin@acme.test", "analyst@acme.test", "member@acme.test"
ONLY = "This is for people who write dashboards."
FIRST = "as/member/dashboards/work/first_dashboard"
WHO = """
import panel as pn
from dashboards import current_user
user = current_user()
told = [user.tenant, *user.groups, *user.roles, pn.state.user_info["groups"]]
pn.pane.Str(f"told {told}").servable()
"""
ENCRYPTED = """
import json
from ipykernel.connect import get_connection_file
with open(get_connection_file()) as file:
    print("curve_secretkey" in json.load(file))
"""
#: Browsers send it from the hub's own pages.
OURS = {"Sec-Fetch-Site": "same-origin"}
#: Tells the token that code in a lab has.
TOKEN = "import os; print(os.environ['JUPYTERHUB_API_TOKEN'])"
#: What a lab's token may do: what a server's may, and what JupyterHub reads into that, and publish.
SCOPES = {
    "access:servers!server=analyst@acme.test/lab",
    "custom:atrium:publish",
    "read:users:activity!user=analyst@acme.test",
    "read:users:groups!user=analyst@acme.test",
    "read:users:name!user=analyst@acme.test",
    "users:activity!user=analyst@acme.test",
}


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    return start_hub(**FEW_SERVERS, ATRIUM_REVOKE_SECONDS="5")


@pytest.fixture(scope="module")
def analyst(hub: Hub) -> Person:
    return Person.signed_in(hub, ANALYST)


@pytest.fixture(scope="module")
def lab(analyst: Person) -> Lab:
    """One for all tests but the last, which end it."""
    return Lab(analyst)


@pytest.fixture
def member(hub: Hub) -> Iterator[Person]:
    person = Person.signed_in(hub, MEMBER)
    yield person
    person.close()


def test_only_who_writes_dashboards_gets_one(hub: Hub, analyst: Person, member: Person) -> None:
    admin = Person.signed_in(hub, ADMIN)
    for person, name in ((member, MEMBER), (admin, ADMIN)):
        page = person.get(f"/hub/spawn/{name}/lab")
        assert (page.status_code, ONLY in page.text) == (403, True)
        asked = f"/hub/api/users/{name}/servers/lab"
        assert person.post(asked, headers=person.xsrf).status_code == 403
    assert "/lab" not in member.open_dashboards().text
    assert f"/hub/spawn/{ANALYST}/lab" in analyst.open_dashboards().text


def test_while_it_does_not_run_its_address_leads_to_its_start(
    analyst: Person, member: Person
) -> None:
    analyst.open_dashboards()
    asked = f"/user/{ANALYST}/lab/lab/tree/x.ipynb"
    leads = analyst.get(asked, allow_redirects=False).headers["Location"]
    assert f"/hub/spawn/{ANALYST}/lab?next=%2Fuser%2F" in leads
    # An open page of JupyterLab goes on asking, which must not start it.
    again = analyst.get(asked, headers={"Sec-Fetch-Mode": "cors"}, allow_redirects=False)
    assert again.status_code == 424
    member.open_dashboards()
    assert member.get(f"/user/{MEMBER}/lab/lab").status_code == 404


def test_it_begins_with_a_notebook_and_its_work_is_kept(hub: Hub, lab: Lab) -> None:
    work = hub.home_of(ANALYST, "lab") / "work"
    assert [file.name for file in work.iterdir() if file.suffix] == ["first_dashboard.ipynb"]
    page = lab.person.get(lab.home)
    assert page.url.endswith("/lab/lab/tree/first_dashboard.ipynb")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_its_token_can_do_as_much_as_it_should(hub: Hub, lab: Lab) -> None:
    token = lab.run(TOKEN).strip()
    headers = {"Authorization": f"token {token}"}
    assert set(hub.api("/user", headers=headers).json()["scopes"]) == SCOPES
    asked = {"group": "user", "dashboard": "sensor_explorer"}
    for path in ("/folder-secrets", "/shared-data"):
        assert hub.api(path, "POST", json=asked, headers=headers).status_code == 403


def test_it_is_counted_beside_the_servers_of_dashboards(
    hub: Hub, analyst: Person, lab: Lab
) -> None:
    analyst.open_dashboards()
    admin = Person.signed_in(hub, ADMIN)
    headers = admin.xsrf | OURS | {"Sec-Fetch-Mode": "cors"}
    servers = admin.get("/hub/api/health-report", headers=headers).json()["servers"]
    names = [name for user in hub.api("/users").json() for name in user["servers"]]
    assert (servers["labs"], servers["ready"]) == (1, len(names) - 1)


def test_its_token_hands_a_notebook_in_and_publishes_nothing(hub: Hub, lab: Lab) -> None:
    headers = {"Authorization": f"token {lab.run(TOKEN).strip()}"}

    def ask(method: str, path: str, **more: Any) -> requests.Response:
        return hub.api(f"/publishing{path}", method, headers=headers, **more)

    content = json.dumps(notebook(code("1"))).encode()
    given = ask("POST", "/checks?name=mine", data=content)
    assert given.status_code == 201, given.text
    check, place = f"/checks/{given.json()['id']}", {"folder": "analysts", "name": "mine"}
    assert ask("GET", check).ok
    assert ask("PUT", f"{check}/files?name=a.csv", data=b"1").ok
    for method, path, more in (
        ("GET", "", {}),
        ("POST", "/checks?name=mine&folder=analysts", {"data": content}),
        ("PUT", check, {"json": place}),
        ("POST", f"{check}/publish", {"json": {}}),
        ("GET", "/dashboards/analysts/mine", {}),
        ("DELETE", "/dashboards/analysts/mine?replaces=none", {}),
        ("GET", "/dashboards/analysts/mine/versions/0", {}),
        ("POST", "/dashboards/analysts/mine/rollback", {"json": {}}),
    ):
        refused = ask(method, path, **more)
        assert refused.status_code == 403, path
        assert "hands a notebook in and does no more" in refused.json()["message"]


def test_its_code_finds_no_secret(hub: Hub, lab: Lab) -> None:
    told = lab.run("import os; print(dict(os.environ))")
    assert "ATRIUM_FILES_URL" in told
    assert not re.search("PUSH_KEY|DESCOPE|CRYPT|PROXY_TOKEN", told)
    secrets = [file.read_text().strip() for file in (hub.state / "secrets").iterdir()]
    assert secrets
    assert [secret for secret in secrets if secret in told] == []


def test_talk_with_a_kernel_is_encrypted_or_there_is_none(hub: Hub, lab: Lab) -> None:
    assert lab.run(ENCRYPTED).strip() == "True"
    kernel = hub.home_of(ANALYST, "lab") / ".local/share/jupyter/kernels/plain/kernel.json"
    kernel.parent.mkdir(parents=True)
    command = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": command, "display_name": "Plain", "language": "python"}))
    assert lab.ask("POST", "api/kernels", json={"name": "plain"}).status_code == 500


@pytest.mark.parametrize("place", ["", "absolute/", "127.0.0.1:", "absolute/127.0.0.1:"])
def test_it_leads_to_no_port_of_this_machine(hub: Hub, lab: Lab, place: str) -> None:
    port = urlsplit(hub.url).port
    for headers in ({}, {"Sec-Fetch-Site": "same-site"}, OURS):
        page = lab.person.get(f"{lab.home}proxy/{place}{port}/hub/health", headers=headers)
        assert page.status_code == 404
    with pytest.raises(InvalidStatus, match="HTTP 404"):
        lab.person.connect(f"{lab.home}proxy/{place}{port}/", "bokeh", "x")


def test_nobody_else_reaches_it_or_its_preview(hub: Hub, lab: Lab, member: Person) -> None:
    hub.api("/groups/analysts/users", "POST", json={"users": [MEMBER]})
    try:
        for path in ("lab", "api/contents", "preview/", f"preview/{FIRST}", "preview/alive"):
            assert member.get(lab.home + path).status_code in {403, 404}, path
            page = requests.get(hub.url + lab.home + path, allow_redirects=False, timeout=20)
            assert page.status_code in {302, 403}, path
            assert "work" not in page.text
        for path in (f"api/kernels/{uuid.uuid4()}/channels", f"preview/{FIRST}/ws"):
            with pytest.raises(InvalidStatus, match="HTTP 403"):
                member.connect(lab.home + path, "bokeh", "x")
        full_admin = hub.api(f"/users/{MEMBER}").request.headers["Authorization"]
        asked = f"{hub.url}{lab.home}api/contents"
        assert requests.get(asked, headers={"Authorization": full_admin}).status_code == 403
    finally:
        hub.api("/groups/analysts/users", "DELETE", json={"users": [MEMBER]})


def test_the_preview_answers_on_a_socket_of_this_account_alone(hub: Hub, lab: Lab) -> None:
    assert lab.preview().ok
    (process,) = (p for p in hub.processes() if _is_preview(p.cmdline()))
    path = Path(process.cmdline()[-1])
    assert path.is_socket()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    family = [process, *process.children(recursive=True)]
    assert [c for p in family for c in p.net_connections("tcp") if c.status == "LISTEN"] == []


def _is_preview(command: list[str]) -> bool:
    return "dashboards.lab.preview" in command


def test_a_preview_is_the_page_of_a_sample_viewer(lab: Lab) -> None:
    lab.save("who.ipynb", notebook(code(WHO)))
    viewers = [{"title": "Ann", "tenant": "initech", "groups": ["x"], "roles": ["Buyer"]}]
    lab.save("viewers.json", json.dumps(viewers))
    told = {
        "member": ["acme", "user", ["user"]],
        "customer-1": ["globex", "customers", "globex", ["customers", "globex"]],
        "admin": ["acme", "admin", "user", "Tenant Admin", ["admin", "user"]],
        "own-1": ["initech", "x", "Buyer", ["x"]],
    }
    for viewer, expected in told.items():
        page = lab.preview(f"as/{viewer}/dashboards/work/who")
        assert str(expected).replace("'", "&#x27;") in page.text, page.text[-3000:]
        assert page.headers["Cache-Control"] == "no-store"
    assert lab.preview("as/nobody/dashboards/work/who").status_code == 404
    lab.save("viewers.json", '[{"title": 3}]')
    assert "viewer 1 has no “title”" in lab.preview().text


def test_a_preview_is_live(lab: Lab) -> None:
    page = lab.preview(FIRST)
    token = page.text.partition('"token":"')[2].partition('"')[0]
    socket = lab.person.connect(f"{lab.home}preview/{FIRST}/ws", "bokeh", token)
    socket.recv(timeout=20)
    assert answers(socket)
    socket.close()


def test_its_author_reads_why_a_notebook_fails(lab: Lab) -> None:
    hostile = "</script><img src=x onerror=alert(1)>"
    lab.save(
        "broken.ipynb", notebook(code("def fails():\n    raise ValueError('the-cause')\nfails()"))
    )
    page = lab.preview("as/member/dashboards/work/broken").text
    assert "the-cause" in page
    lab.save("odd.ipynb", {**notebook(code("1")), "metadata": {"atrium": 3, "title": hostile}})
    assert hostile not in lab.preview().text


def test_a_save_is_told_to_the_page(lab: Lab) -> None:
    lab.save("saved.ipynb", notebook(code("1")))
    place = f"{lab.home}preview/changes?folder=work&name=saved"
    headers = {"Accept": "text/event-stream"}
    with lab.person.get(place, headers=headers, stream=True, timeout=20) as events:
        lines = (line for line in events.iter_lines() if line)
        before = next(lines)
        lab.save("saved.ipynb", notebook(code("2222")))
        assert next(lines) != before
    assert lab.preview("changes?folder=work&name=none").status_code == 404


def test_a_notebook_is_sent_to_be_published(hub: Hub, lab: Lab) -> None:
    form = {"folder": "work", "name": "first_dashboard"}
    send = partial(lab.person.post, f"{lab.home}preview/publish", timeout=60, allow_redirects=False)
    sent = send(data=form, headers=OURS)
    assert sent.status_code == 302
    assert re.search(r"/hub/publish\?check=[\w-]+$", sent.headers["Location"])
    own = f"http://{urlsplit(hub.url).netloc}"
    for headers in (OURS, {"Origin": own}):
        assert send(data={**form, "name": "none"}, headers=headers).status_code == 404
    for headers in (
        {},
        {"Origin": "null"},
        {"Origin": "https://elsewhere.test"},
        {"Origin": own, "Sec-Fetch-Site": "cross-site"},
        {"Origin": own, "Sec-Fetch-Site": "same-site"},
    ):
        assert send(data=form, headers=headers).status_code == 403, headers
    lab.save("needed.csv", "a,b")
    asked = send(data=form, headers=OURS)
    assert (asked.status_code, "3 Bytes" in asked.text) == (200, True)
    files = ["needed.csv", "../../../etc/passwd", ".bashrc"]  # what was not offered is not sent
    sent = send(data={**form, "chosen": "1", "file": files}, headers=OURS)
    page = lab.person.get(sent.headers["Location"])
    assert "is here, with 1 data file." in page.text


@pytest.mark.slow
def test_signing_out_asks_about_it_and_can_leave_it_running(hub: Hub, lab: Lab) -> None:
    process = hub.server_of(ANALYST, "lab")
    key = lab.run(TOKEN).strip()
    page = lab.preview(FIRST)
    token = page.text.partition('"token":"')[2].partition('"')[0]
    socket = lab.person.connect(f"{lab.home}preview/{FIRST}/ws", "bokeh", token)
    assert "Your lab is running" in lab.person.get("/hub/logout").text
    assert lab.person.is_signed_in()
    for sent_by in ({}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}):
        for wish in ("close", "keep"):
            page = lab.person.get(f"/hub/logout?lab={wish}", headers=sent_by)
            assert "Your lab is running" in page.text
    assert lab.person.is_signed_in()
    assert hub.api("/user", headers={"Authorization": f"token {key}"}).ok
    page = lab.person.get("/hub/logout?lab=keep", headers=OURS)
    assert "You are signed out" in page.text
    assert closed_with(socket) == SIGNED_OUT
    assert lab.person.get(f"{lab.home}api/contents").status_code == 403
    assert process is not None
    assert process.is_running()
    _reports_use_and_nothing_else(hub, key)
    lab.person.sign_in(ANALYST)
    assert lab.person.get(lab.home).ok
    assert hub.server_of(ANALYST, "lab") == process
    assert hub.api("/user", headers={"Authorization": f"token {key}"}).ok
    page = lab.person.get("/hub/logout?lab=close", headers=OURS)
    assert "You are signed out" in page.text
    assert hub.server_of(ANALYST, "lab") is None
    assert _report_use(hub, key) == 403
    lab.person.sign_in(ANALYST)


def _reports_use_and_nothing_else(hub: Hub, key: str) -> None:
    asked = {"headers": {"Authorization": f"token {key}"}}
    for _ in range(2):  # what is let through opens nothing else
        assert _report_use(hub, key) == 200
        assert hub.api("/user", **asked).status_code == 403
        assert hub.api(f"/users/{ANALYST}", **asked).status_code == 403
        for method, path in (("GET", ""), ("POST", "/checks?group=analysts&name=x")):
            assert hub.api(f"/publishing{path}", method, **asked).status_code == 403
    assert _report_use(hub, key, MEMBER) in {403, 404}


def _report_use(hub: Hub, key: str, name: str = ANALYST) -> int:
    headers = {"Authorization": f"token {key}"}
    use = {"servers": {"lab": {"last_activity": datetime.now(UTC).isoformat()}}}
    return hub.api(f"/users/{name}/activity", "POST", json=use, headers=headers).status_code


@pytest.mark.slow
def test_it_ends_when_the_provider_signs_its_owner_out(hub: Hub, analyst: Person) -> None:
    Lab(analyst)
    hub.project.mgmt.user.logout_user(ANALYST)
    wait_until(lambda: hub.server_of(ANALYST, "lab") is None, "the end of the lab", seconds=20)
    analyst.sign_in(ANALYST)


@pytest.mark.slow
def test_an_admin_who_signs_somebody_out_ends_it(hub: Hub, analyst: Person) -> None:
    Lab(analyst)
    assert hub.api(f"/users/{ANALYST}/sign-out", "POST").status_code == 204
    assert hub.server_of(ANALYST, "lab") is None
    analyst.sign_in(ANALYST)


def test_it_ends_with_the_right_to_it(hub: Hub, analyst: Person) -> None:
    again = Lab(analyst)
    assert again.preview().ok
    assert "who.ipynb" in again.preview().text
    hub.project.set_roles(ANALYST, "acme")
    wait_until(lambda: hub.server_of(ANALYST, "lab") is None, "the end of the lab", seconds=30)
    wait_until(lambda: not any(_is_preview(p.cmdline()) for p in hub.processes()), "its preview's")
    spawn = f"/hub/spawn/{ANALYST}/lab"
    wait_until(lambda: ONLY in analyst.get(spawn).text, "the word for it")
    assert (hub.home_of(ANALYST, "lab") / "work" / "who.ipynb").exists()
