from __future__ import annotations

from datetime import date
from typing import Any

import panel as pn
import pytest

from dashboards.running.cells import Cell
from dashboards.running.parameters import MOST_CHOICES, Parameter, parameters_of
from dashboards.running.parameters_page import LONGEST_TEXT, Parameters, widget_of


def cell(source: str, **options: Any) -> Cell:
    return Cell(place="n, cell 1", is_code=True, source=source, has_parameters=True, **options)


def only(source: str) -> Parameter:
    (found,) = parameters_of([cell(source)])
    return found


@pytest.mark.parametrize(
    ("source", "kind", "default", "label"),
    [
        ("region = 'EMEA'", "str", "EMEA", "Region"),
        ("min_year = 2024", "int", 2024, "Min year"),
        ("year: int = 2024  # From year", "int", 2024, "From year"),
        ("share = 0.5  # type: float How much", "float", 0.5, "How much"),
        ("share = 1  # type: float", "float", 1, "Share"),
        ("is_net = True  #", "bool", True, "Is net"),
        ("day = date(2026, 1, 31)", "date", date(2026, 1, 31), "Day"),
        ("day = dt.date.fromisoformat('2026-01-31')", "date", date(2026, 1, 31), "Day"),
        ("kinds: list[str] = ['a', 'b']", "list", ["a", "b"], "Kinds"),
        ("below = -5", "int", -5, "Below"),
        ("word = (\n    'a'\n)  # A word", "str", "a", "A word"),
        ("sharp = 'a # b'  # A word", "str", "a # b", "A word"),
        ("most: int | None = None", "int", None, "Most"),
        ("word: Optional[str] = None", "str", None, "Word"),
    ],
)
def test_papermills_convention(source: str, kind: str, default: object, label: str) -> None:
    found = only(source)
    assert (found.kind, found.default, found.label) == (kind, default, label)
    assert found.may_be_none == (default is None)
    widget = widget_of(found)
    assert widget.label == label
    assert Parameters([found], None).values == {found.name: default}


@pytest.mark.parametrize(
    ("source", "label", "choices", "bounds"),
    [
        ("a = 'x'  # one of: x, y", "A", ("x", "y"), (None, None, None)),
        ("a = 'x'  # Which; one of: 'x', \"y z\"", "Which", ("x", "y z"), (None, None, None)),
        ("a = 1  # Which (one of: 1, 2)", "Which", (1, 2), (None, None, None)),
        ("a = 'z'  # one of: x, y", "A", ("z", "x", "y"), (None, None, None)),
        ("a: Literal['x', 'y'] = 'x'", "A", ("x", "y"), (None, None, None)),
        ("a: Literal[1, 2] | None = None", "A", (1, 2), (None, None, None)),
        ("a = ['x']  # one of: x, y", "A", ("x", "y"), (None, None, None)),
        ("a = [2, 1]", "A", (2, 1), (None, None, None)),
        ("a = 5  # 0 to 100 step 5", "A", (), (0, 100, 5)),
        ("a = 5  # Years, from 1 to 9", "Years", (), (1, 9, None)),
        ("a = 0.5  # Share, -1 to 1, step 0.1", "Share", (), (-1, 1, 0.1)),
        ("a = 5  # 10 to 20", "A", (), (None, None, None)),
        ("a = 5  # 20 to 1", "A", (), (None, None, None)),
        ("a = 5  # 1 to 9 step 0", "A", (), (None, None, None)),
        ("a = 'x'  # compared, 1 to 9", "compared, 1 to 9", (), (None, None, None)),
    ],
)
def test_what_can_be_chosen(source: str, label: str, choices: tuple, bounds: tuple) -> None:
    found = only(source)
    assert (found.label, found.choices) == (label, choices)
    assert (found.start, found.end, found.step) == bounds
    widget_of(found)


@pytest.mark.parametrize(
    "source",
    [
        "a = open('/etc/passwd')",
        "a = {'of': 'things'}",
        "a = [[1], [2]]",
        "a = None",
        "a, b = 1, 2",
        "a = b = 1",
        "a.b = 1",
        "_a = 1",
        "a: int",
        "a = date(1, 2, 3, 4)",
        "a = date(2026, 13, 1)",
        "a: Literal[os.getpid()] = 1",
        "a = b'x'",
        "a = 1 +",
        "a = 'x'\na = open('x')",
        "(" * 5000,
        "a = '\0'",
    ],
)
def test_all_else_is_not_for_people_to_choose(source: str) -> None:
    assert parameters_of([cell(source)]) == ()


def test_only_the_first_cell_with_the_tag_counts_and_no_shared_one() -> None:
    assert [p.name for p in parameters_of([cell("a = 1\nb = 2"), cell("c = 3")])] == ["a", "b"]
    assert parameters_of([cell("a = 1", is_shared=True)]) == ()
    assert parameters_of([]) == ()


def test_too_many_choices_and_too_long_a_label_are_cut() -> None:
    many = ", ".join(map(str, range(MOST_CHOICES + 5)))
    found = only(f"a = 1  # {'long ' * 100}; one of: {many}")
    assert len(found.choices) == MOST_CHOICES
    assert len(found.label) == 200


def chosen(source: str, **arguments: str | list[str]) -> tuple[dict[str, Any], Parameters]:
    texts = {k: [v] if isinstance(v, str) else v for k, v in arguments.items()}
    found = Parameters(
        parameters_of([cell(source)]), {k: [t.encode() for t in v] for k, v in texts.items()}
    )
    return found.values, found


@pytest.mark.parametrize(
    ("source", "asked", "value"),
    [
        ("a = 'x'  # one of: x, y", "y", "y"),
        ("a = 'x'  # one of: x, y", "z", "x"),
        ("a = 'x'", "free text", "x"),
        ("a = 5  # 1 to 9", "7", 7),
        ("a = 5  # 1 to 9", "70", 5),
        ("a = 5", "7", 7),
        ("a = 5", "7.5", 5),
        ("a = 5", "1e3", 5),
        ("a = 0.5", "nan", 0.5),
        ("a = True", "false", False),
        ("a = True", "0", True),
        ("a = date(2026, 1, 31)", "2026-02-01", date(2026, 2, 1)),
        ("a = date(2026, 1, 31)", "tomorrow", date(2026, 1, 31)),
        ("a = ['x', 'y']", ["y"], ["y"]),
        ("a = ['x', 'y']", ["z"], ["x", "y"]),
        ("a: int | None = None", "3", 3),
    ],
)
def test_an_address_chooses_as_a_person_could(
    source: str, asked: str | list[str], value: object
) -> None:
    assert chosen(source, a=asked)[0] == {"a": value}


def test_too_long_an_address_chooses_nothing() -> None:
    assert chosen("a = 5", a="7", b="x" * 3000)[0] == {"a": 5}


def test_values_stay_within_what_was_said() -> None:
    """A page says what it likes."""
    values, parameters = chosen("a = 5  # 1 to 9\nb = 2.5  # 0 to 9000\nc = 'x'")
    assert values == {"a": 5, "b": 2.5, "c": "x"}
    a, b, c = parameters.widgets.values()
    assert isinstance(a, pn.widgets.IntSlider)
    assert isinstance(b, pn.widgets.FloatInput)  # a slider has no room for so many steps
    a.param.value.bounds = None
    a.value, b.value, c.value = 99, None, "y" * (LONGEST_TEXT + 5)
    assert parameters.values == {"a": 9, "b": 2.5, "c": "y" * LONGEST_TEXT}
