"""A first visit, played before a fork: what a server's front does for the first time is done then.

A server of nobody's is asked for a dashboard of its own, over the loopback; where the dashboard's
process would be, a short play answers. Leaves no thread and no descriptor, and whatever was made by
chance goes with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.websocket import websocket_connect

from dashboards.close_codes import ENDED
from dashboards.processes import Process
from dashboards.routes import Routes
from dashboards.session_link import Kind, Link
from dashboards.settings import Settings, settings_from
from dashboards.site import Site

_PREFIX: Final = "/user/nobody/"
_NOTEBOOK: Final = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
_PAGE: Final = "<p>What a dashboard shows.</p>\n" * 2000  # as long as many are
_TOKEN, _SESSION = "token", "session"


def rehearse() -> None:
    """Play it. Raises what went wrong: then there is something else in a fork, too."""
    logging.disable()  # no visit of a person's
    try:
        with tempfile.TemporaryDirectory() as folder:
            notebook = Path(folder, "user", "sample.ipynb")
            notebook.parent.mkdir()
            notebook.write_text(json.dumps(_NOTEBOOK))
            asyncio.run(_play(Path(folder)))
    finally:
        logging.disable(logging.NOTSET)


async def _play(notebooks: Path) -> None:
    (listening,) = bind_sockets(0, "127.0.0.1")
    host = "{}:{}".format(*listening.getsockname())
    processes = _Processes()
    site = Site(_settings(host, notebooks), processes)  # type: ignore[arg-type]
    site.hub.know({"name": "nobody", "groups": ["user"]})
    site.hub.know_visitor(_SESSION, hashlib.sha256(_TOKEN.encode()).hexdigest())
    server = HTTPServer(Routes(site), xheaders=True)
    server.add_sockets([listening])
    try:
        await _visit(host, web.create_signed_value(site.cookie_secret, "nobody", _TOKEN).decode())
        await site.sessions.keep_only((), ENDED)
        await asyncio.gather(*processes.plays)
    finally:
        server.stop()
        await server.close_all_connections()


async def _visit(host: str, cookie: str) -> None:
    """As a browser does: the page, and then its WebSocket."""
    headers = {
        "Cookie": f"nobody={cookie}; jupyterhub-session-id={_SESSION}",
        "Accept-Language": "en",
        "Origin": f"http://{host}",
        "Sec-Fetch-Mode": "navigate",
        "User-Agent": "Mozilla/5.0",
    }
    address = f"{host}{_PREFIX}dashboards/user/sample"
    client = AsyncHTTPClient(force_instance=True)
    try:
        page = await client.fetch(f"http://{address}", headers=headers)
    finally:
        client.close()
    if not page.body.endswith(_PAGE.encode()):
        raise ValueError("the page of the rehearsal is not whole")
    request = HTTPRequest(f"ws://{address}/ws", headers={**headers, "Sec-Fetch-Mode": "websocket"})
    connection = await websocket_connect(request, subprotocols=["bokeh", _TOKEN])
    await connection.write_message("a question")
    if await connection.read_message() != "a question":
        raise ValueError("the WebSocket of the rehearsal does not answer")
    connection.close()
    while await connection.read_message() is not None:
        pass


def _settings(host: str, notebooks: Path) -> Settings:
    return settings_from(
        {
            "JUPYTERHUB_SERVICE_URL": f"http://{host}{_PREFIX}",
            "JUPYTERHUB_SERVICE_PREFIX": _PREFIX,
            # There is no hub; what it is told here is refused at once, without a question to it.
            "JUPYTERHUB_API_URL": f"http://{host}{_PREFIX}static",
            "JUPYTERHUB_API_TOKEN": _TOKEN,
            "JUPYTERHUB_CLIENT_ID": "nobody",
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=nobody/"]',
            "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{_PREFIX}oauth_callback",
            "JUPYTERHUB_USER": "nobody",
            "ATRIUM_NOTEBOOKS": str(notebooks),
        }
    )


class _Processes:
    """In place of `dashboards.processes.Processes`."""

    def __init__(self) -> None:
        self.plays: list[asyncio.Task[None]] = []

    def fork(self) -> Process:
        """What a session takes for a process of its own."""
        ours, theirs = socket.socketpair()
        process = Process(len(self.plays), ours)
        self.plays.append(asyncio.create_task(_play_session(theirs, process)))
        return process

    def end(self, _process: Process) -> None:
        """It ends by itself."""


async def _play_session(line: socket.socket, process: Process) -> None:
    """Say what `dashboards.session_process` would; a message comes back as it was."""
    link = await Link.over(line)
    with suppress(EOFError, ConnectionError):
        while True:
            match await link.receive():
                case Kind.OPEN, _, _:
                    told = {"own_page": False, "failure": None, "extensions": {}}
                    link.send_json(Kind.OPENED, token=_TOKEN, **told)
                    link.send(Kind.PAGE, _PAGE)
                case Kind.TEXT, number, message:
                    link.send(Kind.TEXT, message, number)
                case Kind.END, _, _:
                    break
    link.close()
    process.ended.set_result(0)
