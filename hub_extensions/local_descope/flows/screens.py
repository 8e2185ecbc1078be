"""What a screen's page needs beside its components: texts filled in, and its form read.

How each component looks is in `templates/screen.html`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .conditions import looked_up
from .flow import Node, Screen

#: Narrow on purpose: what every mail system accepts, and no quoting, spaces or controls.
EMAIL = re.compile(r"[a-z0-9._%+'-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
LONGEST_INPUT = 254


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A form that was sent: values by input, the user's properties in it, and what is wrong."""

    values: Mapping[str, str]
    properties: Mapping[str, str]
    problems: Mapping[str, str]


def read_form(screen: Screen, form: Mapping[str, str], interaction: str) -> Answer:
    """What the person typed into the screen's inputs, tidied and checked.

    A button that says so (`formNoValidate`) sends the form unchecked. Fields that are no input
    of the screen are not read.
    """
    button = screen.node(interaction)
    is_checked = not (button and button.props.get("formNoValidate"))
    values: dict[str, str] = {}
    properties: dict[str, str] = {}
    problems: dict[str, str] = {}
    for node in screen.shown():
        if node.kind != "input":
            continue
        value = values[node.input_name] = _tidy(form.get(node.input_name, ""), node)
        if node.sets:
            properties[node.sets] = value
        problem = _problem(node, value) if is_checked else None
        if problem:
            problems[node.input_name] = problem
    return Answer(values=values, properties=properties, problems=problems)


def is_email(value: Any) -> bool:
    """Whether this is an address, in lower case, that a link could be sent to."""
    return isinstance(value, str) and len(value) <= LONGEST_INPUT and bool(EMAIL.fullmatch(value))


def masked(email: str) -> str:
    """An address of which only its owner knows the rest: `m*****@acme.test`."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}*****@{domain}"


def filled(text: Any, context: Mapping[str, Any]) -> str:
    """A text of the flow with its `{{names}}` filled in from the run's context."""
    names = r"\{\{\s*([\w.]+)\s*\}\}"
    return re.sub(names, lambda found: str(looked_up(context, found[1]) or ""), str(text or ""))


def web_address(href: Any) -> str:
    """A link's address if it is a web page; nothing else may be put behind a link."""
    try:
        return str(href) if urlsplit(str(href)).scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def longest(node: Node) -> int:
    """How many characters an input takes."""
    limit = node.props.get("max")
    return limit if isinstance(limit, int) and 0 < limit < LONGEST_INPUT else LONGEST_INPUT


def tidy_line(value: str) -> str:
    """One line without control characters."""
    kept = (sign for sign in value if unicodedata.category(sign) not in {"Cc", "Cf", "Cs"})
    return " ".join("".join(kept).split())


def _tidy(value: str, node: Node) -> str:
    line = tidy_line(value)
    if node.name == "EmailInput":
        # Cut one past the limit, so that too long an address is refused and not changed.
        return line.lower()[: LONGEST_INPUT + 1]
    return line[: longest(node)]


def _problem(node: Node, value: str) -> str | None:
    if not value:
        return "Please fill this in." if node.props.get("required") else None
    if node.name == "EmailInput" and not is_email(value):
        return "This does not look like an e-mail address."
    return None
