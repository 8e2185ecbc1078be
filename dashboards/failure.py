"""What went wrong in a notebook, for people and for admins."""

from __future__ import annotations

import logging
import os
import secrets
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

log = logging.getLogger(__name__)

_kept_out: set[str] = set()
_references: dict[tuple[object, ...], str] = {}
_told: list[Callable[[str], object]] = []


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What went wrong in a notebook: the reference for people, the traceback for admins.

    `sentence` tells people more than that something did, "" where there is nothing to tell.
    """

    reference: str
    summary: str
    traceback: str
    sentence: str = ""


class CannotWork(RuntimeError):
    """Code asks for what a dashboard has not; `sentence` says so, and what to do instead."""

    def __init__(self, sentence: str, *what: object) -> None:
        super().__init__(sentence, *what)
        self.sentence = sentence


class SessionEnded(Exception):
    """The process of a dashboard has come to an end, or never came to be.

    `sentence`: what people are told, "" where there is nothing to tell. `cause`: a word for admins,
    of those that the hub takes (`hub_extensions.usage.failures`).
    """

    def __init__(self, message: str, sentence: str = "", cause: str = "") -> None:
        super().__init__(message)
        self.sentence, self.cause = sentence, cause


def noted(what: str, error: BaseException) -> Failure:
    """Write into the log that code of a notebook has failed, and why, under a reference: what fails
    again and again at one place has one."""
    place = (what, type(error), *map(str, traceback.extract_tb(error.__traceback__)))
    failure = Failure(
        reference=_references.setdefault(place, secrets.token_hex(4)),
        summary=type(error).__name__,
        traceback=traceback_of(error),
        sentence=sentence_of(error),
    )
    log.error("%s failed, reference %s\n%s", what, failure.reference, failure.traceback)
    for tell in _told:
        tell(failure.reference)
    return failure


def on_noted(tell: Callable[[str], object]) -> None:
    """Have this called with the reference of whatever is noted from now on, in any thread."""
    _told.append(tell)


def sentence_of(error: BaseException) -> str:
    """What people can do about an error themselves, "" for most."""
    if isinstance(error, MemoryError):
        return (
            "It needs more memory than there is for one dashboard. Choose less data, if it lets"
            " you."
        )
    if isinstance(error, SessionEnded | CannotWork):
        return error.sentence
    return ""


def give_secrets(given: Mapping[str, str]) -> None:
    """From now on code of a notebook finds these in its environment, and no traceback shows their
    values: a library may put a password into its message."""
    os.environ.update(given)
    _kept_out.update(filter(None, given.values()))


def traceback_of(error: BaseException) -> str:
    """The traceback of an error, from the notebook's own code on."""
    trace = _of_notebook(error)
    text = "".join(traceback.format_exception(type(error), error, trace))
    for secret in sorted(_kept_out, key=len, reverse=True):
        text = text.replace(secret, "•••")
    return text


def _of_notebook(error: BaseException) -> TracebackType | None:
    """Where its own code begins; None where that did not run, since it is no Python: the error
    itself says which line."""
    start = error.__traceback__
    while start is not None:
        if _is_of_notebook(start.tb_frame.f_code.co_filename):
            return start
        start = start.tb_next
    is_its_text = isinstance(error, SyntaxError) and _is_of_notebook(error.filename or "")
    return None if is_its_text else error.__traceback__


def _is_of_notebook(file: str) -> bool:
    return ".ipynb, cell " in file
