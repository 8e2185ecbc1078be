"""A flow in Descope's export format, as records with the format's own names.

Tasks are joined by rules: a rule leads from a task to the next by the id of what happened (a
button, `success`, a condition's branch). Several rules may have one id. The tasks in `CALLBACKS`
are entered by nobody at once: they go on when a link is opened or a provider has answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from pydantic import AliasPath, BaseModel, ConfigDict, Field, model_validator

from .conditions import OPERATORS, looked_up

#: The actions that go on after a wait.
CALLBACKS: Final = frozenset({"verify-magic-link", "exchange-oauth-code", "exchange-saml-code"})
#: How the page draws each component, see `templates/screen.html`. A social button is known by
#: its provider and not by its name. "" is drawn as nothing: the mark is on every page, and no
#: picture comes from another host.
COMPONENTS: Final[Mapping[str, str]] = {
    "Container": "container",
    "Text": "text",
    "EmailInput": "input",
    "FullNameInput": "input",
    "TextInput": "input",
    "Button": "button",
    "SSOButton": "button",
    "Link": "link",
    "Divider": "divider",
    "ErrorMessage": "error",
    "PollingLoader": "waiting",
    "Logo": "",
    "Image": "",
}
ELSE: Final = "ELSE"
MOST: Final = 500


class FlowError(Exception):
    """The flow cannot be run; the message is one sentence that names the place."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        return {name: value for name, value in part.items() if value is not None}


class Value(_Part):
    """An argument or one side of a comparison: written out, or a name in the run's context."""

    type: str = "inline"
    value: Any = None

    def read(self, context: Mapping[str, Any]) -> Any:
        return looked_up(context, str(self.value)) if self.type == "context" else self.value


class Atom(_Part):
    operator: str
    target: Value
    predicate: Value = Value()


class Branch(_Part):
    """A branch of a condition, taken if its comparisons hold; the last, ELSE, has none."""

    interactionId: str
    atomicConditions: tuple[Atom, ...] = ()
    logicalOr: bool = False

    def holds(self, context: Mapping[str, Any]) -> bool:
        together = any if self.logicalOr else all
        return self.interactionId == ELSE or together(
            OPERATORS[atom.operator](atom.target.read(context), atom.predicate.read(context))
            for atom in self.atomicConditions
        )


class Rule(_Part):
    interactionId: str = ""
    taskId: str


class Task(_Part):
    id: str
    name: str = ""
    type: str = "start"
    action: str = ""
    screenId: str = ""
    arguments: dict[str, Value] = {}
    conditions: tuple[Branch, ...] = ()
    rules: tuple[Rule, ...] = Field((), validation_alias=AliasPath("next", "rules"))

    def next(self, interaction: str) -> list[str]:
        """The tasks that follow when this happened, in the file's order."""
        return [rule.taskId for rule in self.rules if rule.interactionId == interaction]

    def argument(self, name: str) -> Any:
        """An argument of an action; None where the file leaves it to the default."""
        return self.arguments.get(name, Value()).value or None

    def text(self, name: str) -> str:
        """An argument that is a text, "" for any other."""
        value = self.argument(name)
        return value if isinstance(value, str) else ""

    def branch(self, context: Mapping[str, Any]) -> str:
        """The interaction of the first branch that holds; ELSE always does."""
        return next(each.interactionId for each in self.conditions if each.holds(context))


class Node(_Part):
    """A component of a screen, such as Text or Button; `id` is its key in the screen."""

    id: str = ""
    name: str = Field(validation_alias=AliasPath("type", "resolvedName"))
    props: dict[str, Any] = {}
    nodes: tuple[str, ...] = ()
    hidden: bool = False
    #: The property of the user that an input sets, if any.
    sets: str = Field("", validation_alias=AliasPath("custom", "contextKey"))

    @property
    def provider(self) -> str:
        """The social provider that a button stands for, "" for any other."""
        return str(self.props.get("data-descope-provider") or "")

    @property
    def kind(self) -> str | None:
        """How the page draws it; None for what it does not know."""
        return "button" if self.provider else COMPONENTS.get(self.name)

    @property
    def input_name(self) -> str:
        return str(self.props.get("name") or self.id)


class Screen(_Part):
    screenId: str
    contents: dict[str, Node]

    def node(self, node_id: str) -> Node | None:
        node = self.contents.get(node_id)
        return node.model_copy(update={"id": node_id}) if node else None

    def shown(self) -> Iterator[Node]:
        """The components from top to bottom, without the hidden ones and what is in them."""
        waiting, seen = ["ROOT"], set()
        while waiting:
            key = waiting.pop()
            node = self.node(key)
            if node is None or node.hidden or key in seen:
                continue
            seen.add(key)
            yield node
            waiting.extend(reversed(node.nodes))


class RunnableFlow(_Part):
    flowId: str
    tasks: dict[str, Task] = Field(validation_alias=AliasPath("contents", "tasks"), max_length=MOST)
    start_task: str = Field("", validation_alias=AliasPath("contents", "startTask"))
    all_screens: tuple[Screen, ...] = Field(validation_alias="screens", max_length=MOST)

    @property
    def start(self) -> str:
        rules = self.tasks["start"].rules if "start" in self.tasks else ()
        return rules[0].taskId if rules else self.start_task

    @cached_property
    def screens(self) -> dict[str, Screen]:
        return {screen.screenId: screen for screen in self.all_screens}

    def task(self, task_id: str) -> Task:
        """A task.

        Raises:
            FlowError: an earlier state of this flow had it.
        """
        if task_id not in self.tasks:
            raise FlowError(f'The flow has no task "{task_id}" any more. Start again.')
        return self.tasks[task_id]
