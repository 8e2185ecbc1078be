"""Which folders are audiences, and what they and their notebooks can be called."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_extensions.folders import audiences, dashboard_named, is_audience, is_shown


@pytest.mark.parametrize(
    ("name", "shown", "may_be"),
    [
        ("finance", True, True),
        ("Räume & co", True, True),
        (".versions.git", False, False),
        ("finance.publish", False, False),
        ("finance.publish.x", True, True),
        ("x" * 101, True, False),
    ],
)
def test_a_hidden_folder_and_one_of_those_who_publish_are_no_audiences(
    name: str, shown: bool, may_be: bool, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()
    assert [folder.name for folder in audiences(tmp_path)] == ([name] if shown else [])
    assert (is_shown(name), is_audience(name)) == (shown, may_be)


def test_a_dashboards_name_is_one_that_a_file_can_have() -> None:
    assert dashboard_named("finance/" + "x" * 200) == ("finance", "x" * 200)
    for name in ("x" * 201, "ü" * 128, ".x", "a/b", "", "a\nb"):
        assert dashboard_named(f"finance/{name}") is None
