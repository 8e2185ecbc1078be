"""What is found out about a notebook, and what follows from it."""

from __future__ import annotations

import asyncio
import io
import json
import time
from typing import Any

import pytest

from hub_extensions.publishing import checks as checks_module
from hub_extensions.publishing import reading
from hub_extensions.publishing.author import name_from
from hub_extensions.publishing.changes import changes
from hub_extensions.publishing.checks import Checks, Found, turn
from hub_extensions.publishing.publishing import CannotPublish
from hub_extensions.publishing.reading import look_at
from hub_extensions.publishing.secret_shapes import findings
from hub_extensions.publishing.versions import Place
from hub_extensions.trial_runs import Trial, trial

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
    later = time.monotonic() + 4000
    monkeypatch.setattr(checks_module.time, "monotonic", lambda: later)
    assert kept.get(1, newer[-1].id) is None


def test_one_persons_notebooks_take_no_room_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_module, "_BYTES_OF_ONE", 6)
    monkeypatch.setattr(checks_module, "_ALL", 10)
    kept = Checks()
    mine = [kept.add(1, "x", Found(), b"xxx") for _ in range(3)]
    assert [kept.get(1, one.id) is not None for one in mine] == [False, True, True]
    with pytest.raises(CannotPublish, match="in some minutes"):
        kept.add(2, "x", Found(), b"x" * 5)
    theirs = kept.add(2, "x", Found(), b"x" * 4)
    kept.add(1, "x", Found(), b"x")
    assert kept.get(2, theirs.id) is theirs
    later = time.monotonic() + 4000
    monkeypatch.setattr(checks_module.time, "monotonic", lambda: later)
    assert kept.add(3, "x", Found(), b"x" * 9)


def test_data_files_count_as_notebooks_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_module, "_BYTES_OF_ONE", 6)
    monkeypatch.setattr(checks_module, "_ALL", 10)
    kept = Checks()
    old, mine = (kept.add(1, "x", Found(), b"xx") for _ in range(2))
    kept.add_data(mine, "a", b"aa")
    assert kept.get(1, old.id) is old
    kept.add_data(mine, "a", b"aaa")
    assert (kept.get(1, old.id), mine.size) == (None, 5)
    theirs = kept.add(2, "x", Found(), b"x")
    with pytest.raises(CannotPublish, match="in some minutes"):
        kept.add_data(theirs, "a", b"aaaaa")
    assert theirs.data == {}


async def test_who_is_signed_out_has_no_check_any_more() -> None:
    kept = Checks()
    mine, theirs = kept.add(1, "x", Found(), b"{}"), kept.add(2, "x", Found(), b"{}")
    mine.running = asyncio.create_task(asyncio.Event().wait())  # type: ignore[assignment]
    kept.drop_all_of(1)
    with pytest.raises(asyncio.CancelledError):
        await mine.running  # type: ignore[misc]
    assert (kept.get(1, mine.id), kept.get(2, theirs.id)) == (None, theirs)


async def test_one_person_has_one_notebook_read_at_a_time_and_others_wait() -> None:
    went: list[int] = []

    async def read(owner: int, until: asyncio.Event) -> None:
        async with turn(owner):
            went.append(owner)
            await until.wait()

    first, second = asyncio.Event(), asyncio.Event()
    reading = [asyncio.create_task(read(1, first)), asyncio.create_task(read(2, second))]
    await asyncio.sleep(0)
    for owner in (1, 2):  # the one is read, the other waits
        with pytest.raises(CannotPublish) as refused:
            await read(owner, first)
        assert refused.value.status == 429
    assert went == [1]
    first.set()
    second.set()
    await asyncio.gather(*reading)
    await read(1, first)
    assert went == [1, 2, 1]


async def test_a_trial_that_waited_asks_whether_it_may_still_run() -> None:
    no: Any = None
    for folder in ("finance", "finance"):
        assert "not tried" in (await trial(no, folder, "x", b"", still_may=lambda: False)).problem


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


def test_a_secret_in_a_data_file_is_named_by_its_file() -> None:
    texts = {"a.json": b'{"token": "a8f5f167f44f4964"}', "b.bin": b"\0 password='hunter2hunter2'"}
    found, _ = look_at(notebook(code("1")), b"", texts)
    assert [(one["file"], one["line"]) for one in found["secrets"]] == [("a.json", 1)]
    many = {str(n): b"password='hunter2hunter2'\n" * 9 for n in range(9)}
    told, _ = look_at(notebook(code("password='hunter2hunter2'\n" * 99)), b"", many)
    assert Found.model_validate(told).secrets
    begun = checks_module._beginnings({"a": bytes(300_000), "b": bytes(3), "c": bytes(10**7)})
    assert [len(text) for text in begun.values()] == [256 * 1024, 3, 256 * 1024]
    assert (
        sum(map(len, checks_module._beginnings(dict.fromkeys("abcdefghij", bytes(10**6))).values()))
        == 2 * 1024**2
    )


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


def test_no_cells_make_the_comparison_long() -> None:
    """The same ones again and again, in an order of which nothing is equal for long."""
    began = time.process_time()
    for size in (300, 301, 10_000):
        one = [("code", "x" * 50_000)] * size
        other = [("code", "y" if number % 2 else "x" * 50_000) for number in range(size)]
        assert len(changes(one, other)) <= 200
        assert len(changes(one, one[1:])) == 1
    assert time.process_time() - began < 10
    head, tail = [("code", "h")] * 5000, [("code", "t")] * 5000
    (only,) = changes([*head, ("code", "a"), *tail], [*head, ("code", "b"), *tail])
    assert (only.kind, only.cell) == ("changed", 5001)


def test_what_is_too_large_is_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST", 500)
    found, text = look_at(notebook(code("x" * 500)), b"")
    assert ("too large" in found["problem"], text) == (True, b"")


@pytest.mark.parametrize(
    ("line", "rest", "problem"),
    [
        (b'{"problem": "No."}', b"x", "No."),
        (b"{}", b"x" * 11, "too large"),
        (b'{"title": 7}', b"x", "could not be read"),
        (b"{" + b" " * 100 + b"}", b"x", "could not be read"),
    ],
)
def test_the_word_of_what_reads_has_bounds(
    line: bytes, rest: bytes, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks_module, "LARGEST", 10)
    monkeypatch.setattr(checks_module, "_LONGEST_LINE", 50)
    found, text = checks_module._found_in(io.BytesIO(line + b"\n" + rest))
    assert (problem in found.problem, text) == (True, b"")
    assert checks_module._found_in(io.BytesIO(b"{}\nxx")) == (Found(), b"xx")


def test_a_notebook_that_is_too_much_for_the_memory_has_no_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reading.json, "loads", full)
    assert reading._cells_in(b"{}") == []


@pytest.mark.parametrize(
    ("traceback", "error"),
    [(DATABASE, "OperationalError"), (WRONG, "NameError"), ("", ""), ("x\npassword is 1: x", "")],
)
def test_of_an_error_its_type_is_known(traceback: str, error: str) -> None:
    assert Trial(traceback=traceback).error == error
    assert Trial(traceback="E" * 61).error == ""


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
