"""What is found out about a notebook, and what follows from it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from hub_extensions.publishing import checks as checks_module
from hub_extensions.publishing.author import name_from, plain_note
from hub_extensions.publishing.changes import changes
from hub_extensions.publishing.checks import Checks, Found
from hub_extensions.publishing.publishing import CannotPublish
from hub_extensions.publishing.reading import look_at
from hub_extensions.publishing.secret_shapes import findings
from hub_extensions.publishing.versions import Place
from hub_extensions.trial_runs import Trial

MISSING_FILE = "Traceback:\n  cell 1\nFileNotFoundError: [Errno 2] No such file: 'x.csv'"
DATABASE = "Traceback:\n  cell 1\nsqlalchemy.exc.OperationalError: could not connect"
WRONG = "Traceback:\n  cell 1\nNameError: name 'x' is not defined"


def code(source: str, **more: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": f"c{abs(hash(source))}"[:20],
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    } | more


def notebook(*cells: dict[str, Any], **metadata: Any) -> bytes:
    whole = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole).encode()


def test_nothing_that_its_code_has_put_out_is_published() -> None:
    output = {"output_type": "stream", "name": "stdout", "text": "CANARY"}
    ran = {"outputs": [output, output], "execution_count": 3}
    ran["metadata"] = {"execution": {"iopub.execute_input": "CANARY"}, "tags": ["parameters"]}
    found, clean = look_at(notebook(code("1", **ran), widgets={"state": "CANARY"}), b"")
    assert (found["problem"], found["outputs"]) == ("", 3)
    assert b"CANARY" not in clean
    assert json.loads(clean)["cells"][0]["metadata"] == {"tags": ["parameters"]}
    assert look_at(clean, clean)[1] == clean


@pytest.mark.parametrize(
    ("trial", "refused", "asks"),
    [
        (Trial(), False, False),
        (Trial(needs_viewer=True), False, True),
        (Trial(needs_viewer=True, problem="It failed."), False, True),
        (Trial(problem="It failed.", traceback=MISSING_FILE), False, True),
        (Trial(problem="It failed.", traceback=DATABASE), False, True),
        (Trial(problem="It failed.", traceback=WRONG), True, False),
        (Trial(problem="Line 3 is no Python."), True, False),
        (Trial(problem="It failed.", missing=("numpyy",), traceback=MISSING_FILE), True, False),
        (Trial(problem="It failed.", missing=("numpyy",), needs_viewer=True), True, False),
    ],
)
def test_what_its_author_may_decide(trial: Trial, refused: bool, asks: bool) -> None:
    check = Checks().add(1, "x", Found(), b"{}")
    check.place, check.trial = Place(folder="finance", name="x"), trial
    assert (bool(check.refusal), check.asks) == (refused, asks)
    if trial.missing:
        assert "numpyy" in check.refusal


def test_a_check_is_its_owners_for_an_hour_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = Checks()
    mine = kept.add(1, "x", Found(), b"{}")
    assert kept.get(1, mine.id) is mine
    assert kept.get(2, mine.id) is None
    assert kept.get(1, "x") is None
    theirs = kept.add(2, "x", Found(), b"{}")
    newer = [kept.add(1, "x", Found(), b"{}") for _ in range(4)]
    assert kept.get(1, mine.id) is None
    assert kept.get(2, theirs.id) is theirs
    monkeypatch.setattr(checks_module, "_ALL", 10)
    kept.add(3, "x", Found(), b"x" * 9)
    assert kept.get(1, newer[0].id) is None
    later = time.monotonic() + 4000
    monkeypatch.setattr(checks_module.time, "monotonic", lambda: later)
    assert kept.get(1, newer[-1].id) is None


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("key = 'AKIAIOSFODNN7EXAMPLE'", "an AWS access key"),
        ("x = 'ghp_" + "a1" * 18 + "'", "a GitHub token"),
        ("# xoxb-123456789012-abc", "a Slack token"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("connect('postgresql://ada:Tr0ub4dor@db/x')", "an address with a password"),
        ('PASSWORD = "hunter2hunter2"', "a password"),
        ("connect(user='ada', password='Tr0ub4dor&3')", "a password"),
        ("headers['api_key'] = 'a8f5f167f44f'", "a password"),
        ('{"token": "a8f5f167f44f4964"}', "a password"),
    ],
)
def test_what_looks_like_a_secret_is_named_by_its_place(line: str, what: str) -> None:
    (found,) = findings(["import x", f"y = 1\n{line}"])
    assert (found.cell, found.line, found.what) == (2, 2, what)


@pytest.mark.parametrize(
    "line",
    [
        "password = os.environ['DB_PASSWORD']",
        'password = getpass("Your password: ")',
        "token = f'{prefix}-{number}'",
        'password = ""',
        'password = "********"',
        'api_key = "YOUR_API_KEY"',
        "password = 'your-password'",
        "url = 'https://example.org/a:b@c'",
        "url = f'postgresql://{user}:{password}@db/x'",
        "tokens = text.split('something')",
        "secret_of_success = 7",
    ],
)
def test_what_stands_for_a_secret_is_none(line: str) -> None:
    assert findings([line]) == []


def test_no_text_makes_the_search_long() -> None:
    began = time.process_time()  # others may use the machine
    for text in (
        "password" * 100_000,
        "a" * 1_000_000,
        "http://" + "a:" * 200_000,
        "eyJ" * 200_000,
    ):
        findings([text])
    assert time.process_time() - began < 5


def test_what_changes_is_told_cell_by_cell() -> None:
    before = [("code", "a"), ("code", "b"), ("markdown", "c")]
    after = [("code", "a"), ("code", "B"), ("markdown", "c"), ("code", "d")]
    assert [(one.kind, one.cell, one.before, one.after) for one in changes(before, after)] == [
        ("changed", 2, "b", "B"),
        ("added", 4, "", "d"),
    ]
    assert [(one.kind, one.cell) for one in changes(before, before[1:])] == [("removed", 1)]
    assert changes(before, before) == []
    many = [("code", f"{number}") for number in range(5000)]
    assert len(changes(many, many[::-1])) == 200
    (long,) = changes([], [("code", "x" * 10_000)])
    assert len(long.after) == 4001


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("costs.ipynb", "costs"),
        ("C:\\Users\\ada\\costs.ipynb", "costs"),
        ("../../etc/passwd", "passwd"),
        (".hidden.ipynb", "hidden"),
        (" a\n\tb .ipynb", "ab"),
        ("", ""),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_name_comes_from_the_file(file: str, name: str) -> None:
    assert name_from(file) == name


def test_a_note_is_plain_and_short() -> None:
    assert plain_note(" a\r\nb\x1b[31m\x00 ") == "a\nb[31m"
    with pytest.raises(CannotPublish):
        plain_note("x" * 501)
