"""`atrium publish`: what it says, and its exit status, whatever the hub answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from hub_extensions.command import main
from hub_extensions.publishing import command

TOKEN = "a-token-that-nobody-sees"
HUB = "https://dashboards.example.org"
CHECK = {
    "id": "abc",
    "name": "costs",
    "folder": "finance",
    "state": "done",
    "refusal": "",
    "is_new": True,
    "cells": 2,
    "outputs": 1,
    "changes": [],
    "data": [],
    "secrets": [{"cell": 3, "line": 1, "what": "a password", "file": ""}],
    "trial": {"problem": "", "traceback": "", "seconds": 1.2, "memory": 2e8, "needs_viewer": False},
}
DONE = {"url": f"{HUB}/hub/user-redirect/dashboards/finance/costs"}

#: Method and path -> status and answer; an exception is raised.
Answers = dict[tuple[str, str], Any]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Runs the command against a hub that answers so."""
    monkeypatch.setenv("ATRIUM_TOKEN", TOKEN)
    monkeypatch.setenv("ATRIUM_URL", HUB)
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    file = tmp_path / "costs.ipynb"
    file.write_bytes(b"{}")
    answers: Answers = {
        ("GET", ""): (200, {"folders": [{"folder": "finance", "people": 1}]}),
        ("POST", "/checks"): (201, CHECK),
        ("POST", "/checks/abc/publish"): (200, DONE),
    }

    def request(method: str, url: str, **options: Any) -> requests.Response:
        assert options["headers"] == {"Authorization": f"token {TOKEN}"}
        assert options["allow_redirects"] is False
        answer = requests.Response()
        told = answers[method, url.partition("/hub/api/publishing")[2]]
        if isinstance(told, Exception):
            raise told
        answer.status_code = told[0]
        monkeypatch.setattr(answer, "json", lambda: told[1])
        return answer

    monkeypatch.setattr(command.requests, "request", request)

    def run(*more: str, **replaced: Any) -> int:
        for key, told in replaced.items():
            method, _, path = key.partition("_")
            answers[method, path] = told
        return main(["publish", str(file), "--to", "finance", *more])

    return run


def test_it_says_what_is_known_and_where_it_is(
    hub: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert hub() == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "finance/costs is seen by 1 person.",
        "It is new, with 2 cells.",
        "Left out: 1 output.",
        "This looks like a secret: a password in cell 3, line 1.",
        "It runs: its first view came after 1.2 s, with 200 MB of memory.",
        f"Published: {DONE['url']}",
    ]
    assert TOKEN not in said.out + said.err


