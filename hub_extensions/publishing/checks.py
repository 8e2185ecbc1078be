"""What is found out about a notebook before it is published, and the notebooks that wait for it.

They are kept in memory, for the person who handed them in, for an hour; a hub that starts anew has
forgotten them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import IO, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from tornado.log import app_log

from ..accounts import apart
from ..folders import ADMIN
from ..notebook_files import LARGEST
from ..spawner import DashboardSpawner
from ..trial_runs import Trial, trial
from . import data_files
from .data_files import DataChange
from .publishing import CannotPublish
from .reading import NO_WORD, PATIENCE, TOO_LARGE
from .versions import Place

#: Of a notebook as it is handed in, in bytes; outputs are most of a large one.
LARGEST_SENT: Final = 50_000_000 - 1

_OWNER: Final = "reader"
_KEPT: Final = 3600.0  # seconds
_OF_ONE: Final = 4  # checks of one person that are kept
_BYTES_OF_ONE: Final = 2 * LARGEST + data_files.IN_ALL  # of those notebooks and their data,
_ALL: Final = 256 * 1024 * 1024  # and of everybody's
#: Bytes of a data file, and of all together, that are looked through for secrets.
_OF_TEXT: Final = 256 * 1024
_OF_TEXTS: Final = 2 * 1024 * 1024
_LONGEST_LINE: Final = 16 * 1024 * 1024  # bytes of what is told of a notebook
#: Errors by which a notebook says that something is away which it needs, and may be there later.
_AWAY: Final = frozenset(
    {
        "ConnectionError",
        "ConnectionRefusedError",
        "ConnectionResetError",
        "ConnectTimeout",
        "DatabaseError",
        "FileNotFoundError",
        "HTTPError",
        "OperationalError",
        "PermissionError",
        "ReadTimeout",
        "TimeoutError",
        "URLError",
        "gaierror",
    }
)
_one_at_a_time = asyncio.Lock()
_reading: Final[set[int]] = set()  # whose notebook is read, or waits for that

_Word = Annotated[str, StringConstraints(max_length=300)]
_Text = Annotated[str, StringConstraints(max_length=4100)]


class Secret(BaseModel):
    """See `secret_shapes.Finding`."""

    cell: int
    line: int
    what: _Word
    file: _Word = ""


class Changed(BaseModel):
    """See `changes.Change`."""

    kind: Literal["added", "removed", "changed"]
    cell: int
    type: _Word
    before: _Text
    after: _Text


class Found(BaseModel):
    """What is known of a notebook without running it.

    Attributes:
        problem: why it can never be published, a sentence; "" if nothing speaks against it.
        title: what it calls itself, "" if it does not say.
        cells: how many it has.
        outputs: how many outputs were left out.
        secrets: what looks like a secret.
        changes: from what is there now; all of its cells if nothing is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    problem: _Word = ""
    title: _Word = ""
    cells: int = 0
    outputs: int = 0
    secrets: tuple[Secret, ...] = Field(default=(), max_length=50)
    changes: tuple[Changed, ...] = Field(default=(), max_length=500)


@dataclass
class Check:
    """A notebook that somebody wants to publish.

    Attributes:
        id: names it, and is not to be guessed.
        owner: the id of the person in the hub.
        name: what its file is called, as far as that can be a dashboard's name.
        notebook: it, without its outputs; b"" if it can never be published.
        data: its data files by their names; no more are taken once its place is known.
        place: where it is to go, None as long as that is not said.
        present: what is there, by its `state_id`.
        changes: what becomes of the data files there.
        obstacle: why these cannot be put there, a sentence; "" if they can.
        trial: how it ran there, None as long as it runs.
    """

    id: str
    owner: int
    name: str
    found: Found
    notebook: bytes
    data: Mapping[str, bytes] = field(default_factory=dict)
    place: Place | None = None
    present: str = ""
    changes: tuple[DataChange, ...] = ()
    obstacle: str = ""
    trial: Trial | None = None
    made: float = field(default_factory=time.monotonic)
    running: asyncio.Task[None] | None = None

    @property
    def size(self) -> int:
        """Its bytes, data and pictures included."""
        pictures = self.trial.pictures if self.trial else {}
        return len(self.notebook) + sum(map(len, (*self.data.values(), *pictures.values())))

    @property
    def is_running(self) -> bool:
        """Whether its trial goes on."""
        return self.running is not None and not self.running.done()

    @property
    def refusal(self) -> str:
        """Why it cannot be published whatever its author says; "" if it can."""
        if self.found.problem or self.obstacle:
            return self.found.problem or self.obstacle
        trial = self.trial
        if trial is None or not trial.problem or self.asks:
            return ""
        if trial.missing:
            return (
                f"It needs packages that are not installed here: {', '.join(trial.missing)}. Ask"
                " whoever runs this site to install them, or do without."
            )
        return "It does not run. Mend it, run all its cells from top to bottom, and try again."

    @property
    def asks(self) -> bool:
        """Whether it did not run to its end for a reason that may not hold when somebody looks at
        it, so that its author decides."""
        trial = self.trial
        if trial is None or trial.missing:
            return False
        if trial.needs_viewer or not trial.problem:
            return trial.needs_viewer
        is_admins = self.place is not None and self.place.folder == ADMIN
        return is_admins or trial.error in _AWAY


@contextlib.asynccontextmanager
async def turn(owner: int) -> AsyncIterator[None]:
    """Somebody's turn to have a notebook read. What is read is to be fetched in it, not before:
    many may wait.

    Args:
        owner: the id of the person in the hub.

    Raises:
        CannotPublish: one of theirs is read already, or waits.
    """
    if owner in _reading:
        raise CannotPublish(
            "Another notebook of yours is being looked at. Wait for that, and try again.", 429
        )
    _reading.add(owner)
    try:
        async with _one_at_a_time:
            yield
    finally:
        _reading.discard(owner)


