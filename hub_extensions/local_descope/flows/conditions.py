"""Comparisons in a flow's conditions, as Descope's own client evaluates them.

Source: descope-js, `realtime-conditions/evaluator.ts`, which says that it mirrors the service.
What cannot be compared is false, for an operator and for its opposite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

Operator = Callable[[Any, Any], bool]


def looked_up(context: Mapping[str, Any], name: str) -> Any:
    """The value at a dotted name such as `authInfo.firstSeen`, or None."""
    value: Any = context
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def pattern(text: str) -> TypeAdapter[str] | None:
    """A regular expression that finds in linear time, whoever wrote it; None for a bad one."""
    try:
        return TypeAdapter(Annotated[str, StringConstraints(pattern=text)])
    except SchemaError:
        return None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _equal(value: Any, other: Any) -> bool:
    return value == other or (value is not None and _text(value) == _text(other))


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, bool | int | float) or value else None
    except (TypeError, ValueError, OverflowError):
        return None


def _compared(holds: Callable[[float, float], bool]) -> Operator:
    def compare(value: Any, other: Any) -> bool:
        left, right = _number(value), _number(other)
        return left is not None and right is not None and holds(left, right)

    return compare


def _contains(value: Any, other: Any) -> bool | None:
    if isinstance(value, list):
        return other in value
    return other in value if isinstance(value, str) and isinstance(other, str) else None


def _in(value: Any, other: Any) -> bool | None:
    among = other.split(",") if isinstance(other, str) else other
    return value in among if isinstance(among, list) else None


def _in_range(value: Any, other: Any) -> bool | None:
    low, _, high = other.partition(",") if isinstance(other, str) else ("", "", "")
    numbers = [_number(each) for each in (low, value, high)]
    if None in numbers:
        return None
    return numbers == sorted(numbers)  # pyright: ignore[reportArgumentType]


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool | int | float):
        return bool(value)
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def _matches(value: Any, other: Any) -> bool:
    expression = pattern(other) if isinstance(other, str) and isinstance(value, str) else None
    if expression is None:
        return False
    try:
        return bool(expression.validate_python(value) or True)
    except ValidationError:
        return False


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


OPERATORS: Mapping[str, Operator] = {
    "equal": _equal,
    "not-equal": lambda value, other: not _equal(value, other),
    "contains": lambda value, other: _contains(value, other) is True,
    "doesnt-contains": lambda value, other: _contains(value, other) is False,
    "greater-than": _compared(lambda left, right: left > right),
    "greater-than-or-equal": _compared(lambda left, right: left >= right),
    "less-than": _compared(lambda left, right: left < right),
    "less-than-or-equal": _compared(lambda left, right: left <= right),
    "empty": lambda value, _: _empty(value),
    "not-empty": lambda value, _: not _empty(value),
    "is-true": lambda value, _: _truth(value) is True,
    "is-false": lambda value, _: _truth(value) is False,
    "in": lambda value, other: _in(value, other) is True,
    "not-in": lambda value, other: _in(value, other) is False,
    "in-range": lambda value, other: _in_range(value, other) is True,
    "not-in-range": lambda value, other: _in_range(value, other) is not True,
    "devised-by": _compared(lambda left, right: right != 0 and left % right == 0),
    "matches": _matches,
}
