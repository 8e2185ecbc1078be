"""LastingSpawner: local processes that outlive the hub, and that its next run knows again."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import signal
from pathlib import Path
from typing import Any, Final

import psutil
from jupyterhub.spawner import LocalProcessSpawner

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class LastingSpawner(LocalProcessSpawner):
    """Keeps in its state, beside the process id, what tells that process and its token from others.

    A process id alone may be another's by now; and the hub keeps no token that it has given.
    """

    process_started = 0.0
    boot_id = ""
    _token_digest = ""

    def remember_process(self) -> None:
        """Called when there is one."""
        self.boot_id = boot_id()
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended, as JupyterHub will see
            self.process_started = psutil.Process(self.pid).create_time()

    def get_state(self) -> dict[str, Any]:
        """What the next run of the hub needs."""
        state = super().get_state()
        if self.pid:
            state |= {
                "process_started": self.process_started,
                "boot_id": self.boot_id,
                "token_digest": self._own_digest,
            }
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Find the process of an earlier run of the hub again."""
        super().load_state(state)
        self.process_started = float(state.get("process_started", 0.0))
        self.boot_id = str(state.get("boot_id", ""))
        self._token_digest = str(state.get("token_digest", ""))

    def clear_state(self) -> None:
        """Called when the process is gone."""
        super().clear_state()
        self._token_digest = ""

    @property
    def _own_digest(self) -> str:
        return _digest(self.api_token) if self.api_token else self._token_digest

    def is_given(self, token: str) -> bool:
        """Whether a token of the hub's API is the one that this server was given to ask with."""
        return bool(self._own_digest) and hmac.compare_digest(self._own_digest, _digest(token))

    async def _signal(self, sig: int) -> bool:
        """Send a signal to the process if it still is the one we started; 0 only asks.

        Returns False when it is gone. A zombie counts as gone.
        """
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.process_started) < 1
            if not same or self.boot_id != boot_id():
                return False
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if sig:
                process.send_signal(signal.Signals(sig))
        except psutil.NoSuchProcess:
            return False
        return True


def boot_id() -> str:
    """Names this boot of the machine, "" where the system does not say."""
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""


def _digest(token: str) -> str:
    """It is random and long: nobody finds it by its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()
