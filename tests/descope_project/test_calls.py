"""Talking to Descope: a refusal has its reason and no secret, a pause is waited out."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from descope import AuthException
from descope.exceptions import RateLimitException

from hub_extensions.descope_project import project
from hub_extensions.descope_project.desired import ProjectError
from hub_extensions.descope_project.finding import Call, Change
from hub_extensions.descope_project.project import Refused, call
from hub_extensions.descope_project.push import import_files, make_calls


def raising(*errors: Exception) -> Callable[[], str]:
    """A function that raises these, one a call, and then answers."""
    left = list(errors)

    def function() -> str:
        if left:
            raise left.pop(0)
        return "an answer"

    return function


def asked_too_often(seconds: int) -> RateLimitException:
    return RateLimitException("E130429", rate_limit_parameters={"Retry-After": seconds})


def test_a_pause_that_is_asked_for_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(project.time, "sleep", waited.append)
    assert call(raising(asked_too_often(7))) == "an answer"
    assert waited == [7]
    for errors in ([asked_too_often(7)] * 2, [asked_too_often(3600)]):
        with pytest.raises(ProjectError) as raised:
            call(raising(*errors))
        assert "asked too often" in str(raised.value)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"errorCode": "E1", "errorMessage": "because"}, 400, "400 E1 because"),
        ({"errorCode": "E1", "errorDescription": "so it is"}, 403, "403 E1 so it is"),
        ("<html>", 502, "502"),
        ([], 400, "400"),
    ],
)
def test_a_refusal_is_said_in_descopes_words(body: object, status: int, words: str) -> None:
    told = body if isinstance(body, str) else json.dumps(body)
    with pytest.raises(Refused) as raised:
        call(raising(AuthException(status, "server error", told)))
    assert str(raised.value) == words
    assert raised.value.status == status
    assert raised.value.__cause__ is None  # the SDK's own text may repeat what was sent


def test_no_answer_is_a_sentence() -> None:
    with pytest.raises(ProjectError) as raised:
        call(raising(httpx.ConnectTimeout("x")))
    assert "does not answer (ConnectTimeout)" in str(raised.value)


def key_change() -> Change:
    create = Call(name="access_key.create", arguments=("Atrium hub",))
    return Change(what="access key", before=None, after={}, calls=(create,), makes_key=True)


class Keys:
    """Descope's client, as far as keys and snapshots go."""

    def __init__(self, answer: Any = None) -> None:
        self.made, self.imported = 0, 0
        self.mgmt = self.access_key = self.project = self
        self.answer = answer

    def create(self, _name: str) -> dict[str, str]:
        self.made += 1
        return {"cleartext": f"the-key-{self.made}"}

    def validate_snapshot(self, _files: Any) -> Any:
        return self.answer

    def import_snapshot(self, _files: Any) -> None:
        self.imported += 1


def test_a_new_key_is_added_to_what_is_there(tmp_path: Path) -> None:
    dotenv, keys = tmp_path / ".env", Keys()
    make_calls(keys, [key_change()], dotenv)
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    dotenv.write_text("A=1")
    make_calls(keys, [key_change()], dotenv)
    assert dotenv.read_text() == "A=1\nDESCOPE_CLIENT_SECRET=the-key-2\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("A=1\n")
    (tmp_path / ".env").symlink_to("real")
    make_calls(Keys(), [key_change()], tmp_path / ".env")
    assert (tmp_path / ".env").is_symlink()
    assert "the-key-1" in (tmp_path / "real").read_text()


def test_no_key_is_made_that_cannot_be_written(tmp_path: Path) -> None:
    keys = Keys()
    with pytest.raises(ProjectError) as raised:
        make_calls(keys, [key_change()], tmp_path / "missing" / ".env")
    assert "cannot be written" in str(raised.value)
    assert keys.made == 0


def test_a_draft_with_the_key_never_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_calls(Keys(), [key_change()], tmp_path / ".env")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"ok": False, "failures": ["because"]}, "would not take the settings: because"),
        ({"ok": False, "failures": []}, "no reason given"),
        (
            {
                "ok": True,
                "missingSecrets": {"oauthProviders": [{"id": "google", "name": "Google"}]},
            },
            "would lose secrets of oauthProviders Google",
        ),
    ],
)
def test_settings_that_would_lose_something_are_not_imported(answer: Any, words: str) -> None:
    client = Keys(answer)
    change = Change(what="x", before=None, after={}, files={"auth/sso.json": {}})
    with pytest.raises(ProjectError) as raised:
        import_files(client, {}, [change])
    assert words in str(raised.value)
    assert client.imported == 0


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), TypeError("x")])
def test_an_answer_that_is_not_descopes_is_a_sentence(error: Exception) -> None:
    with pytest.raises(ProjectError) as raised:
        call(raising(error))
    assert "is not Descope" in str(raised.value)
