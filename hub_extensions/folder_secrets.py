"""What the notebooks of a folder need and nobody is to read in them, such as a database's password.

`<state>/folder-secrets/<folder>.env`, which only the hub's account can read, has lines of
`NAME=value`. Processes that run the folder's notebooks, and no others, find them in their
environment: the hub gives them to a person's server for a dashboard that is opened there
(`POST /hub/api/folder-secrets`), and that server to the process of this one dashboard.
"""

from __future__ import annotations

import json
import os
import re
import stat
from io import StringIO
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from tornado import web
from tornado.log import app_log

from .own_server import OwnDashboardHandler

#: What people are told where a file cannot be used.
SENTENCE: Final = "What it needs to reach its data is not set up rightly."
_PLACE: Final = "folder-secrets"
_LARGEST: Final = 64 * 1024
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
#: What changes how a process runs, or is the hub's own.
_NOT_THESE: Final = re.compile(
    r"(ATRIUM|DESCOPE|JUPYTERHUB|PYTHON|LD|BOKEH|PANEL)_.*|PYTHON.*|(PATH|HOME|LANG|TZ|TMPDIR)"
)


class SecretsError(Exception):
    """A file of secrets cannot be used; the message names it and says what mends it."""


def of(state: Path, folder: str) -> dict[str, str]:
    """The secrets of a folder of notebooks by their names; none without a file.

    Args:
        state: the state folder.

    Raises:
        SecretsError: others can read or change the file, or it is not understood.
    """
    path = state / _PLACE / f"{folder}.env"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SecretsError(f"{path} cannot be read: {error.strerror}") from None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SecretsError(f"{path} is no file")
        mine = status.st_uid in {os.getuid(), 0}
        if not mine or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretsError(f'{path} is open to others; make it yours alone with "chmod 600"')
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise SecretsError(f"{path} is larger than {_LARGEST // 1024} KB")
    return _parsed(path, text)


def version(state: Path, folder: str) -> str:
    """Changes when the file of a folder does."""
    try:
        info = os.stat(state / _PLACE / f"{folder}.env", follow_symlinks=False)
    except OSError:
        return ""
    return f"{info.st_ino}-{info.st_mtime_ns}-{info.st_size}"


def folders(state: Path) -> set[str]:
    """The folders that have a file of secrets."""
    try:
        names = os.listdir(state / _PLACE)
    except OSError:
        return set()
    return {name.removesuffix(".env") for name in names if name.endswith(".env")}


def _parsed(path: Path, text: bytes) -> dict[str, str]:
    try:
        lines = StringIO(text.decode())
    except UnicodeDecodeError:
        raise SecretsError(f"{path} has to be a text in UTF-8") from None
    found = dotenv_values(stream=lines, interpolate=False)  # a "$" in a password is one
    for number, (name, value) in enumerate(found.items(), start=1):
        if value is None:
            raise SecretsError(f"{path}: entry {number} is not of the form NAME=value")
        if not _NAME.fullmatch(name) or _NOT_THESE.fullmatch(name):
            raise SecretsError(f"{path}: entry {number} has a name that no secret can have")
    return {name: value for name, value in found.items() if value is not None}


class FolderSecretsHandler(OwnDashboardHandler):
    """Tells a person's server the secrets of the folder of a dashboard that it may run."""

    async def post(self) -> None:
        """409 where the file cannot be used; the log says why."""
        spawner, group, _ = self.asked()
        try:
            self.finish(json.dumps(of(Path(spawner.state_folder), group)))
        except SecretsError as error:
            app_log.error("The secrets of the folder %s: %s", group, error)
            raise web.HTTPError(409) from None


handlers: Final = [(r"/api/folder-secrets", FolderSecretsHandler)]
