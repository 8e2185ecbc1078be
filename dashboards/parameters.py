"""The parameters of a notebook: the assignments in its cell with the tag `parameters`.

As papermill has it: `name: type = value  # type: type  help`, where the types and the help may be
missing. The help may end in what can be chosen: `one of: EMEA, APAC`, or `0 to 100 step 5`.
`Literal["EMEA", "APAC"]` as the type says the same.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from dashboards.cells import Cell

Kind = Literal["bool", "int", "float", "str", "date", "list"]

MOST_CHOICES = 500
"""So many choices of a parameter are taken."""

_TYPE = re.compile(r"#?\s*type:\s*(\S+)\s*")
_ONE_OF = re.compile(r"(?:^|[\s;,.(:–-])one of:\s*(.+?)\)?$", re.I)
_NUMBER = r"([-+]?\d+(?:\.\d+)?)"
_RANGE = re.compile(
    rf"(?:^|[\s;,.(:–-])(?:from\s+)?{_NUMBER}\s+to\s+{_NUMBER}(?:,?\s+step\s+{_NUMBER})?\)?\.?$",
    re.I,
)
_KINDS: dict[type, Kind] = {bool: "bool", int: "int", float: "float", str: "str", date: "date"}
_READ = {"int": int, "float": float, "str": str, "bool": lambda text: text.lower() == "true"}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One of them.

    Attributes:
        default: what the notebook says; None where `may_be_none`.
        label: for people.
        choices: what can be chosen; none where all of the kind can.
        start, end, step: what a number is bounded by, None where it is not.
    """

    name: str
    kind: Kind
    default: Any
    label: str
    choices: tuple[Any, ...] = ()
    start: float | None = None
    end: float | None = None
    step: float | None = None
    may_be_none: bool = False


def parameters_of(cells: Iterable[Cell]) -> tuple[Parameter, ...]:
    """The parameters of a notebook; none if it has no such cell, or it is one of the shared ones.

    Assignments of other things than plain values are not for people to choose, and left out.
    """
    cell = next((cell for cell in cells if cell.has_parameters), None)
    if cell is None or cell.is_shared:
        return ()
    try:
        tree = ast.parse(cell.python)
        comments = _comments(cell.python)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()  # as whoever opens it is told when the cell runs
    found: dict[str, Parameter] = {}
    for node in tree.body:
        target = _target(node)
        if target and not target.startswith("_"):
            parameter = _parameter(target, node, comments.get(node.end_lineno or 0, ""))
            found.pop(target, None)
            if parameter:
                found[target] = parameter
    return tuple(found.values())


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    try:
        return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    except tokenize.TokenError as error:
        raise ValueError(str(error)) from None


def _target(node: ast.stmt) -> str:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        return node.target.id
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        return target.id if isinstance(target, ast.Name) else ""
    return ""


def _parameter(name: str, node: Any, comment: str) -> Parameter | None:
    annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
    if of_type := _TYPE.match(comment):
        annotation, comment = annotation or of_type[1], comment[of_type.end() :]
    try:
        default = _value(node.value)
        choices = _literals(annotation)
        kind = _kind(default, annotation, choices)
        comment, bounds, named = _split(comment, kind)
        choices = choices or tuple(_as_kind(text, kind, default) for text in named)
        if kind == "list" and not choices:
            choices = tuple(dict.fromkeys(default))
        return _checked(
            Parameter(
                name=name,
                kind=kind,
                default=default,
                label=comment[:200] or _words(name),
                choices=choices[:MOST_CHOICES],
                may_be_none=default is None or "None" in annotation or "Optional" in annotation,
                **bounds,
            )
        )
    except (ValueError, TypeError, SyntaxError, KeyError):
        return None


def _value(node: Any) -> Any:
    """A plain value. Raises ValueError for all else."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {
        *("date", "datetime.date", "dt.date"),
        *("date.fromisoformat", "datetime.date.fromisoformat", "dt.date.fromisoformat"),
    }:
        arguments = [ast.literal_eval(argument) for argument in node.args]
        arguments_named = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
        is_text = ast.unparse(node.func).endswith("fromisoformat")
        return (date.fromisoformat if is_text else date)(*arguments, **arguments_named)
    return ast.literal_eval(node)


def _literals(annotation: str) -> tuple[Any, ...]:
    found = re.search(r"\bLiteral\[(.*?)\]", annotation)
    return tuple(ast.literal_eval(f"({found[1]},)")) if found else ()


def _kind(default: Any, annotation: str, choices: tuple[Any, ...]) -> Kind:
    """Raises KeyError for a kind that people cannot choose."""
    if isinstance(default, list):
        if not all(type(part) in {str, int, float} for part in default):
            raise KeyError("a list of other things")
        return "list"
    if default is None:
        if choices:
            return _KINDS[type(choices[0])]
        named: list[Kind] = [
            kind for kind in _KINDS.values() if re.search(rf"\b{kind}\b", annotation)
        ]
        if not named:
            raise KeyError("another kind, or none")
        return named[0]
    if type(default) is int and re.search(r"\bfloat\b", annotation):
        return "float"
    return _KINDS[type(default)]


def _as_kind(text: str, kind: Kind, default: Any) -> Any:
    if kind == "list":
        return type(default[0])(text) if default else text
    if kind == "date":
        return date.fromisoformat(text)
    return _READ[kind](text)


def _split(comment: str, kind: Kind) -> tuple[str, dict[str, float | None], list[str]]:
    """The help without what can be chosen, the bounds, and the choices as texts."""
    bounds: dict[str, float | None] = {}
    named: list[str] = []
    found = None
    if found := _ONE_OF.search(comment):
        named = [word.strip().strip("\"'") for word in found[1].split(",") if word.strip()]
    elif kind in {"int", "float"} and (found := _RANGE.search(comment)):
        number = int if kind == "int" else float
        ends = (found[1], found[2], found[3])
        bounds = {
            name: None if text is None else number(float(text))
            for name, text in zip(("start", "end", "step"), ends, strict=True)
        }
    rest = comment[: found.start()] if found else comment
    return rest.strip(" ;,.(:–-") if found else rest.strip(), bounds, named


def _checked(parameter: Parameter) -> Parameter:
    """What the notebook says itself can always be chosen; bounds that make no sense are none."""
    default, choices = parameter.default, parameter.choices
    said = default if parameter.kind == "list" else [default]
    if choices:
        more = [part for part in said if part is not None and part not in choices]
        return replace(parameter, choices=(*more, *choices))
    if parameter.start is not None and parameter.end is not None:
        is_within = default is None or parameter.start <= default <= parameter.end
        is_moving = parameter.step is None or parameter.step > 0
        if parameter.start >= parameter.end or not is_within or not is_moving:
            return replace(parameter, start=None, end=None, step=None)
    return parameter


def _words(name: str) -> str:
    words = " ".join(name.split("_")).strip()
    return words[:1].upper() + words[1:]
