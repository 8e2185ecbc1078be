"""Trial runs: a whole notebook, run once and for nobody, in a process of its folder's own.

So it is known whether a notebook runs before it is published, and what it looks like before
somebody opens it. `dashboards.running.trial_run` runs it, and can give back nothing but what it
writes into one file of the hub's. That is the notebook's word: it is bounded and checked here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets as random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from tornado.log import app_log

from . import folder_secrets
from .accounts import access_lists
from .accounts.folder_process import FolderProcess
from .folders import ADMIN
from .pictures import LARGEST, is_picture
from .spawner import DashboardSpawner

_LAST_MOMENTS: Final = 45.0  # seconds beyond those of the notebook: for its pictures, and to end
_SCHEMES: Final = ("light", "dark")
_LONGEST: Final = 200_000  # bytes of how it went
_ALL: Final = _LONGEST + 3 * LARGEST
_NO_WORD: Final = "It did not come to an end of which there is anything to tell."
_NOT_TRIED: Final = "What only admins see is not tried: it asks the hub, which a trial may not."
NO_ROOM: Final = "There is no room to try it just now."
"""What `Trial.problem` says of the machine, not of the notebook."""
_NOT_ANY_MORE: Final = "It was not tried: you may not publish to this folder any more."
_LONGEST_TYPE: Final = 60
_NICE: Final = 19
_NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How a trial run went.

    Attributes:
        problem: a sentence, "" when the notebook ran. Text of a notebook's, as the others: escape
            it.
        cell: the one that failed, as `cell 3`; "" if none did.
        traceback: from the notebook's own code on; "" where there is none.
        seconds: from the start of the process to the first view, all imports included. A viewer's
            process has imported most of it before.
        memory: the most bytes that it had at its first view, imports included; 0 where unknown.
        needs_viewer: it asks who looks at it, also if it goes on when nobody does. It was tried
            as far as it came, and nothing of it is drawn.
        missing: the packages that it imports and that are not installed.
        pictures: by colour scheme, `light` and `dark`, a PNG; none where it cannot be drawn.
    """

    problem: str = ""
    cell: str = ""
    traceback: str = ""
    seconds: float = 0.0
    memory: int = 0
    needs_viewer: bool = False
    missing: tuple[str, ...] = ()
    pictures: dict[str, bytes] = field(default_factory=dict)

    @property
    def error(self) -> str:
        """The type of the error by which it failed, "" where that is not known."""
        last = self.traceback.rstrip().rpartition("\n")[2].partition(":")[0].rpartition(".")[2]
        return last if last.isidentifier() and len(last) <= _LONGEST_TYPE else ""


def _printable(text: str) -> str:
    """On one line, without what a terminal would act on: it goes into the log."""
    return "".join(one if one.isprintable() else " " for one in text)


_Word = Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)]


class _Told(BaseModel):
    """What the process says of how it went, within bounds."""

    model_config = ConfigDict(extra="forbid")
    problem: _Word
    cell: _Word
    traceback: Annotated[str, StringConstraints(max_length=20_000)]
    seconds: float = Field(ge=0, le=1e6, allow_inf_nan=False)
    memory: int = Field(ge=0, le=1 << 50)
    needs_viewer: bool
    missing: tuple[_Word, ...] = Field(max_length=100)


_turns: Final[dict[str, asyncio.Lock]] = defaultdict(asyncio.Lock)
_at_once: Final = asyncio.Semaphore(2)  # of all folders


async def trial(
    spawner: DashboardSpawner,
    folder: str,
    name: str,
    notebook: bytes,
    *,
    beside: Mapping[str, bytes] = _NOTHING,
    for_card: bool = False,
    still_may: Callable[[], bool] = lambda: True,
) -> Trial:
    """Run a notebook from top to bottom; one of a folder after the other, two in all.

    Args:
        spawner: of anybody's server; it knows the limits and the accounts.
        folder: the group in whose folder it runs, as if it were there.
        name: of the notebook, without its ending.
        notebook: the file itself.
        beside: data files by their paths below the folder, which are as if they were there too.
        for_card: nobody waits for it; others go first.
        still_may: asked when its turn has come, whether it is still to run.

    Raises:
        web.HTTPError: 503, no account is left to run it.
    """
    if folder == ADMIN:  # its notebooks have a token of the hub's, and that is for its own server
        return Trial(problem=_NOT_TRIED)
    async with _turns[folder], _at_once:
        if not still_may():
            return Trial(problem=_NOT_ANY_MORE)
        try:
            with tempfile.TemporaryFile() as file:
                await _run(spawner, folder, name, (notebook, beside), file.fileno(), for_card)
                return await asyncio.to_thread(told_in, file.fileno())
        except folder_secrets.SecretsError as error:
            app_log.error("The secrets of the folder %s: %s", folder, error)
            return Trial(problem=folder_secrets.SENTENCE)
        except OSError as error:
            app_log.error("%s/%s cannot be tried: %s", folder, name, error)
            return Trial(problem=NO_ROOM)


async def _run(
    spawner: DashboardSpawner,
    folder: str,
    name: str,
    given: tuple[bytes, Mapping[str, bytes]],
    file: int,
    for_card: bool,
) -> None:
    notebook, beside = given
    process = FolderProcess(spawner=spawner, folder=folder, purpose="trial")
    home = process.home
    await _remove(home)  # of a hub that was killed
    place = Path(spawner.notebooks).resolve() / folder
    if not place.is_dir():
        place = home  # the folder is made with its first notebook
    elif spawner.ids:  # perhaps no server has opened it yet
        readers = {access_lists.group(spawner.folder_id(folder)): access_lists.READ}
        access_lists.guard(place, readers, spawner.ids)
    order = {
        "folder": str(place),
        "name": name,
        "size": len(notebook),
        "beside": [(path, len(content)) for path, content in beside.items()],
        "began": time.monotonic(),
        "nice": _NICE if for_card else 0,
    }
    try:
        await process.run(
            "dashboards.running.trial_run",
            order,
            file=file,
            last_moment=_LAST_MOMENTS,
            after=b"".join((notebook, *beside.values())),
            env=process.environment | {"TMPDIR": str(home)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,  # what it says is the notebook's, not the log's
        )
    finally:  # the next one begins with nothing
        await _remove(home)


async def _remove(home: Path) -> None:
    """Have no home of this name, at once, whatever is in it; then remove that, by a program that no
    depth of folders stops. Raises OSError."""
    if not os.path.lexists(home):
        return
    gone = home.with_name(f"{home.name}.gone-{random.token_hex(8)}")
    home.rename(gone)
    removing = await asyncio.create_subprocess_exec(
        *("rm", "-rf", "--", str(gone)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await removing.wait()


def told_in(file: int) -> Trial:
    """What the process has written, as far as it can be true."""
    first, _, second = os.pread(file, _ALL, 0).partition(b"\n")
    try:
        told = _Told.model_validate_json(first[:_LONGEST])
    except ValidationError:
        return Trial(problem=_NO_WORD)
    trial = Trial(**dict(told))
    if trial.problem or trial.needs_viewer:
        return trial
    return Trial(**dict(told), pictures=_pictures(second))


def _pictures(line: bytes) -> dict[str, bytes]:
    """Pictures of both schemes, or none."""
    try:
        texts = json.loads(line)
        found = {name: base64.b64decode(texts[name], validate=True) for name in _SCHEMES}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return found if all(map(is_picture, found.values())) else {}
