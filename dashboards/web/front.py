"""The front of a person's server: JupyterHub's sign-in before our pages, and no notebook's code.

Secrets are made when it starts to listen, never at import, so that a process which has imported it
can be forked for many people. See `dashboards.server`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Mapping

from aiohttp.resolver import ThreadedResolver
from jupyterhub.httpclient import JupyterHubHTTPClient
from tornado.httpserver import HTTPServer

from dashboards.log_lines import tell_no_session
from dashboards.settings import Settings, SettingsError, drop_secrets, settings_from
from dashboards.web.expected import open_expected
from dashboards.web.processes import Processes
from dashboards.web.routes import Routes
from dashboards.web.site import Site

log = logging.getLogger(__name__)

_LARGEST_BODY = 1 << 20
"""Bytes of a request: the hub's word on groups is the longest. Files come on a WebSocket."""


def main(
    environ: Mapping[str, str], channel: socket.socket, line: socket.socket | None = None
) -> int:
    """Serve until told to stop; returns the exit status.

    Args:
        environ: what the hub says, see `settings_from`.
        channel: on which sessions are ordered, see `dashboards.forks.forking`.
        line: a socket to whoever wants to know that the server listens.
    """
    gc.enable()  # a program that is not forked has turned it off, see `__main__`
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO)
    tell_no_session()
    if environ is not os.environ:
        os.environ.clear()
        os.environ.update(environ)
    try:
        settings = settings_from(os.environ)
    except SettingsError as error:
        log.error("%s", error)
        return 1
    drop_secrets(os.environ)
    return asyncio.run(serve(settings, channel, line))


async def serve(settings: Settings, channel: socket.socket, line: socket.socket | None) -> int:
    """Listen until SIGTERM or SIGINT; returns the exit status. See `main`."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    # aiohttp's first choice, c-ares, takes milliseconds to start in each server, for the one hub.
    JupyterHubHTTPClient.instance().connector_options = {"resolver": ThreadedResolver()}
    processes = Processes(channel)
    site = Site(settings, processes)
    server = HTTPServer(
        Routes(site),
        xheaders=True,
        trusted_downstream=["127.0.0.1", "::1"],
        max_body_size=_LARGEST_BODY,
    )
    try:
        server.listen(settings.port, settings.host)
    except OSError as error:
        log.error("Cannot listen on %s:%d: %s", settings.host, settings.port, error.strerror)
        return 1
    log.info("Listening at %s", settings.prefix)
    site.activity.start()
    if line is not None:
        with line, contextlib.suppress(OSError):  # nobody may wait any more
            line.send(b"1")
    processes.start(stopped.set)
    expecting = asyncio.create_task(open_expected(site))
    await stopped.wait()
    expecting.cancel()
    server.stop()
    site.activity.stop()
    return 0
