"""`atrium access explain`: what it prints, and its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
from jupyterhub import orm

from hub_extensions import grants
from hub_extensions.command import main
from tests.dashboards.notebooks import markdown, write_notebook

ADA, BOSS = "ada@acme.test", "boss@acme.test"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's folder, with a database that a hub has left there."""
    for name in ("ATRIUM_STATE", "ATRIUM_NOTEBOOKS", "ATRIUM_DB_URL", "DESCOPE_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jupyterhub_config.py").touch()
    for place in ("user/penguins", "finance/penguins", "finance/costs"):
        write_notebook(tmp_path / "notebooks" / f"{place}.ipynb", markdown("# Title"))
    (tmp_path / ".atrium").mkdir(mode=0o700)
    database = f"sqlite:///{tmp_path}/.atrium/jupyterhub.sqlite"
    db = orm.new_session_factory(database)()
    ada = orm.User(name=ADA)
    db.add(ada)
    db.flush()
    grants.grant(db, ada, "finance", BOSS)
    db.commit()
    db.close()
    db.get_bind().dispose()
    return tmp_path


@pytest.mark.parametrize(
    ("dashboard", "status", "said"),
    [
        ("finance/costs", 0, f"{ADA} sees finance/costs."),
        ("costs", 0, f"granted by {BOSS} on "),
        (f"http://127.0.0.1:8000/user/{ADA}/dashboards/finance/costs", 0, "sees finance/costs."),
        ("user/penguins", 1, "It opens to the group user and the group admin"),
    ],
)
def test_it_says_why_and_its_status_says_whether(
    dashboard: str,
    status: int,
    said: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["access", "explain", ADA.upper(), dashboard]) == status
    assert said in capsys.readouterr().out


def test_without_a_dashboard_it_tells_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access", "explain", ADA]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{ADA} sees 2 of 3 dashboards.\n")
    assert out.endswith("    finance/costs\n    finance/penguins\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ada@acme.tets"], f"this hub knows nobody called ada@acme.tets; did you mean {ADA}?"),
        ([ADA, "penguins"], "2 dashboards are called penguins: finance/penguins, user/penguins"),
        ([ADA, "finance/cost"], "there is no dashboard finance/cost; did you mean finance/costs?"),
        ([ADA, "x\x1b[2J"], "there is no dashboard x?[2J"),
    ],
)
def test_what_it_cannot_answer_is_one_sentence(
    arguments: list[str], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["access", "explain", *arguments]) == 2
    assert capsys.readouterr().err == f"atrium: {sentence}\n"


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("jupyterhub_config.py", "there is no jupyterhub_config.py here"),
        (".atrium/jupyterhub.sqlite", "no hub has run here yet"),
        ("notebooks", "cannot be read (No such file or directory)"),
    ],
)
def test_a_hub_that_is_not_there_is_one_sentence(
    missing: str, sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / missing).rename(folder / "away")
    assert main(["access", "explain", ADA]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not (folder / missing).exists()


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be one" * 30])
def test_a_database_that_is_none_is_one_sentence(
    content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".atrium" / "jupyterhub.sqlite").write_bytes(content)
    assert main(["access", "explain", ADA]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_wrong_setting_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATRIUM_PUBLIC_URL", "nowhere")
    assert main(["access", "explain", ADA]) == 2
    said = capsys.readouterr().err
    assert said.startswith("atrium: ATRIUM_PUBLIC_URL is not an address")
    assert said.count("\n") == 1
