"""The command against an empty project: what an operator sees, and what it leaves behind."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.descope_project.command import HubFolder
from tests.local_descope.stand_in import FLOW, StandIn
from tests.providers import CLIENT_ID, CLIENT_SECRET, pypi_provider

pytestmark = pytest.mark.slow


def files(project: StandIn) -> dict[str, Any]:
    return project.project.mgmt.project.export_snapshot()["files"]


def test_a_new_project_is_made_ready_and_then_left_alone(
    hub_folder: HubFolder, empty: StandIn
) -> None:
    before = hub_folder.run("check")
    assert before.returncode == 1
    for words in (
        "Analyst",
        "tenant acme",
        "descope.claims",
        "/hub/oauth_callback",
        "sign-up-or-in",
    ):
        assert words in before.stdout
    assert "Not ready: 7 problems." in before.stdout

    untouched = files(empty)
    shown = hub_folder.run("push", "--dry-run")
    assert shown.returncode == 0
    assert '+    "descope.claims"' in shown.stdout
    assert "--- project/role Analyst" in shown.stdout
    assert "nothing was done" in shown.stdout
    assert files(empty) == untouched
    assert not (hub_folder.folder / ".env").exists()

    made = hub_folder.run("push", "--yes")
    assert (made.returncode, made.stderr) == (0, "")
    assert "Ready" in made.stdout
    dotenv = hub_folder.folder / ".env"
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    assert empty.project.mgmt.tenant.load("acme")["name"] == "acme"
    shipped = json.loads(FLOW.read_text())
    assert files(empty)["flows/sign-up-or-in/contents.json"] == shipped["contents"]

    after, kept = files(empty), dotenv.read_text()
    again = hub_folder.run("push", "--yes")
    assert again.returncode == 0
    assert "Nothing is to be changed" in again.stdout
    assert (files(empty), dotenv.read_text()) == (after, kept)
    checked = hub_folder.run("check")
    assert (checked.returncode, "Ready" in checked.stdout) == (0, True)


def test_what_is_there_stays(hub_folder: HubFolder, empty: StandIn) -> None:
    mgmt = empty.project.mgmt
    mgmt.role.create("Accountant", "Keeps the books")
    mgmt.role.create("Analyst", "A description of somebody else's")
    mgmt.tenant.create("Acme Ltd", id="acme", self_provisioning_domains=["acme.test"])
    mgmt.tenant.create("Other", id="other")
    empty.project.settings("project.json", sessionTokenExpiration=7)
    (hub_folder.folder / ".env").write_text("# mine\nATRIUM_STATE=there")
    (hub_folder.folder / ".env").chmod(0o600)
    assert hub_folder.run("push", "--yes").returncode == 0
    roles = {role["name"]: role["description"] for role in mgmt.role.load_all()["roles"]}
    assert roles["Analyst"] == "A description of somebody else's"
    assert roles.keys() == {"Accountant", "Analyst", "Tenant Admin"}
    tenant = mgmt.tenant.load("acme")
    assert (tenant["name"], tenant["selfProvisioningDomains"]) == ("Acme Ltd", ["acme.test"])
    assert files(empty)["project.json"]["sessionTokenExpiration"] == 7
    assert (
        (hub_folder.folder / ".env").read_text().startswith("# mine\nATRIUM_STATE=there\nDESCOPE_C")
    )


def test_it_asks_first(hub_folder: HubFolder, empty: StandIn) -> None:
    before = files(empty)
    nobody = hub_folder.run("push")
    assert nobody.returncode == 2
    assert "nobody to ask here; give --yes" in nobody.stderr
    for answer, status, words in (("n", 1, "Nothing was done"), ("", 1, "Nothing was done")):
        ended, text = at_a_terminal(hub_folder, "push", answer)
        assert (ended, words in text) == (status, True)
        assert files(empty) == before
    ended, text = at_a_terminal(hub_folder, "push", "yes")
    assert (ended, "Ready" in text) == (0, True)


def at_a_terminal(hub_folder: HubFolder, command: str, answer: str) -> tuple[int, str]:
    """Run the command where a person sits, who gives one answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        hub_folder.command(command),
        cwd=hub_folder.folder,
        env=hub_folder.environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    text, _ = process.communicate(timeout=60)
    os.close(ours)
    hub_folder.assert_no_secret(text)
    return process.returncode, text


SSO = """
[tenants.acme]
name = "Acme"
enforce_sso = true

[tenants.acme.sso]
name = "Okta"
issuer = "{issuer}"
client_id = "{client}"
client_secret = {place}
domains = ["Acme.test"]
roles = {{ Analyst = ["data"], "Tenant Admin" = ["admins"] }}
"""


