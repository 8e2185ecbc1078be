"""How the provider is doing: when it may be asked, and what admins are told of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from datetime import timedelta
from logging import Logger
from typing import Final

from .. import audit

#: Seconds after which a provider that is away is asked again: the first and the longest pause.
_PAUSES: Final = (2.0, 60.0)


@dataclass(kw_only=True)
class Provider:
    """Moments are those of `time.monotonic`.

    Args:
        seconds: within which a right that is taken away there has ended here, as promised.
    """

    log: Logger
    seconds: float
    away_since: float | None = None
    pause: float = _PAUSES[0]
    next_try: float = 0.0
    promise_kept: bool = True
    last_sweep: float = field(default_factory=time.monotonic)
    #: Its directory is not asked before.
    next_sweep: float = 0.0
    #: Set when it answers again after an outage.
    back: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def waits(self) -> float:
        """Seconds until it may be asked."""
        return max(0.0, self.next_try - time.monotonic())

    async def leave_alone(self, seconds: float) -> None:
        """Pause: longer while it is away, until it answers anybody again."""
        self.back.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.back.wait(), max(seconds, self.waits))

    def failed(self, retry_after: float = 0.0) -> None:
        """It did not answer: the next pause is twice as long, and never quite the same."""
        self.next_try = time.monotonic() + max(retry_after, self.pause * random.uniform(0.75, 1.25))
        self.pause = min(2 * self.pause, _PAUSES[1])

    def is_away(self) -> None:
        """It did not answer; said once, until it answers again."""
        self.failed()
        if self.away_since is None:
            self.away_since = time.monotonic()
            self.log.error("The sign-in service does not answer; people work on for the grace time")
            audit.record("provider-away", user="", by="hub")

    def is_back(self) -> None:
        """It answered."""
        self.pause = _PAUSES[0]
        if self.away_since is not None:
            self.away_since, self.next_try = None, 0.0
            self.back.set()
            self.log.warning("The sign-in service answers again")
            audit.record("provider-back", user="", by="hub")

    def watch_promise(self) -> None:
        """Say when what is taken away may count later than promised; once, until it is kept."""
        kept = time.monotonic() - self.last_sweep < self.seconds
        if self.promise_kept and not kept:
            self.log.error("What is taken away at the provider counts later than promised now")
            audit.record("promise-missed", user="", by="hub", seconds=f"{self.seconds:.0f}")
        self.promise_kept = kept

    def notice(self, grace: timedelta) -> str:
        """A sentence for admins on what is wrong just now, "" if nothing is.

        Args:
            grace: how long people work on while the provider is away.
        """
        if self.away_since is not None:
            minutes = int((time.monotonic() - self.away_since) // 60)
            return (
                f"The sign-in service has not answered for {minutes or 'less than one'} "
                f"minute{'' if minutes <= 1 else 's'}. Nobody new can sign in, and people work on "
                f"for at most {int(grace.total_seconds() // 60)} minutes."
            )
        if not self.promise_kept:
            return (
                "What is taken away at the sign-in service counts later here than the promised "
                f"{self.seconds:.0f} seconds: it is not answering fast enough."
            )
        return ""
