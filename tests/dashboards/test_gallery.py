"""What a card says: the words for how fresh it is, the tags to choose from."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboards.catalog import dashboards_in
from dashboards.settings import Settings, settings_from
from dashboards.web.gallery import Card, ago, data_of, sections_of, tags_of
from tests.dashboards.notebooks import code, markdown, write_notebook

NOW = datetime(2026, 11, 30, 14, 30, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_from(
        {
            "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1/user/ann/",
            "JUPYTERHUB_SERVICE_PREFIX": "/user/ann/",
            "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api",
            "JUPYTERHUB_API_TOKEN": "own-token",
            "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ann",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=ann/"]',
            "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/ann/oauth_callback",
            "JUPYTERHUB_ACTIVITY_URL": "http://127.0.0.1:1/hub/api/users/ann/activity",
            "JUPYTERHUB_USER": "ann",
            "ATRIUM_NOTEBOOKS": str(tmp_path),
        }
    )


def cards(settings: Settings) -> list[Card]:
    sections = sections_of(dashboards_in(settings.notebooks), settings, datetime.now(UTC), {})
    return [card for section in sections for card in section.cards]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (NOW, "Data of today 14:30"),
        (NOW.replace(hour=0, minute=5), "Data of today 00:05"),
        (NOW - timedelta(hours=15), "Data of yesterday"),
        (NOW - timedelta(days=5), "Data of 25 Nov"),
        (NOW + timedelta(days=1), "Data of 1 Dec"),
        (NOW.replace(year=2024), "Data of 30 Nov 2024"),
    ],
)
def test_how_fresh_the_data_is(changed: datetime, words: str) -> None:
    assert data_of(changed, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-60, "just now"),
        (300, "5 minutes ago"),
        (3600, "1 hour ago"),
        (90_000, "yesterday"),
        (86_400 * 800, "2 years ago"),
    ],
)
def test_how_old_a_dashboard_is(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_data_goes_before_the_notebook_itself(settings: Settings) -> None:
    folder = settings.notebooks / "user"
    write_notebook(folder / "a.ipynb", code("open('a.csv')"))
    write_notebook(folder / "b.ipynb", code("open('b.csv')"))
    (folder / "a.csv").write_text("1")
    os.utime(folder / "a.csv", (10 * 86_400, 10 * 86_400))
    first, second = cards(settings)
    assert first.fresh == "Data of 11 Jan 1970"
    assert first.moment.startswith("1970-01-11 ")
    assert second.fresh == "Updated just now"


def test_a_time_that_no_calendar_has_is_left_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook(settings.notebooks / "user/a.ipynb", code("open('a.csv')"))
    monkeypatch.setattr("dashboards.catalog.changed_ns", lambda *_: 10**30)
    (card,) = cards(settings)
    assert (card.fresh, card.moment) == ("", "")


def test_the_tags_to_choose_from_are_the_most_used(settings: Settings) -> None:
    folder = settings.notebooks / "user"
    for number in range(30):
        tags = ["Weekly" if number % 2 else "weekly", f"one {number:02}"]
        write_notebook(folder / f"{number:02}.ipynb", markdown("# A"), atrium={"tags": tags})
    found = tags_of(cards(settings))
    assert len(found) == 20
    assert [tag for tag in found if tag.casefold() == "weekly"] == ["weekly"]
    assert found == sorted(found, key=str.casefold)


def test_pictures_that_cannot_be_looked_for_are_none(settings: Settings, tmp_path: Path) -> None:
    write_notebook(tmp_path / "user" / "one.ipynb", markdown("# One"))
    settings = replace(
        settings, shared=tmp_path / ("x" * 300)
    )  # raises another OSError than ENOENT
    (card,) = cards(settings)
    assert "<svg" in card.picture
