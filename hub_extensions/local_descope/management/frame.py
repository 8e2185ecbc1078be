"""The frame of the management API: who may call, what a call may say, and in what shape.

The calls themselves are in the modules beside this one: those that the command `descope_project`
and the tests make, at Descope's paths, and no more.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from ..errors import DescopeError
from ..flows.flow import FlowError
from ..parts import parts, transaction
from ..records import Record
from ..store import Transaction

blueprint = Blueprint("management", __name__)
#: A call gets a transaction, which its error undoes whole, and what it is told. None is answered
#: as {}: the SDK reads every answer as JSON.
Call = Callable[[Transaction, Any], dict[str, Any] | None]


def call(path: str, told: type[Record] = Record, method: str = "POST") -> Callable[[Call], Call]:
    """Serve a function as a call of the management API."""

    def serve(function: Call) -> Call:
        @functools.wraps(function)
        def answer() -> Response:
            authorize()
            body = read(told)
            try:
                with transaction() as db:
                    return jsonify(function(db, body) or {})
            except (ValidationError, FlowError) as error:
                raise refusal(error) from error
            except (PydanticSerializationError, RecursionError) as error:
                raise DescopeError("E011003", "it cannot be kept as JSON") from error

        blueprint.add_url_rule(f"/{path}", f"{method} {path}", answer, methods=[method])
        return function

    return serve


def authorize() -> None:
    """The bearer is the project's id and the management key.

    Raises:
        DescopeError: it is not.
    """
    key = project_bearer()
    if not secrets.compare_digest(key.encode(), parts().config.management_key.encode()):
        raise DescopeError("E061004", "The management key is missing or wrong")


def project_bearer() -> str:
    """The secret beside this project's id in the Authorization header, "" where there is none.

    Raises:
        DescopeError: the header names no project, or another one.
    """
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    project, _, secret = value.partition(":")
    if scheme != "Bearer" or project != parts().config.project_id:
        raise DescopeError("E011008")
    return secret


def read(told: type[Record]) -> Any:
    """What the call at hand is told: its body, or its query where it has none.

    Raises:
        DescopeError: it is no JSON object, lacks a name, or has a value of the wrong type.
    """
    try:
        if request.method in {"GET", "DELETE"} or not request.data:
            return told.model_validate(request.args.to_dict())
        return told.model_validate_json(request.data)
    except ValidationError as error:
        raise refusal(error) from error


def refusal(error: DescopeError | FlowError | ValidationError) -> DescopeError:
    """What is wrong, without repeating what was told."""
    if isinstance(error, DescopeError):
        return error
    if isinstance(error, FlowError):
        return DescopeError("E011003", str(error))
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return DescopeError("E011003", f"The {name} field is required")
    return DescopeError("E011003", f"{name}: {first['msg']}".removeprefix(": "))
