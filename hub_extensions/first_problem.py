"""The first thing that is wrong with a value, in words that never repeat it: it may be a secret."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError


def sentence(error: ValidationError) -> str:
    """As a sentence without a full stop that begins with the name of the setting."""
    first = _first(error)
    where, kind = str(first["loc"][0]) if first["loc"] else "", first["type"]
    what = _words(first)
    if kind == "missing":
        what = "is not set"
    elif kind != "value_error" and where:
        what = f"is not right: {what[0].lower()}{what[1:]}"
    return f"{where} {what}".strip()


def located(error: ValidationError) -> str:
    """Where in a document it is, and what: `contents.dsl.tasks: Field required`."""
    first = _first(error)
    return f"{'.'.join(map(str, first['loc']))}: {_words(first)}"


def _first(error: ValidationError) -> Any:
    return error.errors(include_input=False, include_url=False)[0]


def _words(problem: Any) -> str:
    return problem["msg"].removeprefix("Value error, ")
