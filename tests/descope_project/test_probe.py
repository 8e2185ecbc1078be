"""`check --probe`, with a person who does what it says: signs in, pastes, and answers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.descope_project.command import HubFolder
from tests.local_descope.stand_in import SECRET, Browser, StandIn

pytestmark = pytest.mark.long


@pytest.fixture
def visited(tmp_path: Path) -> Iterator[HubFolder]:
    """A project that is ready, and whose hub has the settings for it."""
    folder = tmp_path / "descope"
    folder.mkdir()
    stand_in = StandIn(folder).start()
    hub = tmp_path / "hub"
    hub.mkdir()
    (hub / "jupyterhub_config.py").touch()
    (hub / "flows").symlink_to(Path(__file__).parents[2] / "flows")
    yield HubFolder(hub, stand_in, {"DESCOPE_CLIENT_SECRET": SECRET})
    stand_in.stop()


class Person:
    """Reads what the command says, and answers."""

    def __init__(self, hub_folder: HubFolder) -> None:
        self.project = hub_folder.project
        self.said = ""
        self._command = subprocess.Popen(
            hub_folder.command("check", "--probe"),
            cwd=hub_folder.folder,
            env=hub_folder.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=0,
        )

    def answer_all(self) -> int:
        """Follow the command to its end; returns its exit status."""
        with self._command as command:
            while question := self._until_asked():
                self._tell(self._answer(question))
        return command.returncode

    def _until_asked(self) -> str:
        assert self._command.stdout
        heard = ""
        while letter := self._command.stdout.read(1):
            heard += letter
            self.said += letter
            if heard.endswith(": ") and ("[y/n]" in heard[-9:] or "at the end: " in heard):
                return heard
        return ""

    def _answer(self, question: str) -> str:
        if "Paste the whole address" not in question:
            return "y"
        begin = re.findall(r"^  (http\S+)$", question, re.MULTILINE)
        if not begin:
            return "given up"
        with Browser(self.project) as browser:
            welcome = browser.open(begin[-1])
            assert ('value="probe@example.com"' in welcome.text) == ("int=probe" in begin[-1])
            browser.press(welcome, "Send me a link", email="member@acme.test")
            return browser.open(browser.mailed_links("member@acme.test")[0]).headers["Location"]

    def _tell(self, answer: str) -> None:
        assert self._command.stdin
        self._command.stdin.write(f"{answer}\n")


def test_ten_minutes_settle_what_was_open(visited: HubFolder) -> None:
    person = Person(visited)
    assert person.answer_all() == 0, person.said
    learned = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", person.said, re.MULTILINE))
    assert learned["issuer in the discovery document"] == "the address it is under"
    assert learned["answer to a wrong management key"].startswith("401 E061004")
    assert learned["answer to a tenant that is not there"] == "404 E112202"
    assert learned["a snapshot imported as it was exported"] == "accepted"
    assert learned["mapping() sets the groups of an OIDC provider"] == "yes"
    assert learned["a loaded client secret is"] == "blank"
    assert learned["client authentication with a code"] == "client_secret_basic"
    assert learned["id_token: iss"] == "the discovered issuer"
    assert learned["access_token: iss"] == "the bare project id"
    assert learned["access_token: aud"] == "absent"
    assert learned["id_token: amr"] == '["email"]'
    assert learned["tenants are in"] == "ID token and userinfo"
    assert learned["a tenant in the claims holds"] == "{permissions, roles}"
    assert learned["a refresh brings an ID token"] == "yes"
    assert learned["refresh tokens rotate"] == "no"
    assert learned["answer to a refresh token that is none"].startswith("400 invalid_grant E061005")
    assert learned["login_hint fills in the address"] == "yes"
    assert learned["revoking without the client's secret"].startswith("401 invalid_client")
    assert learned["revoking with id and secret in the form"].startswith("200")
    ids = {tenant["id"] for tenant in visited.project.project.mgmt.tenant.load_all()["tenants"]}
    assert ids == {"acme", "globex"}  # what was made for the question is gone
    visited.assert_no_secret(person.said)
    assert "code=" not in person.said
    assert not re.search(r"eyJ[\w-]{20}", person.said)


def test_with_nobody_there_it_says_so(visited: HubFolder) -> None:
    ended = visited.run("check", "--probe")
    assert ended.returncode == 2
    assert "nobody is here to answer" in ended.stderr
