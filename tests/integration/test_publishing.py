"""Publishing, from a notebook to a dashboard, on a real hub."""

from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psutil
import pytest
import requests
from descope import AssociatedTenant

from tests.attacks.without import without
from tests.conftest import StartHub
from tests.hub import Hub, wait_until
from tests.person import PULL, Person, answers

ADMIN, ANALYST, MEMBER = "admin@acme.test", "analyst@acme.test", "member@acme.test"
BOSS = "boss@globex.test"
#: Has the hub write down the token of each server.
TELL = """
import pathlib
from hub_extensions.spawner import DashboardSpawner
user_env = DashboardSpawner.user_env
def tell_token(spawner, env):
    pathlib.Path("{folder}", spawner.user.name).write_text(env["JUPYTERHUB_API_TOKEN"])
    return user_env(spawner, env)
DashboardSpawner.user_env = tell_token
"""


def notebook(*cells: str, markdown: str = "# Costs", **metadata: Any) -> bytes:
    """A notebook of format 4, with an output to each cell."""
    output = {"output_type": "stream", "name": "stdout", "text": "CANARY of its author"}
    code = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {},
            "source": cell,
            "execution_count": 7,
            "outputs": [output],
        }
        for number, cell in enumerate(cells)
    ]
    first = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": markdown}
    return json.dumps(
        {"cells": [first, *code], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    ).encode()


class Desk:
    """Somebody who publishes by the API, as their browser would or with a token."""

    def __init__(self, person: Person, token: str = "") -> None:
        self.person = person
        self.session = requests.Session() if token else person
        self.headers = {"Authorization": f"token {token}"} if token else person.xsrf
        self.headers |= {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"{self.person.hub.url}/hub/api/publishing{path}"
        return self.session.request(method, url, headers=self.headers, timeout=90, **options)

    def check(
        self, content: bytes, folder: str, name: str = "costs", **data: bytes
    ) -> dict[str, Any]:
        """Hand a notebook in, and data files, and wait for what is found out about it."""
        given = {"folder": folder, "name": name}
        first = {"name": name} if data else given
        answer = self.ask("POST", "/checks", params=first, data=content)
        assert answer.status_code == 201, answer.text
        check_id = answer.json()["id"]
        for path, file in data.items():
            added = self.ask("PUT", f"/checks/{check_id}/files", params={"name": path}, data=file)
            assert added.ok, added.text
        if data:
            assert self.ask("PUT", f"/checks/{check_id}", json=given).ok
        return wait_until(
            lambda: (
                (told := self.ask("GET", f"/checks/{check_id}?wait=20").json())["state"] == "done"
                and told
            ),
            "the end of a check",
            seconds=60,
        )

    def publish(self, check: dict[str, Any], **more: Any) -> requests.Response:
        return self.ask("POST", f"/checks/{check['id']}/publish", json=more)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the hub writes the tokens of people's servers."""
    return tmp_path_factory.mktemp("told")


@pytest.fixture(scope="module")
def hub(start_hub: StartHub, told: Path) -> Hub:
    """Has the groups finance and finance.publish; the analyst is in both, the member in the first.
    The boss manages the customer globex."""
    hub = start_hub(**without(told, TELL.format(folder=told)))
    hub.project.mgmt.user.create(
        BOSS,
        email=BOSS,
        verified_email=True,
        display_name="Boss",
        user_tenants=[AssociatedTenant("globex", ["Tenant Admin"])],
    )
    for email in (ADMIN, ANALYST, MEMBER, BOSS):
        Person(hub).sign_in(email)
    for group, members in (("finance", [ANALYST, MEMBER]), ("finance.publish", [ANALYST])):
        made = hub.api(f"/groups/{group}", "POST", json={"users": members})
        assert made.status_code == 201, made.text
    return hub


@pytest.fixture(scope="module")
def analyst(hub: Hub) -> Desk:
    return Desk(Person.signed_in(hub, ANALYST))


@pytest.fixture(scope="module")
def admin(hub: Hub) -> Desk:
    return Desk(Person.signed_in(hub, ADMIN))


def new_token(person: Person, **more: Any) -> str:
    """A token that somebody makes on JupyterHub's page of tokens."""
    name, headers = person.cookies_name(), person.xsrf | {"Sec-Fetch-Mode": "cors"}
    made = person.post(f"/hub/api/users/{name}/tokens", headers=headers, json={"note": "", **more})
    assert made.status_code == 201, made.text
    return made.json()["token"]


def test_a_notebook_becomes_a_dashboard_and_goes_back(hub: Hub, analyst: Desk, admin: Desk) -> None:
    """The folder is made with it. Who has it open keeps what they have."""
    (target,) = [
        target
        for target in analyst.ask("GET", "").json()["folders"]
        if target["folder"] == "finance"
    ]
    # The analyst, the member, and the admin who sees every folder.
    assert (target["people"], target["is_there"]) == (3, False)
    first = analyst.check(notebook("import panel as pn\npn.panel('FIRST')"), "finance")
    assert (first["refusal"], first["is_new"], first["outputs"]) == ("", True, 1)
    assert 0 < first["trial"]["seconds"] < 60
    done = analyst.publish(first, note="As it was")
    assert done.ok, done.text
    assert done.json()["url"] == f"{hub.url}/hub/user-redirect/dashboards/finance/costs"
    file = hub.notebooks / "finance" / "costs.ipynb"
    assert "FIRST" in file.read_text()
    assert "CANARY" not in file.read_text()

    # Tried in the folder as it is, which no server has opened yet.
    second = analyst.check(notebook("import panel as pn\npn.panel('SECOND')"), "finance")
    assert second["refusal"] == "", second

    member = Person.signed_in(hub, MEMBER)
    assert 'hub/publish"' not in member.open_dashboards().text
    socket = member.watch("finance", "costs")
    assert answers(socket)
    assert [change["kind"] for change in second["changes"]] == ["changed"]
    assert second["changes"][0]["before"].endswith("pn.panel('FIRST')")
    assert analyst.publish(second).ok
    for part in PULL:
        socket.send(json.dumps(part))
    kept = wait_until(lambda: "roots" in (said := str(socket.recv(timeout=20))) and said, "it")
    assert "FIRST" in kept
    assert "SECOND" not in kept
    fresh = member.watch("finance", "costs")
    for part in PULL:
        fresh.send(json.dumps(part))
    shown = wait_until(lambda: "roots" in (said := str(fresh.recv(timeout=20))) and said, "it")
    assert "SECOND" in shown
    member.close()

    known = analyst.ask("GET", "/dashboards/finance/costs").json()
    newest, oldest = known["versions"]
    assert (oldest["by"], oldest["note"], newest["by"]) == (ANALYST, "As it was", ANALYST)
    assert known["shown"] == newest["id"]
    one = analyst.ask("GET", f"/dashboards/finance/costs/versions/{oldest['id']}").json()
    assert "FIRST" in one["notebook"]
    assert [change["kind"] for change in one["changes"]] == ["changed"]
    given = {"version": oldest["id"], "replaces": known["present"]}
    assert analyst.ask("POST", "/dashboards/finance/costs/rollback", json=given).ok
    assert "FIRST" in file.read_text()
    stale = analyst.ask(
        "DELETE", "/dashboards/finance/costs", params={"replaces": known["present"]}
    )
    assert stale.status_code == 409
    now = analyst.ask("GET", "/dashboards/finance/costs").json()["present"]
    assert analyst.ask("DELETE", "/dashboards/finance/costs", params={"replaces": now}).ok
    assert not file.exists()
    assert len(analyst.ask("GET", "/dashboards/finance/costs").json()["versions"]) == 4
    trail = admin.person.get("/hub/api/audit?search=finance", headers=admin.headers).json()
    told = [
        (record["action"], record["details"]["dashboard"])
        for record in trail["records"]
        if record["action"].startswith("dashboard-") and record["action"] != "dashboard-opened"
    ]
    actions = ("removed", "rolled-back", "published", "tried", "published", "tried")
    assert sorted(told) == sorted((f"dashboard-{action}", "costs") for action in actions)


def test_of_two_who_publish_at_once_the_second_is_told(admin: Desk, analyst: Desk) -> None:
    mine = analyst.check(notebook("'mine'"), "finance", "both")
    theirs = admin.check(notebook("'theirs'"), "finance", "both")
    assert admin.publish(theirs).ok
    late = analyst.publish(mine)
    assert late.status_code == 409
    assert late.json()["message"].startswith(f"{ADMIN} has published finance/both meanwhile")
    assert late.json()["version"]["by"] == ADMIN
    over = analyst.publish(mine, replaces=late.json()["present"])
    assert over.ok, over.text


@pytest.mark.slow
def test_data_files_come_with_a_notebook_and_go_back_with_it(
    hub: Hub, analyst: Desk, admin: Desk
) -> None:
    """It is tried with them, in a folder that has others."""
    reads = notebook("open('data.csv').read() + open('lookup/regions.json').read()")
    folder = hub.notebooks / "finance"
    first = {"data.csv": b"a,b\n", "lookup/regions.json": b'{"token": "a8f5f167f44f4964"}'}
    check = analyst.check(reads, "finance", "reads", **first)
    assert (check["refusal"], check["asks"]) == ("", False), check
    told = [(one["name"], one["kind"], one["after"]) for one in check["data"]]
    assert told == [("data.csv", "added", 4), ("lookup/regions.json", "added", 29)]
    (secret,) = check["secrets"]
    assert (secret["file"], secret["line"]) == ("lookup/regions.json", 1)
    late = {"params": {"name": "late.csv"}, "data": b""}
    assert analyst.ask("PUT", f"/checks/{check['id']}/files", **late).status_code == 409
    assert admin.ask("PUT", f"/checks/{check['id']}/files", **late).status_code == 404
    assert not (folder / "data.csv").exists()
    assert analyst.publish(check, not_secret=True).ok
    assert (folder / "data.csv").read_bytes() == b"a,b\n"

    other = analyst.check(reads, "finance", "other", **{"data.csv": b"others"})
    assert other["refusal"].startswith("data.csv came with reads, with other content")
    check = analyst.check(reads, "finance", "reads", **{"data.csv": b"a,b,c\n"})
    assert (check["refusal"], [one["kind"] for one in check["data"]]) == ("", ["changed"])
    assert analyst.publish(check).ok
    assert (folder / "data.csv").read_bytes() == b"a,b,c\n"

    # The disk is full in the middle: nothing that is seen, or kept, has changed.
    large = {"data.csv": b"", "large.csv": bytes(20_000_000 // 2)}
    check = analyst.check(reads, "finance", "reads", **large)
    assert hub.process
    before = hub.process.rlimit(psutil.RLIMIT_FSIZE)
    hub.process.rlimit(psutil.RLIMIT_FSIZE, (9_000_000, before[1]))
    try:
        full = analyst.publish(check)
    finally:
        hub.process.rlimit(psutil.RLIMIT_FSIZE, before)
    assert (full.status_code, "no room left" in full.text) == (507, True), full.text
    assert (folder / "data.csv").read_bytes() == b"a,b,c\n"
    assert not (folder / "large.csv").exists()

    known = analyst.ask("GET", "/dashboards/finance/reads").json()
    newest, oldest = known["versions"]
    page = analyst.person.get(f"/hub/versions/finance/reads?look={newest['id']}").text
    assert "<b>data.csv</b> changed, " in page
    one = analyst.ask("GET", f"/dashboards/finance/reads/versions/{oldest['id']}").json()
    assert one["data"] == {"data.csv": 4, "lookup/regions.json": 29}
    given = {"version": oldest["id"], "replaces": known["present"]}
    assert analyst.ask("POST", "/dashboards/finance/reads/rollback", json=given).ok
    assert (folder / "data.csv").read_bytes() == b"a,b\n"
    present = analyst.ask("GET", "/dashboards/finance/reads").json()["present"]
    gone = {"params": {"replaces": present}}
    assert analyst.ask("DELETE", "/dashboards/finance/reads", **gone).ok
    trail = admin.person.get("/hub/api/audit?search=reads", headers=admin.headers).json()
    changes = [one for one in trail["records"] if one["action"] != "dashboard-tried"]
    assert [record["details"].get("files") for record in changes] == [
        "data.csv, lookup/regions.json",
        "data.csv",
        "data.csv",
        "data.csv, lookup/regions.json",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../costs.ipynb",
        "/etc/passwd",
        ".env",
        "a\\b",
        "a\0b",
        "other.ipynb",
        "x" * 999,
        "",
        b"a\xff",
    ],
)
def test_a_data_file_is_below_the_notebooks_folder(
    name: str | bytes, analyst: Desk, hub: Hub
) -> None:
    check = analyst.ask("POST", "/checks", params={"name": "x"}, data=notebook("1")).json()
    given = {"params": {"name": name}, "data": b"x"}
    refused = analyst.ask("PUT", f"/checks/{check['id']}/files", **given)
    assert refused.status_code == 400, refused.text
    assert not (hub.notebooks / "costs.ipynb").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no JSON", "not valid JSON"),
        (b'{"cells": 7}', "no list of cells"),
        (b'{"cells": [], "nbformat": 3, "metadata": {}}', "format other than 4"),
        (b'{"cells": [{"cell_type": "raw"}], "nbformat": 4}', "not as notebooks are"),
        (notebook(language_info={"name": "R"}), "written in R"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"cells": [], "nbformat": 4, "x": "' + b"x" * 50_000_000 + b'"}', "too large"),
    ],
    ids=["text", "cells", "old", "odd", "language", "deep", "large"],
)
def test_what_cannot_be_published_is_refused_with_a_sentence(
    content: bytes, said: str, analyst: Desk, hub: Hub
) -> None:
    check = analyst.check(content, "finance", "broken")
    assert said in check["refusal"]
    refused = analyst.publish(check, anyway=True)
    assert (refused.status_code, refused.json()["message"]) == (400, check["refusal"])
    assert not (hub.notebooks / "finance" / "broken.ipynb").exists()


def test_what_its_author_decides_is_published_on_their_word(
    analyst: Desk, admin: Desk, hub: Hub
) -> None:
    cells = "password = 'correct-horse'", "from dashboards import current_user\ncurrent_user()"
    check = analyst.check(notebook(*cells), "finance", "decided")
    assert (check["refusal"], check["asks"], len(check["secrets"])) == ("", True, 1)
    for said in ({}, {"anyway": True}, {"not_secret": True}, {"anyway": 1, "not_secret": "yes"}):
        assert analyst.publish(check, **said).status_code == 400
    assert analyst.publish(check, anyway=True, not_secret=True).ok
    assert (hub.notebooks / "finance" / "decided.ipynb").exists()
    assert "correct-horse" not in hub.log_text()
    trail = admin.person.get("/hub/api/audit?search=finance", headers=admin.headers).json()
    records = [one for one in trail["records"] if one["details"].get("dashboard") == "decided"]
    assert {one["action"] for one in records[1:]} == {"dashboard-tried"}  # before it was published
    record = records[0]
    assert (record["details"]["anyway"], record["details"]["not_secret"]) == ("yes", "yes")


@pytest.mark.parametrize("path", ["/hub/publish/check", "/hub/api/publishing/checks?name=x"])
def test_an_upload_is_refused_by_its_headers(path: str, hub: Hub, analyst: Desk) -> None:
    """Who may send none, or sends too much, is answered while little of it has come."""
    member = Person.signed_in(hub, BOSS)
    for person, length, status in ((member, 9_000_000, 403), (analyst.person, 60_000_000, 413)):
        headers = person.xsrf | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
        request = requests.Request("POST", hub.url + path, headers=headers)
        sent = {**person.prepare_request(request).headers, "Content-Length": str(length)}
        connection = HTTPConnection(urlsplit(hub.url).netloc, timeout=20)
        connection.putrequest("POST", path)
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(b"a beginning")  # the proxy waits for one
        assert connection.getresponse().status == status
        connection.close()


def test_who_sends_many_files_at_once_waits_and_a_broken_one_is_forgotten(
    hub: Hub, analyst: Desk
) -> None:
    path = "/hub/api/publishing/checks?name=x"
    headers = analyst.headers | {"Content-Length": "4000000"}
    request = requests.Request("POST", hub.url + path, headers=headers)
    sent = {**analyst.person.prepare_request(request).headers, **headers}

    def begin() -> HTTPConnection:
        connection = HTTPConnection(urlsplit(hub.url).netloc, timeout=2)
        connection.putrequest("POST", path)
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(b"a beginning")
        return connection

    def is_taken(connection: HTTPConnection) -> bool:
        try:
            assert connection.getresponse().status == 429
        except TimeoutError:
            return True
        return False

    begun = [begin(), begin()]
    assert all(map(is_taken, begun))
    assert not is_taken(begin())
    for connection in begun:
        connection.close()
    wait_until(
        lambda: analyst.ask("POST", "/checks?name=x", data=notebook("1")).status_code == 201,
        "room for another",
    )


def test_what_is_large_and_no_file_is_not_read(hub: Hub) -> None:
    """Nobody need be signed in to send it."""
    for path in ("/hub/login", "/hub/oauth_callback", "/hub/api/users"):
        connection = HTTPConnection(urlsplit(hub.url).netloc, timeout=20)
        connection.putrequest("POST", path)
        connection.putheader("Content-Length", "2000000")
        connection.endheaders(b"a beginning")
        assert connection.getresponse().status in {400, 503}
        connection.close()


def test_a_notebook_that_another_site_sends_is_refused(analyst: Desk) -> None:
    (own,) = analyst.person.xsrf.values()
    for token, status in ((None, 403), ("2|guessed", 403), (own, 200)):
        sent = {
            "data": {"folder": "finance", "name": "forged", "_xsrf": token},
            "files": {"notebook": ("x.ipynb", notebook("1"))},
        }
        assert analyst.person.post("/hub/publish/check", **sent).status_code == status, token


def test_a_right_is_asked_for_each_time(hub: Hub, analyst: Desk, admin: Desk) -> None:
    """To another folder, by another's check, after the right is gone."""
    check = analyst.check(notebook("1"), "finance", "rights")
    for folder in ("user", "admin", "nothing", "finance.publish", "..", ".versions.git"):
        answer = analyst.ask("POST", "/checks", params={"folder": folder, "name": "x"}, data=b"{}")
        assert (answer.status_code, answer.json()["message"]) == (
            403,
            "You may not publish to this folder.",
        )
        aimed = analyst.ask("PUT", f"/checks/{check['id']}", json={"folder": folder, "name": "x"})
        assert aimed.status_code == 403
    for name in ("a/b", "../x", ".x", "", "x\u200b", "x" * 201):
        answer = analyst.ask(
            "POST", "/checks", params={"folder": "finance", "name": name}, data=b"{}"
        )
        assert answer.status_code == 400, name
    assert admin.ask("GET", f"/checks/{check['id']}").status_code == 404
    assert admin.publish(check).status_code == 404
    no_one = Desk(Person.signed_in(hub, MEMBER))
    assert no_one.ask("GET", "").status_code == 403
    assert no_one.ask("GET", "/dashboards/finance/told").status_code == 403
    taken = {"users": [ANALYST]}
    assert hub.api("/groups/finance.publish/users", "DELETE", json=taken).ok
    assert analyst.publish(check).status_code == 404
    assert hub.api("/groups/finance.publish/users", "POST", json=taken).ok
    assert analyst.ask("GET", f"/checks/{check['id']}").status_code == 404  # it was dropped


def test_who_signs_out_leaves_no_check(admin: Desk) -> None:
    check = admin.check(notebook("1"), "finance", "left")
    assert admin.ask("GET", f"/checks/{check['id']}").ok
    admin.person.get("/hub/logout")
    admin.person.sign_in(ADMIN)
    admin.headers |= admin.person.xsrf
    assert admin.ask("GET", "").ok
    assert admin.ask("GET", f"/checks/{check['id']}").status_code == 404


def test_who_gives_the_right(hub: Hub, admin: Desk) -> None:
    """Members of `admin`, but not to the admin folder; a customer's Tenant Admin to none."""
    boss = Desk(Person.signed_in(hub, BOSS))
    hub.api("/groups/globex.publish", "POST", json={})

    def give(desk: Desk, group: str, name: str) -> int:
        url = f"/hub/api/groups/{group}/users"
        return desk.person.post(url, headers=desk.headers, json={"users": [name]}).status_code

    assert give(boss, "globex.publish", BOSS) in {403, 404}
    assert give(admin, "globex.publish", BOSS) == 200
    made = admin.person.post("/hub/api/groups/admin.publish", headers=admin.headers, json={})
    assert made.status_code == 403
    assert hub.api("/groups/admin.publish", "POST", json={}).status_code == 201
    assert give(admin, "admin.publish", ADMIN) == 403
    folders = {target["folder"] for target in boss.ask("GET", "").json()["folders"]}
    assert folders == {"globex"}
    assert "admin" not in {target["folder"] for target in admin.ask("GET", "").json()["folders"]}


def test_a_token_publishes_but_not_that_of_a_dashboards_server(
    hub: Hub, analyst: Desk, told: Path
) -> None:
    token = new_token(analyst.person)
    check = Desk(analyst.person, token).check(notebook("1"), "analysts", "by-token")
    assert Desk(analyst.person, token).publish(check).ok
    narrow = new_token(analyst.person, scopes=["custom:atrium:publish"])
    assert Desk(analyst.person, narrow).ask("GET", "").ok
    other = new_token(analyst.person, scopes=["read:users!user"])
    assert Desk(analyst.person, other).ask("GET", "").status_code == 403

    assert 'hub/publish"' in analyst.person.open_dashboards().text
    of_server = Desk(analyst.person, (told / ANALYST).read_text())
    user = requests.get(f"{hub.url}/hub/api/user", headers=of_server.headers, timeout=20)
    assert user.ok  # it is one
    assert of_server.ask("GET", "").status_code == 403
    assert of_server.ask("POST", "/checks", params={"name": "x"}, data=b"{}").status_code == 403
    nobody = requests.post(f"{hub.url}/hub/api/publishing/checks?name=x", data=b"{}", timeout=20)
    assert nobody.status_code == 403
    plain = analyst.person.post("/hub/api/publishing/checks?name=x", data=b"{}")
    assert plain.status_code == 403  # no XSRF token


def test_hostile_words_stay_words_on_the_pages(hub: Hub, analyst: Desk) -> None:
    markup = "<img src=x onerror=alert(1)>"
    hostile = notebook(
        f"# {markup}\n1",
        markdown=f"# {markup}",
        atrium={"title": [markup], "description": {"a": 1}},
    )
    check = analyst.check(hostile, "finance", f"{markup}")
    assert check["refusal"] == "", check
    page = analyst.person.get(f"/hub/publish?check={check['id']}")
    assert page.ok
    assert "&lt;img src=x" in page.text
    assert markup not in page.text
    done = analyst.person.submit(page, note=markup)
    assert done.ok
    assert markup not in done.text
    place = quote(markup, safe="")
    versions = analyst.person.get(f"/hub/versions/finance/{place}")
    assert versions.ok, versions.text
    assert markup not in versions.text
    (version,) = analyst.ask("GET", f"/dashboards/finance/{place}").json()["versions"]
    look = analyst.person.get(f"/hub/versions/finance/{place}?look={version['id']}")
    assert "Cell 2 added" in look.text
    assert markup not in look.text
    for nothing in ("finance/nothing", f"finance/{place}?look=0123", "user/penguins"):
        assert analyst.person.get(f"/hub/versions/{nothing}").status_code in {403, 404}


def test_the_pages_show_what_admins_tell_everybody(hub: Hub, admin: Desk, analyst: Desk) -> None:
    (hub.notebooks / "finance" / "told.ipynb").write_bytes(notebook("1"))
    admin.person.submit(admin.person.get("/hub/announcement"), text="Away tonight.", kind="info")
    check = analyst.check(notebook("2"), "finance", "told")
    for page in ("publish", f"publish?check={check['id']}", "versions/finance/told"):
        assert "Away tonight." in analyst.person.get(f"/hub/{page}").text, page


@pytest.mark.slow
def test_the_command_publishes(hub: Hub, analyst: Desk, tmp_path: Path) -> None:
    token = new_token(analyst.person)
    file = tmp_path / "monthly.ipynb"
    file.write_bytes(notebook("1"))

    def atrium(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("atrium")), "publish", *arguments],
            cwd=tmp_path,
            env={"PATH": "", "ATRIUM_URL": hub.url, "ATRIUM_TOKEN": token, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    done = atrium(str(file), "--to", "finance", "--note", "By hand")
    assert done.returncode == 0, done.stderr
    assert f"{hub.url}/hub/user-redirect/dashboards/finance/monthly" in done.stdout
    assert "3 people" in done.stdout
    assert token not in done.stdout + done.stderr
    (tmp_path / "lookup").mkdir()
    (tmp_path / "lookup" / "months.json").write_text("{}")
    file.write_bytes(notebook("open('lookup/months.json').read()"))
    done = atrium(str(file), "--to", "finance", "--with", "lookup/months.json")
    assert done.returncode == 0, done.stderr
    assert "Data file lookup/months.json: added, 2 Bytes." in done.stdout
    file.write_bytes(notebook("1 / 0"))
    broken = atrium(str(file), "--to", "finance")
    assert broken.returncode == 1
    assert "does not run" in broken.stderr
