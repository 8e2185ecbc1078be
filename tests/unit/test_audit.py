"""The audit trail: what is written stays, what is changed shows, who is forgotten is nobody."""

from __future__ import annotations

import json
import resource
import signal
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from hub_extensions import audit
from hub_extensions.audit import events, reading
from hub_extensions.audit.trail import Trail

KEY = "ab" * 32
ADA = "ada@acme.test"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "audit"
    audit.close()


@pytest.fixture
def trail(folder: Path) -> Trail:
    return audit.configure(folder, KEY)


def again(folder: Path) -> Trail:
    """The hub is started once more."""
    audit.close()
    return audit.configure(folder, KEY)


def small(folder: Path, monkeypatch: pytest.MonkeyPatch, keep: int = 50) -> Trail:
    """A trail whose files are full after a few records."""
    monkeypatch.setattr(Trail.__init__, "__kwdefaults__", {"file_size": 2_000, "keep": keep})
    return again(folder)


def sign_in(times: int = 1) -> None:
    for _ in range(times):
        audit.record("signed-in", user=ADA, how="email", tenant="acme")


def lines(folder: Path) -> list[dict[str, typing.Any]]:
    files = [*sorted(folder.glob("audit-*.jsonl")), folder / "audit.jsonl"]
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def found(trail: Trail, **query: typing.Any) -> list[reading.Entry]:
    return list(reading.entries(trail, reading.Query(**query)))


def test_before_it_is_configured_nothing_is_written() -> None:
    sign_in()
    assert audit.current() is None


def test_a_record_says_what_happened_to_whom_and_when(trail: Trail) -> None:
    audit.record("group-given", user=ADA, by="boss@acme.test", group="finance")
    (entry,) = found(trail)
    assert (entry.seq, entry.action, entry.user, entry.by) == (
        1,
        "group-given",
        ADA,
        "boss@acme.test",
    )
    assert entry.details == {"group": "finance"}
    assert entry.time.endswith("Z")


def test_only_the_hubs_account_reads_it(trail: Trail) -> None:
    sign_in()
    assert trail.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in trail.folder.iterdir()} == {0o600}


def test_the_schema_knows_the_actions_of_the_code() -> None:
    schema = yaml.safe_load(events.SCHEMA.read_text())
    assert schema["properties"]["action"]["enum"] == list(typing.get_args(audit.Action))


def test_nobody_stands_in_it_by_name(trail: Trail) -> None:
    audit.record("access-asked", user=ADA, by="Boss@acme.test", reason=f"said {ADA}, twice")
    assert "acme" not in (trail.folder / "audit.jsonl").read_text()
    (entry,) = found(trail, search="said ada@acme.test")
    assert (entry.user, entry.by) == (ADA, "boss@acme.test")


def test_outside_text_is_one_short_line(trail: Trail) -> None:
    audit.record("sign-in-refused", user="x\n@" * 500, reason="\x1b[2J\r\nline\u2028" + "y" * 5_000)
    (line,) = (trail.folder / "audit.jsonl").read_text().splitlines()
    assert len(line) < 2_000
    assert found(trail)[0].details["reason"].startswith("\ufffd[2J\ufffd\ufffdline\ufffdyy")


def test_strangers_cannot_push_older_records_out(trail: Trail) -> None:
    for _ in range(500):
        audit.record("sign-in-refused", user="", reason="no")
    assert len(found(trail)) == 10
    events._limiter.storage.reset()
    audit.record("sign-in-refused", user="", reason="no")
    assert found(trail)[0].details["left_out_before"] == "490"


