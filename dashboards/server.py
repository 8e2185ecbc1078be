"""The server that each person gets: JupyterHub's sign-in in front of Panel, in one process.

The order matters: read the environment, listen (the gallery needs no Panel), import the heavy
packages beside that, then run dashboards. Secrets are made when the server starts to listen, never
at import, so that a process which has done `warm_up()` can be forked for many people.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
import threading
from types import ModuleType
from typing import NoReturn

from tornado.httpserver import HTTPServer

from dashboards import hub_api
from dashboards.routes import Front
from dashboards.settings import Settings, SettingsError, drop_secrets, settings_from
from dashboards.site import Site
from dashboards.warm import warm_up

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4

PATIENCE = 2
"""Seconds that a notebook's code may hold up the end of the server."""


def run(warm: ModuleType | None = None, line: socket.socket | None = None) -> NoReturn:
    """Serve until told to stop, then end the process.

    Args:
        warm: what `warm_up()` returned.
        line: a socket to whoever wants to know that the server listens.
    """
    status = main(warm, line)
    logging.shutdown()
    sys.stdout.flush()
    # All is closed. Taking the imported packages apart would take a second of everybody's sign-out,
    # and a thread that a notebook has left would hold the process for good.
    os._exit(status)


def main(warm: ModuleType | None = None, line: socket.socket | None = None) -> int:
    """As `run`; returns the exit status."""
    hide_memory()
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("tornado.application").addFilter(_tells_no_session)
    try:
        settings = settings_from(os.environ)
    except SettingsError as error:
        log.error("%s", error)
        return 1
    drop_secrets(os.environ)
    hub_api.configure(settings)
    try:
        asyncio.run(serve(settings, warm, line))
    except OSError as error:
        log.error("Cannot listen on %s:%d: %s", settings.host, settings.port, error.strerror)
        return 1
    return 0


def _tells_no_session(record: logging.LogRecord) -> bool:
    """Not the line in which JupyterHub tells a session's cookie as it sets one against forgery."""
    return not str(record.msg).startswith("Setting new xsrf cookie")


def hide_memory() -> None:
    """Let no other process read this one's memory, not even one of the same account (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


async def serve(settings: Settings, warm: ModuleType | None, line: socket.socket | None) -> None:
    """Listen, and run dashboards, until SIGTERM or SIGINT. See `run`."""
    stopped = asyncio.Event()
    _stop_on_signals(stopped)
    site = Site(settings)
    server = HTTPServer(Front(site), xheaders=True, trusted_downstream=["127.0.0.1", "::1"])
    server.listen(settings.port, settings.host)
    log.info("Listening at %s", settings.prefix)
    site.activity.start()
    if warm is not None:
        site.can_run(warm.Running(site))
    else:
        _warm_up_beside(site)
    if line is not None:
        with line, contextlib.suppress(OSError):  # nobody may wait any more
            line.send(b"1")
    await stopped.wait()
    server.stop()
    site.activity.stop()
    if site.running_now is not None:
        site.running_now.stop()


def _warm_up_beside(site: Site) -> None:
    """Import in a thread; the gallery answers meanwhile, the first dashboard waits."""
    loop = asyncio.get_running_loop()

    def started(running: ModuleType) -> None:
        site.can_run(running.Running(site))
        log.info("Ready to run dashboards")

    def work() -> None:
        try:
            running = warm_up()
        except BaseException as error:
            log.exception("The packages that dashboards need cannot be imported")
            loop.call_soon_threadsafe(site.can_run, error)
        else:
            loop.call_soon_threadsafe(started, running)

    threading.Thread(target=work, name="warm-up", daemon=True).start()


def _stop_on_signals(stopped: asyncio.Event) -> None:
    """End in good order; and end, even if a notebook's code holds up the loop or a thread."""
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: object) -> None:
        with contextlib.suppress(RuntimeError):  # a second signal, and the loop has ended
            loop.call_soon_threadsafe(stopped.set)
        watch = threading.Timer(PATIENCE, os._exit, [0])
        watch.daemon = True
        watch.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