async def read(
    spawner: DashboardSpawner,
    notebook: bytes,
    present: bytes | None,
    data: Mapping[str, bytes] = MappingProxyType({}),
) -> tuple[Found, bytes]:
    """What is known of a notebook that somebody hands in, and it without its outputs. Call it in
    somebody's `turn`.

    Args:
        spawner: of anybody's server; it knows the accounts.
        present: the notebook that it would replace.
        data: its data files.
    """
    if len(notebook) > LARGEST_SENT:
        return Found(problem=TOO_LARGE), b""
    texts = _beginnings(data)
    sizes = {
        "notebook": len(notebook),
        "present": len(present or b""),
        "texts": [(name, len(text)) for name, text in texts.items()],
    }
    parts = json.dumps(sizes).encode() + b"\n", notebook, present or b"", *texts.values()
    with tempfile.TemporaryFile() as file:
        status = await apart.run(
            "hub_extensions.publishing.reading",
            given=b"".join(parts),
            seconds=PATIENCE,
            uid=spawner.unix_id(_OWNER) if spawner.ids else None,
            stdout=file,
            stderr=asyncio.subprocess.DEVNULL,  # it would say what the notebook has it say
            cwd="/",
            env={},
        )
        if status != 0:
            return Found(problem=NO_WORD), b""
        return await asyncio.to_thread(_found_in, file)


def _beginnings(data: Mapping[str, bytes]) -> dict[str, bytes]:
    """As much of data files as is looked through."""
    found, left = {}, _OF_TEXTS
    for name, content in data.items():
        found[name] = content[: min(_OF_TEXT, left)]
        left -= len(found[name])
    return found


def _found_in(file: IO[bytes]) -> tuple[Found, bytes]:
    """What the reader has written, as far as it can be true."""
    file.seek(0)
    line, rest = file.readline(_LONGEST_LINE), file.read(LARGEST + 1)
    try:
        found = Found.model_validate_json(line)
    except ValidationError:
        return Found(problem=NO_WORD), b""
    if len(rest) > LARGEST:
        return Found(problem=TOO_LARGE), b""
    return found, b"" if found.problem else rest


class Checks:
    """Those that are kept."""

    def __init__(self) -> None:
        self._kept: dict[str, Check] = {}

    def add(self, owner: int, name: str, found: Found, notebook: bytes) -> Check:
        """Keep one more; this person's oldest go, if there are too many.

        Raises:
            CannotPublish: there is no room for it, as others' are kept.
        """
        self._make_room(owner, len(notebook))
        check = Check(
            id=secrets.token_urlsafe(16), owner=owner, name=name, found=found, notebook=notebook
        )
        self._kept[check.id] = check
        return check

    def add_data(self, check: Check, name: str, content: bytes) -> None:
        """Keep a data file with one, in the place of another of this name. Raises as `add`."""
        data = {**check.data, name: content}
        self._make_room(check.owner, sum(map(len, data.values())), check)
        check.data = data

    def get(self, owner: int, check_id: str) -> Check | None:
        """One of this person's; None if there is none of this id, or no more."""
        check = self._kept.get(check_id)
        return check if check and check.owner == owner and _is_fresh(check) else None

    def drop(self, check: Check) -> None:
        """Forget one; if it runs, it ends."""
        self._kept.pop(check.id, None)
        if check.running:
            check.running.cancel()

    def drop_all_of(self, owner: int) -> None:
        """Forget all of a person's: they are signed out, or may not come any more."""
        for check in list(self._kept.values()):
            if check.owner == owner:
                self.drop(check)

    def try_out(
        self, spawner: DashboardSpawner, check: Check, still_may: Callable[[], bool]
    ) -> None:
        """Have it run where it is to go. Nobody waits for that here. `still_may`: as of `trial`."""
        if check.running:
            check.running.cancel()
        check.trial = None
        check.running = asyncio.create_task(_try_out(spawner, check, still_may))

    def _make_room(self, owner: int, size: int, check: Check | None = None) -> None:
        """For so many bytes more of a person's, or of one of theirs. Raises CannotPublish."""
        kept = [one for one in self._kept.values() if one is not check]
        more = size + (len(check.notebook) if check else 0)
        for old in _to_go(kept, owner, more):
            self.drop(old)
        kept = [one for one in self._kept.values() if one is not check]
        if sum(one.size for one in kept) + more > _ALL:
            raise CannotPublish(
                "Many notebooks wait to be published just now. Try again in some minutes.", 503
            )


def _to_go(kept: list[Check], owner: int, size: int) -> Iterator[Check]:
    """Those that make room for one of a person's with so many bytes: what is old, and their own."""
    left = 1
    for check in reversed(kept):
        if check.owner == owner:
            left, size = left + 1, size + check.size
        is_too_much = check.owner == owner and (left > _OF_ONE or size > _BYTES_OF_ONE)
        if is_too_much or not _is_fresh(check):
            yield check


def _is_fresh(check: Check) -> bool:
    return time.monotonic() - check.made < _KEPT


async def _try_out(spawner: DashboardSpawner, check: Check, still_may: Callable[[], bool]) -> None:
    place = check.place
    assert place is not None
    try:
        check.trial = await trial(
            spawner,
            place.folder,
            place.name,
            check.notebook,
            beside=check.data,
            still_may=still_may,
        )
    except Exception:
        app_log.exception("%s could not be tried", place)
        check.trial = Trial(problem="It could not be tried here just now. Try again.")


checks: Final = Checks()
"""The hub's."""