def with_sso(hub_folder: HubFolder, issuer: str, place: str = '{ env = "ACME_SECRET" }') -> None:
    project = hub_folder.folder / "flows" / "project.toml"
    text = project.read_text().partition("\n[tenants")[0]
    project.write_text(text + SSO.format(issuer=issuer, client=CLIENT_ID, place=place))


def test_a_companys_provider_is_set_up_from_its_issuer(
    hub_folder: HubFolder, empty: StandIn
) -> None:
    hub_folder.environment |= {"ACME_SECRET": CLIENT_SECRET, "SECRETS": CLIENT_SECRET}
    with pypi_provider({"ann": {"email": "ann@acme.test"}}) as provider:
        with_sso(hub_folder, provider.url)
        pushed = hub_folder.run("push", "--yes")
        assert pushed.returncode == 0, pushed.stdout + pushed.stderr
        loaded = empty.project.mgmt.sso.load_settings("acme")
        assert (loaded["tenant"]["name"], loaded["tenant"]["enforceSSO"]) == ("Acme", True)
        assert loaded["tenant"]["domains"] == ["acme.test"]
        oidc = loaded["oidc"]
        assert oidc["tokenUrl"] == provider.metadata["token_endpoint"]
        assert oidc["userAttrMapping"]["group"] == "groups"
        assert {m["role"]["name"] for m in oidc["groupsMapping"]} == {"Analyst", "Tenant Admin"}
        again = hub_folder.run("push", "--yes")
        assert "Nothing is to be changed" in again.stdout
        # a new secret is sent when asked for, from a file as well
        (hub_folder.folder / "acme.secret").write_text("another-secret\n")
        with_sso(hub_folder, provider.url, '{ file = "acme.secret" }')
        hub_folder.environment["SECRETS"] += " another-secret"
        assert "Nothing is to be changed" in hub_folder.run("push", "--yes").stdout
        renewed = hub_folder.run("push", "--yes", "--renew-secrets")
        assert "single sign-on of acme: the secret alone" in renewed.stdout
        assert renewed.returncode == 0
        kept = "SELECT json_extract(body, '$.clientSecret') FROM records WHERE kind = ?"
        secret = empty.sql(kept, "OidcSettings")
        assert secret == [("another-secret",)]


def test_pull_writes_the_projects_flow(hub_folder: HubFolder, empty: StandIn) -> None:
    file = hub_folder.folder / "flows" / "sign-up-or-in.json"
    missing = hub_folder.run("pull", "--yes")
    assert missing.returncode == 2
    assert "has no flow sign-up-or-in" in missing.stderr
    hub_folder.run("push", "--yes")
    assert "already" in hub_folder.run("pull").stdout
    told = empty.project.mgmt.flow.export_flow("sign-up-or-in")
    screens = json.loads(json.dumps(told["screens"]).replace("Sign in", "Come in"))
    empty.project.mgmt.flow.import_flow("sign-up-or-in", told["flow"], screens)
    assert "differs from its file" in hub_folder.run("check").stdout
    shipped = file.read_text()
    assert hub_folder.run("pull").returncode == 2  # nobody to ask
    assert file.read_text() == shipped
    assert hub_folder.run("pull", "--yes").returncode == 0
    assert "Come in" in file.read_text()
    assert hub_folder.run("check").returncode == 0


def test_push_shows_what_of_a_flow_would_change(hub_folder: HubFolder, empty: StandIn) -> None:
    hub_folder.run("push", "--yes")
    file = hub_folder.folder / "flows" / "sign-up-or-in.json"
    file.write_text(file.read_text().replace("Send me a link", "Mail me a link"))
    shown = hub_folder.run("push", "--dry-run").stdout
    assert '-          "children": "Send me a link"' in shown
    assert '+          "children": "Mail me a link"' in shown
    assert shown.count("\n") < 60


WRONG: list[tuple[dict[str, str], str]] = [
    ({"DESCOPE_MANAGEMENT_KEY": "not-the-key"}, "refuses DESCOPE_MANAGEMENT_KEY"),
    ({"DESCOPE_MANAGEMENT_KEY": ""}, "DESCOPE_MANAGEMENT_KEY is not; set it to a management key"),
    ({"DESCOPE_TENANT_ID": ""}, "DESCOPE_TENANT_ID is not; set it to"),
    ({"DESCOPE_PROJECT_ID": "P2abcdefghijklmnopqrstuvwxyz"}, "Project not found"),
    ({"DESCOPE_PROJECT_ID": "x"}, "is not a Descope project id"),
    ({"DESCOPE_MANAGEMENT_KEY": "ké"}, "DESCOPE_MANAGEMENT_KEY has characters"),
    ({"DESCOPE_BASE_URI": "http://127.0.0.1:1"}, "does not answer (ConnectError)"),
]