def test_the_chain_goes_on_over_restarts_and_rotation(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = small(folder, monkeypatch)
    for _ in range(4):
        sign_in(9)
        trail = small(folder, monkeypatch)
    assert [line["seq"] for line in lines(folder)] == list(range(1, 37))
    assert len(list(folder.glob("audit-*.jsonl"))) > 3
    assert trail.problem() == ""
    assert [entry.seq for entry in found(trail)] == list(range(36, 0, -1))


def test_the_oldest_files_make_way_in_good_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = small(folder, monkeypatch, keep=2)
    sign_in(40)
    assert len(list(folder.glob("audit*.jsonl"))) == 3
    assert lines(folder)[0]["seq"] > 1
    assert trail.problem() == ""
    min(folder.glob("audit-*.jsonl")).unlink()
    assert trail.problem().startswith("Record 1 was removed")


def test_a_file_cannot_lose_its_first_records(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = small(folder, monkeypatch, keep=2)
    sign_in(40)
    oldest = min(folder.glob("audit-*.jsonl"))
    oldest.write_text("".join(oldest.read_text().splitlines(keepends=True)[1:]))
    assert trail.problem().startswith("Records before ")


Tamper = Callable[[list[str]], list[str]]
TAMPERED: dict[str, tuple[Tamper, str]] = {
    "changed": (
        lambda old: [*old[:3], old[3].replace("email", "fed"), *old[4:]],
        "Record 4, after record 3, was changed.",
    ),
    "number changed": (
        lambda old: [*old[:3], old[3].replace('"seq": 4', '"seq": 5'), *old[4:]],
        "Record 5, after record 3, was changed.",
    ),
    "white space": (
        lambda old: [old[0].replace(": ", ":", 1), *old[1:]],
        "Record 1, at the beginning, was changed.",
    ),
    "first removed": (lambda old: old[1:], "Record 1 was removed: 2 comes at the beginning."),
    "removed": (
        lambda old: [*old[:3], *old[5:]],
        "Record 4 was removed: 6 comes after record 3.",
    ),
    "reordered": (
        lambda old: [*old[:3], old[4], old[3], *old[5:]],
        "Record 4 was removed: 5 comes after record 3.",
    ),
    "repeated": (
        lambda old: [*old[:4], old[1], *old[4:]],
        "Record 2 stands after record 4, where it does not belong.",
    ),
    "cut off": (lambda old: old[:7], "The trail ends after record 7; record 9 was written last."),
    "emptied": (lambda old: [], "The trail is empty; record 9 was written last."),
    "foreign line": (
        lambda old: [*old[:2], "{}\n", *old[2:]],
        "The line after record 2 is no record.",
    ),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_tampering_is_found_and_the_record_named(case: str, trail: Trail) -> None:
    tamper, sentence = TAMPERED[case]
    sign_in(9)
    assert trail.problem() == ""
    path = trail.folder / "audit.jsonl"
    path.write_text("".join(tamper(path.read_text().splitlines(keepends=True))))
    assert trail.problem() == sentence


def test_without_the_key_nobody_can_seal_a_record(folder: Path, trail: Trail) -> None:
    sign_in(2)
    audit.close()
    audit.configure(folder, "cd" * 32)
    sign_in()
    assert again(folder).problem() == "Record 3, after record 2, was changed."


def test_a_tail_that_was_cut_and_written_anew_does_not_fit_what_the_log_was_told(
    folder: Path, trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(9)
    path = folder / "audit.jsonl"
    cut = "".join(path.read_text().splitlines(keepends=True)[:7])
    with caplog.at_level("INFO"):
        audit.close()
        path.write_text(cut)
        again(folder)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("tornado")]
    assert said[0].startswith("The audit trail ends at record 9 ")
    assert said[1].startswith("The audit trail goes on at record 7 ")


def test_half_a_record_is_taken_away_and_reported(
    folder: Path, trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(3)
    path = folder / "audit.jsonl"
    path.write_text(path.read_text()[:-30])
    trail = again(folder)
    sign_in(2)
    assert [line["seq"] for line in lines(folder)] == [1, 2, 3, 4]
    assert trail.problem() == ""
    assert "half a record" in caplog.text


@contextmanager
def no_room_above(size: int) -> Iterator[None]:
    """As on a full disk: no file of this process can grow above that size."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("room", [0, 1, 100], ids="{} bytes left".format)
def test_a_full_disk_is_reported_and_loses_nothing_else(
    room: int, trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(80)  # more than the file of names, which must not be what is full
    size = (trail.folder / "audit.jsonl").stat().st_size
    with no_room_above(size + room):
        sign_in(2)
    assert caplog.text.count("The audit trail took no record of signed-in") == 2
    sign_in(2)
    assert [line["seq"] for line in lines(trail.folder)] == list(range(1, 83))
    assert trail.problem() == ""


def test_a_new_person_on_a_full_disk_is_reported_too(
    trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    with no_room_above(0):
        sign_in()
    assert "took no record of signed-in" in caplog.text
    sign_in()
    assert trail.problem() == ""


def test_a_trail_that_was_taken_away_goes_on_and_says_so(trail: Trail) -> None:
    sign_in(3)
    (trail.folder / "audit.jsonl").unlink()
    sign_in()
    assert trail.problem() == "Record 1 was removed: 4 comes at the beginning."


def test_two_processes_never_write_one_trail(folder: Path, trail: Trail) -> None:
    with pytest.raises(audit.TrailInUse):
        Trail(folder, KEY)


def test_somebody_forgotten_is_nobody_and_the_chain_holds(trail: Trail) -> None:
    sign_in(2)
    audit.record("group-given", user="bob@acme.test", by=ADA, group="finance")
    pseudonym = trail.people.known(ADA)
    trail.people.forget(ADA)
    assert trail.problem() == ""
    assert {entry.user for entry in found(trail)} == {pseudonym, "bob@acme.test"}
    assert found(trail, user=ADA) == []
    held = b"".join(path.read_bytes() for path in trail.folder.iterdir())
    assert ADA.encode() not in held
    sign_in()
    assert trail.people.known(ADA) != pseudonym


def test_what_is_searched_is_found(trail: Trail) -> None:
    sign_in(2)
    audit.record("group-taken", user="bob@acme.test", by=ADA, group="Finance")
    audit.record("provider-away", user="", by="hub")
    assert [entry.seq for entry in found(trail, search="finance")] == [3]
    assert [entry.seq for entry in found(trail, user=ADA)] == [3, 2, 1]
    assert [entry.seq for entry in found(trail, action="signed-in", before=2)] == [1]
    moment = found(trail)[1].time
    since = reading.datetime.fromisoformat(moment).replace(tzinfo=None)
    assert [entry.seq for entry in found(trail, since=since)] == [4, 3]
    assert [entry.seq for entry in found(trail, until=since)] == [2, 1]


def test_no_cell_of_a_table_is_a_formula(trail: Trail) -> None:
    for user in ("=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "ada"):
        audit.record("sign-in-refused", user=user, reason='=HYPERLINK("http://evil.test")')
    rows = reading.as_csv(found(trail)).splitlines()
    assert rows[0] == '"seq","time","action","user","by","details"'
    cells = [row.split('","')[3] for row in rows[1:]]
    assert cells == ["ada", "'@sum(a1)", "'-2", "'+cmd|' /c calc'!a0", "'=1+1"]
    audit.record("sign-in-refused", user="ada", reason="no; =1+1", by="a; ＝2")  # noqa: RUF001
    written = reading.as_csv(found(trail)).splitlines()[1]
    assert "no; '=1+1" in written
    assert "a; '＝2" in written  # noqa: RUF001
