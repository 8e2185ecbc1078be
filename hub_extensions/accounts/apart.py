"""Programs of ours that run once and apart from the hub, and leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from typing import Any

from . import unix_accounts


async def run(
    *command: str,
    given: bytes,
    seconds: float,
    uid: int | None,
    groups: Sequence[int] = (),
    **options: Any,
) -> int | None:
    """Run a module with its arguments; in the end kill it and all that has come of it.

    Args:
        given: what it reads on standard input.
        seconds: that it may take.
        uid: of the account that is its own and runs nothing else; None: the hub's.
        groups: of that account.
        options: as `asyncio.create_subprocess_exec` takes them.

    Returns the exit status, None if it did not end in time.
    """
    account: dict[str, Any] = {}
    if uid is not None:
        await asyncio.to_thread(unix_accounts.end_all, uid)  # as an earlier hub may have left
        account = {"user": uid, "group": uid, "extra_groups": list(groups)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "hub_extensions.end_with_parent", str(os.getpid())),
        *(sys.executable, "-I", "-m", *command),
        stdin=PIPE,
        start_new_session=True,
        **account,
        **options,
    )
    try:
        await asyncio.wait_for(process.communicate(given), seconds)
        return process.returncode
    except TimeoutError:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if uid is not None:
            await asyncio.to_thread(unix_accounts.end_all, uid)
