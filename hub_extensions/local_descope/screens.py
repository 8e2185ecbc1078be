"""A screen of the flow as parts that the page template draws, and the reading of its form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .flow import Node, Screen, looked_up

#: How our page draws each component; one that needs nothing here (the mark is on every page, no
#: picture comes from another host) is drawn as nothing.
COMPONENTS: Mapping[str, str] = {
    "Container": "container",
    "Text": "text",
    "EmailInput": "input",
    "FullNameInput": "input",
    "TextInput": "input",
    "Button": "button",
    "Link": "link",
    "Divider": "divider",
    "ErrorMessage": "error",
    "PollingLoader": "waiting",
    "Logo": "",
    "Image": "",
}
AUTOCOMPLETE = {"EmailInput": "email", "FullNameInput": "name"}
#: Narrow on purpose: what every mail system accepts, and no quoting, spaces or controls.
EMAIL = re.compile(r"[a-z0-9._%+'-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
LONGEST_INPUT = 254


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing on the page; `kind` says which of the other fields count."""

    kind: str
    text: str = ""
    id: str = ""
    #: h1 or p for text; primary, quiet or nothing for a button; the address of a link.
    style: str = ""
    name: str = ""
    type: str = ""
    value: str = ""
    placeholder: str = ""
    autocomplete: str = ""
    required: bool = False
    longest: int = LONGEST_INPUT


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A form that was sent: values by input, the user's properties in it, and what is wrong."""

    values: Mapping[str, str]
    properties: Mapping[str, str]
    problems: Mapping[str, str]


def draw(screen: Screen, context: Mapping[str, Any]) -> list[Part]:
    """The parts of a screen from top to bottom, with `{{names}}` filled in from the context."""
    parts: list[Part] = []
    has_primary = False
    for node in _nodes(screen):
        part = _part(node, context)
        if part is None:
            continue
        if part.kind == "button" and part.style == "primary":
            part = part if not has_primary else _part(node, context, style="")
            has_primary = True
        if part:
            parts.append(part)
    return parts


def read_form(screen: Screen, form: Mapping[str, str], interaction: str) -> Answer:
    """What the person typed into the screen's inputs, tidied and checked.

    A button that says so (`formNoValidate`) sends the form unchecked. Fields that are no input
    of the screen are not read.
    """
    button = screen.nodes.get(interaction)
    is_checked = not (button and button.props.get("formNoValidate"))
    values: dict[str, str] = {}
    properties: dict[str, str] = {}
    problems: dict[str, str] = {}
    for node in _nodes(screen):
        if COMPONENTS[node.component] != "input":
            continue
        name = str(node.props.get("name") or node.id)
        value = _tidy(form.get(name, ""), node)
        values[name] = value
        if node.context_key:
            properties[node.context_key] = value
        problem = _problem(node, value) if is_checked else None
        if problem:
            problems[name] = problem
    return Answer(values=values, properties=properties, problems=problems)


def is_email(value: str) -> bool:
    """Whether this is an address, in lower case, that a link could be sent to."""
    return len(value) <= LONGEST_INPUT and EMAIL.fullmatch(value) is not None


def masked(email: str) -> str:
    """An address of which only its owner knows the rest: `m*****@acme.test`."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}*****@{domain}"


def _nodes(screen: Screen, key: str = "ROOT", seen: tuple[str, ...] = ()) -> Iterator[Node]:
    node = screen.nodes.get(key)
    if node is None or key in seen:
        return
    yield node
    for child in node.children:
        yield from _nodes(screen, child, (*seen, key))


def _part(node: Node, context: Mapping[str, Any], style: str | None = None) -> Part | None:
    props = node.props
    text = _filled(str(props.get("children") or ""), context)
    match COMPONENTS[node.component]:
        case "text":
            return Part(kind="text", text=text, style=_text_style(str(props.get("variant"))))
        case "divider":
            return Part(kind="divider", text=text.lower())
        case "link":
            return Part(kind="link", text=text, style=_address(props.get("href")))
        case "button":
            styles = {"contained": "primary", "link": "quiet"}
            given = styles.get(str(props.get("variant")), "") if style is None else style
            # A form that need not be valid: `required` is kept for the template's attribute.
            unchecked = bool(props.get("formNoValidate"))
            return Part(kind="button", text=text, id=node.id, style=given, required=not unchecked)
        case "input":
            return _input(node, context)
        case "error" | "waiting" as kind:
            return Part(kind=kind)
    return None


def _input(node: Node, context: Mapping[str, Any]) -> Part:
    props = node.props
    name = str(props.get("name") or node.id)
    placeholder = str(props.get("placeholder") or "")
    return Part(
        kind="input",
        id=node.id,
        name=name,
        text=str(props.get("label") or placeholder.rstrip(" *")),
        type="email" if node.component == "EmailInput" else "text",
        value=str(looked_up(context, f"form.{name}") or ""),
        placeholder=placeholder,
        autocomplete=AUTOCOMPLETE.get(node.component, "off"),
        required=bool(props.get("required")),
        longest=_longest(node),
    )


def _text_style(variant: str) -> str:
    if variant.startswith("h"):
        return "h1"
    return "p" if variant.startswith("subtitle") else "small"


def _address(href: Any) -> str:
    """A link's address if it is a web page; nothing else may be put behind a link."""
    return str(href) if urlsplit(str(href)).scheme in {"http", "https"} else ""


def _filled(text: str, context: Mapping[str, Any]) -> str:
    names = r"\{\{\s*([\w.]+)\s*\}\}"
    return re.sub(names, lambda found: str(looked_up(context, found[1]) or ""), text)


def _longest(node: Node) -> int:
    return min(int(node.props.get("max") or LONGEST_INPUT), LONGEST_INPUT)


def _tidy(value: str, node: Node) -> str:
    """One line without control characters; an address in lower case."""
    kept = (sign for sign in value if unicodedata.category(sign) not in {"Cc", "Cf", "Cs"})
    line = " ".join("".join(kept).split())
    if node.component == "EmailInput":
        # Cut one past the limit, so that too long an address is refused and not changed.
        return line.lower()[: LONGEST_INPUT + 1]
    return line[: _longest(node)]


def _problem(node: Node, value: str) -> str | None:
    if not value:
        return "Please fill this in." if node.props.get("required") else None
    if node.component == "EmailInput" and not is_email(value):
        return "This does not look like an e-mail address."
    return None
