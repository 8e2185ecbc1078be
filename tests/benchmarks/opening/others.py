"""Other ways to show the same notebook, with nobody signing in: columns without a bar."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import psutil
from playwright.sync_api import Page, Route

from tests.benchmarks.opening.hubs import NOTEBOOKS, PEER_BIN, ended_with
from tests.hub import free_port, wait_until

#: Kernels that Voilà has ready, each with the notebook's outputs.
POOL: Final = 5
#: Where Panel has its scripts fetched in a notebook, and where they are on this machine.
_CDN: Final = (
    (
        re.compile(r"https://cdn\.bokeh\.org/bokeh/release/(.+?)-[\d.]+(\.min\.js)"),
        "bokeh/server/static/js",
    ),
    (re.compile(r"https://cdn\.holoviz\.org/panel/[\d.]+/dist/([^?]+)()"), "panel/dist"),
)
#: Whether the figure has been painted. Its document is never idle in Voilà.
PAINTED: Final = """window.Bokeh?.index && [...Bokeh.index.roots].some((root) =>
    [...root.owner.query((view) => view.model.type == "Figure" && view.has_finished())].length)"""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A server that shows one notebook to whoever asks for `address`."""

    address: str
    process: psutil.Process
    log: Path

    def processes(self) -> list[psutil.Process]:
        """All processes."""
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def one_panel_server(name: str) -> Iterator[Shared]:
    """`panel serve --warm`: one process, in which all people's sessions run."""
    port = free_port()
    command = [PEER_BIN / "panel", "serve", NOTEBOOKS / f"{name}.ipynb", "--warm"]
    command += ["--port", str(port), "--allow-websocket-origin", "*"]
    with _serving(command, f"http://127.0.0.1:{port}/{name}") as server:
        wait_until(lambda: "Bokeh app running at" in server.log.read_text(), "Panel", seconds=60)
        yield server


@contextmanager
def voila(name: str) -> Iterator[Shared]:
    """Voilà, which keeps kernels that have run the notebook before somebody comes."""
    port = free_port()
    command = [PEER_BIN / "voila", NOTEBOOKS / f"{name}.ipynb", "--no-browser"]
    command += [f"--port={port}", "--Voila.ip=127.0.0.1"]
    command += ["--preheat_kernel=True", f"--pool_size={POOL}"]
    with _serving(command, f"http://127.0.0.1:{port}/") as server:
        await_pool(server)
        yield server


def await_pool(server: Shared) -> None:
    """Wait until Voilà has its kernels ready again."""

    def is_filled() -> bool:
        said = server.log.read_text(errors="replace")
        return said.count("is filled with") > said.count("Using pre-heated kernel")

    wait_until(is_filled, "Voilà's kernels", seconds=300)


def serve_cdn(page: Page) -> None:
    """Answer for the hosts from which Panel has its scripts fetched: they are not reached here."""
    page.route(re.compile("^https:"), _from_this_machine)


def _from_this_machine(route: Route) -> None:
    address = unquote(route.request.url)
    (packages,) = PEER_BIN.parent.glob("lib/python3.*/site-packages")
    for pattern, folder in _CDN:
        if match := pattern.match(address):
            route.fulfill(path=packages / folder / (match[1] + match[2]))
            return
    route.abort()


@contextmanager
def _serving(command: list[str | Path], address: str) -> Iterator[Shared]:
    with tempfile.TemporaryDirectory(prefix="atrium-other-") as folder:
        log = Path(folder, "server.log")
        with log.open("wb") as file:
            process = psutil.Popen(
                command,
                cwd=folder,
                env={"PATH": os.pathsep.join([str(PEER_BIN), os.defpath]), "HOME": folder},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with ended_with(process, log):
            yield Shared(address=address, process=process, log=log)