@pytest.mark.parametrize(
    ("replaced", "status", "said"),
    [
        ({"POST_/checks": (403, {"message": "You may not publish to it."})}, 1, "You may not"),
        ({"GET_": (403, {"message": "You may not publish to any folder."})}, 1, "to any folder"),
        ({"POST_/checks": (201, CHECK | {"refusal": "It does not run."})}, 1, "It does not run."),
        ({"POST_/checks/abc/publish": (507, {"message": "No room left."})}, 1, "No room left."),
        ({"GET_": (403, {"message": "Forbidden"})}, 2, "does not take this token"),
        ({"GET_": (302, None)}, 2, "no hub answers"),
        ({"GET_": requests.ConnectionError(TOKEN)}, 2, "no hub answers"),
    ],
)
def test_its_status_says_whether_it_is_published(
    replaced: dict[str, Any],
    status: int,
    said: str,
    hub: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert hub(**replaced) == status
    told = capsys.readouterr()
    assert said in told.err
    assert "Published:" not in told.out
    assert TOKEN not in told.out + told.err


def test_what_was_published_meanwhile_is_replaced_by_force_only(
    hub: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    conflict = (409, {"message": "Bob has published it meanwhile.", "present": "0123"})
    assert hub(**{"POST_/checks/abc/publish": conflict}) == 1
    assert "Bob has published it" in capsys.readouterr().err
    sent: list[Any] = []

    def ask(_: Any, method: str, path: str, **options: Any) -> Any:
        if not path.endswith("/publish"):
            return CHECK | {"folders": []}
        sent.append(options["json"])
        if len(sent) == 1:
            raise command._Refused("Bob has published it meanwhile.", "0123")
        return DONE

    monkeypatch.setattr(command._Hub, "ask", ask)
    assert hub("--force") == 0
    assert [body.get("replaces") for body in sent] == [None, "0123"]
    assert sent[0]["anyway"] is sent[0]["not_secret"] is True


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        ({"ATRIUM_TOKEN": ""}, [], f"make one on {HUB}/hub/token"),
        (
            {"ATRIUM_TOKEN": "", "JUPYTERHUB_API_TOKEN": "of-a-lab"},
            [],
            "set ATRIUM_TOKEN to a token",
        ),
        (
            {"ATRIUM_TOKEN": "", "ATRIUM_ADDRESS": "https://x.test/"},
            [],
            "on https://x.test/hub/token",
        ),
        ({"ATRIUM_URL": ""}, [], "say where the hub is"),
        ({}, ["--url", "http://dashboards.example.org"], "by https only"),
    ],
)
def test_without_a_hub_or_a_token_it_says_what_to_do(
    names: dict[str, str],
    options: list[str],
    said: str,
    hub: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert hub(*options) == 2
    assert said in capsys.readouterr().err


def test_data_files_are_sent_by_their_paths_below_the_notebook(
    hub: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "lookup").mkdir()
    for name in ("a.csv", "lookup/b.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir(tmp_path / "lookup")
    data = [{"name": "a.csv", "kind": "changed", "before": 2000, "after": 2}]
    sent: list[Any] = []

    def ask(_: Any, method: str, path: str, **options: Any) -> Any:
        sent.append((method, path, options.get("params") or options.get("json")))
        return DONE if path.endswith("/publish") else CHECK | {"folders": [], "data": data}

    monkeypatch.setattr(command._Hub, "ask", ask)
    assert hub("--with", "../a.csv", "--with", str(tmp_path / "lookup" / "b.json")) == 0
    assert sent[1:-1] == [
        ("POST", "/checks", {"name": "costs"}),
        ("PUT", "/checks/abc/files", {"name": "a.csv"}),
        ("PUT", "/checks/abc/files", {"name": "lookup/b.json"}),
        ("PUT", "/checks/abc", {"folder": "finance", "name": "costs"}),
    ]
    assert "Data file a.csv: changed, from 2.0 kB to 2 Bytes." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../outside.csv", "not in the notebook's folder"),
        ("/etc/passwd", "not in the notebook's folder"),
        ("none.csv", "is no file"),
        ("folder", "is no file"),
        ("link.csv", "is a link"),
        ("linked/outside.csv", "is a link"),
        (".env", "no name for a data file"),
        ("costs.ipynb", "publish it as one"),
        ("large.csv", "a data file may have 16 MB"),
    ],
)
def test_what_cannot_come_with_it_is_not_sent(
    path: str,
    said: str,
    hub: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outside = tmp_path.parent / "outside.csv"
    outside.write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to(outside)
    (tmp_path / "linked").symlink_to(tmp_path.parent)
    (tmp_path / ".env").write_text("")
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(17_000_000)
    monkeypatch.chdir(tmp_path)
    assert hub("--with", path) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there_or_too_large_is_not_sent(
    hub: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", str(tmp_path / "none.ipynb"), "--to", "finance"]) == 2
    assert "cannot be read" in capsys.readouterr().err
    large = tmp_path / "large.ipynb"
    with large.open("wb") as file:
        file.truncate(50_000_000)
    assert main(["publish", str(large), "--to", "finance"]) == 2
    assert "too large" in capsys.readouterr().err
