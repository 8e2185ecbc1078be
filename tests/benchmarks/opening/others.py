"""Another way to show the same notebook, with nobody signing in: a column without a bar."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.opening.hubs import NOTEBOOKS, PEER_BIN, ended_with
from tests.hub import free_port, wait_until


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A server that shows one notebook to whoever asks for `address`."""

    address: str
    process: psutil.Process

    def processes(self) -> list[psutil.Process]:
        """All processes."""
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def one_panel_server(name: str) -> Iterator[Shared]:
    """`panel serve --warm`: one process, in which all people's sessions run."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="atrium-other-") as folder:
        log = Path(folder, "server.log")
        with log.open("wb") as file:
            process = psutil.Popen(
                [
                    *(PEER_BIN / "panel", "serve", NOTEBOOKS / f"{name}.ipynb", "--warm"),
                    *("--port", str(port), "--allow-websocket-origin", "*"),
                ],
                cwd=folder,
                env={"PATH": os.pathsep.join([str(PEER_BIN), os.defpath]), "HOME": folder},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with ended_with(process, log):
            wait_until(lambda: "Bokeh app running at" in log.read_text(), "Panel", seconds=60)
            yield Shared(address=f"http://127.0.0.1:{port}/{name}", process=process)
