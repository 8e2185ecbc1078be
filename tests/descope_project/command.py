"""The command as an operator gives it: in a process, in a hub's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.local_descope.stand_in import MANAGEMENT_KEY, PROJECT, ROOT, SECRET, StandIn

#: What must never be printed.
SECRETS = (MANAGEMENT_KEY, SECRET)


@dataclass
class HubFolder:
    """A hub's folder, and the environment of its operator."""

    folder: Path
    project: StandIn
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "DESCOPE_PROJECT_ID": PROJECT,
            "DESCOPE_BASE_URI": self.project.url,
            "DESCOPE_TENANT_ID": "acme",
            "DESCOPE_MANAGEMENT_KEY": MANAGEMENT_KEY,
            "ATRIUM_PUBLIC_URL": self.project.origin,
            **self.environment,
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "hub_extensions.descope_project", *arguments]

    def run(
        self, *arguments: str, told: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; `told` is what stands on its standard input.

        Raises:
            AssertionError: it has printed a secret.
        """
        ended = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | environment,
            input=told or "",
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assert_no_secret(ended.stdout + ended.stderr)
        return ended

    def assert_no_secret(self, text: str) -> None:
        dotenv = self.folder / ".env"
        own = dotenv.read_text().strip().rpartition("=")[2] if dotenv.exists() else ""
        for secret in (*SECRETS, own, *self.environment.get("SECRETS", "").split()):
            assert not secret or secret not in text
