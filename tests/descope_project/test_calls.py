"""Talking to Descope: a refusal has its reason and no secret, a pause is waited out."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from descope import AuthException
from descope.exceptions import RateLimitException

from hub_extensions.descope_project import project
from hub_extensions.descope_project.changes import keep_secret
from hub_extensions.descope_project.desired import ProjectError
from hub_extensions.descope_project.project import Refused, call


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


def test_a_new_key_is_added_to_what_is_there(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    keep_secret(dotenv, "k1")
    assert stat.S_IMODE(dotenv.stat().st_mode) == 0o600
    dotenv.write_text("A=1")
    keep_secret(dotenv, "k2")
    assert dotenv.read_text() == "A=1\nDESCOPE_CLIENT_SECRET=k2\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_key_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as raised:
        keep_secret(tmp_path / "missing" / ".env", "the-key")
    assert "could not be written" in str(raised.value)
    assert "the-key" not in str(raised.value)