@pytest.mark.parametrize(("environment", "words"), WRONG, ids=str)
def test_a_wrong_setting_is_one_sentence(
    idle_folder: HubFolder, environment: dict[str, str], words: str
) -> None:
    ended = idle_folder.run("push", "--yes", **environment)
    assert ended.returncode in {1, 2}
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr
    assert "not-the-key" not in ended.stderr


BROKEN_FILES: list[tuple[str, str, str]] = [
    ("project.toml", "roles = 1", "flows/project.toml is not right: roles"),
    ("project.toml", "[", "flows/project.toml is not right"),
    ("project.toml", "unknown = 1", "flows/project.toml is not right: unknown"),
    (
        "project.toml",
        SSO.format(issuer="http://127.0.0.1:1", client="x", place='{ env = "NONE" }'),
        "the provider at http://127.0.0.1:1",
    ),
    (
        "project.toml",
        SSO.format(issuer="http://x", client="x", place='"s3cret"'),
        "client_secret",
    ),
    ("sign-up-or-in.json", "{", "is not a readable flow"),
    ("sign-up-or-in.json", "[]", "is not a flow as Descope exports it"),
    ("sign-up-or-in.json", '{"contents": {"tasks": {}}, "screens": []}', "flowId"),
    (
        "sign-up-or-in.json",
        '{"flowId": "x", "contents": {"tasks": {"0": 1}}, "screens": []}',
        "contents.tasks.0",
    ),
]


@pytest.mark.parametrize(("name", "text", "words"), BROKEN_FILES, ids=range(len(BROKEN_FILES)))
def test_a_broken_file_is_named_and_nothing_is_done(
    idle_folder: HubFolder, untouched: StandIn, name: str, text: str, words: str
) -> None:
    before = files(untouched)
    (idle_folder.folder / "flows" / name).write_text(text)
    ended = idle_folder.run("push", "--yes")
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stderr
    assert files(untouched) == before


def test_a_secret_that_is_not_there_is_named(idle_folder: HubFolder, untouched: StandIn) -> None:
    with pypi_provider({}) as provider:
        with_sso(idle_folder, provider.url)
        ended = idle_folder.run("push", "--yes")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "environment variable ACME_SECRET holds no client secret" in ended.stderr
    assert untouched.project.mgmt.tenant.load_all()["tenants"] == []


def test_a_flow_that_descope_refuses_leaves_the_project_as_it_was(
    hub_folder: HubFolder, empty: StandIn
) -> None:
    hub_folder.run("push", "--yes")
    before = files(empty)
    file = hub_folder.folder / "flows" / "sign-up-or-in.json"
    file.write_text(file.read_text().replace('"logged-in"', '"open-sesame"'))
    ended = hub_folder.run("push", "--yes")
    assert ended.returncode == 2
    assert 'the action "open-sesame"' in ended.stderr
    assert files(empty) == before


def test_it_says_where_it_has_to_be_run(idle_folder: HubFolder, tmp_path: Path) -> None:
    idle_folder.folder = tmp_path
    ended = idle_folder.run("check")
    assert (ended.returncode, "no jupyterhub_config.py here" in ended.stderr) == (2, True)


def test_without_a_project_and_a_hub_nothing_is_made(idle_folder: HubFolder) -> None:
    for name in [name for name in idle_folder.environment if name.startswith("DESCOPE_")]:
        del idle_folder.environment[name]
    ended = idle_folder.run("check")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "no hub has run here yet" in ended.stderr
    assert not (idle_folder.folder / ".atrium").exists()


def test_one_key_is_made_however_often_it_is_pushed(hub_folder: HubFolder, empty: StandIn) -> None:
    for _ in range(2):
        hub_folder.run("push", "--yes", DESCOPE_CLIENT_SECRET="")
    kept = empty.sql("SELECT count(*) FROM records WHERE kind = 'AccessKey'")
    assert kept == [(2,)]  # the stand-in's own, and this one
    assert (hub_folder.folder / ".env").read_text().count("DESCOPE_CLIENT_SECRET=") == 1


def test_an_expired_key_is_found(hub_folder: HubFolder, empty: StandIn) -> None:
    hub_folder.run("push", "--yes")
    expired = "UPDATE records SET body = json_set(body, '$.expireTime', 1) WHERE kind = ?"
    empty.sql(expired, "AccessKey")
    ended = hub_folder.run("check")
    assert ended.returncode == 1
    assert "DESCOPE_CLIENT_SECRET is no living access key" in ended.stdout
