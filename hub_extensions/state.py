"""The state folder: database, secrets, ports, and a mark of which provider it has served.

Only the account that runs the hub can read it, and where each person's server has an account of
its own (unix_accounts.py), that account its home. Nothing in it is ever in git.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from .settings import Settings, SettingsError

_PORTS: Final = ("hub", "proxy_api", "descope", "files")
#: Where they are chosen: below what systems give to connections (from 32768 on on Linux, later
#: elsewhere), one of which could have a port of a stopped hub when it starts again.
_RANGE: Final = range(10_000, 20_000)


@dataclass(frozen=True, kw_only=True)
class State:
    """The opened state folder.

    Attributes:
        folder: its path, mode 0700; 0711 where people's servers pass through it to their homes.
        hub_port, proxy_api_port, descope_port, files_port: loopback ports, chosen once: dashboard
            servers that outlive a restart of the hub go on knowing its address.
    """

    folder: Path
    hub_port: int
    proxy_api_port: int
    descope_port: int
    files_port: int

    def secret(self, name: str) -> str:
        """The secret of this name, 32 random bytes in hexadecimal, made when first asked for."""
        return self.secret_file(name).read_text().strip()

    def secret_file(self, name: str) -> Path:
        """The file of that secret, mode 0600."""
        path = self.folder / "secrets" / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _write_private(path, secrets.token_hex(32))
        return path


def open_state(settings: Settings) -> State:
    """Make the state folder if it is missing, and check that it belongs to this provider.

    Raises:
        SettingsError: the folder cannot be used, others can read it, or it has served another
            provider: people of the stand-in must never be people of a real hub, or the reverse.
    """
    folder = settings.state
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise SettingsError(
                f"the state folder {folder} belongs to another account; "
                "set ATRIUM_STATE to a folder of your own"
            )
        folder.chmod(folder.stat().st_mode & 0o711)
        os.umask(0o077)  # a copy of the folder's files must not be open to others either
        _check_mark(folder, settings.project_id or "local stand-in")
        if settings.is_local and (folder / "descope" / "descope.sqlite").exists():
            raise SettingsError(
                f"the state folder {folder} holds people of an earlier version of the local "
                "stand-in, whom this one does not know; remove it, or set ATRIUM_STATE to another"
            )
        ports = _ports(folder / "ports.json", urlsplit(settings.listen_url).port)
    except OSError as error:
        raise SettingsError(
            f"the state folder {folder} cannot be used ({error.strerror}); "
            "set ATRIUM_STATE to a folder that this account can write"
        ) from None
    return State(folder=folder, **{f"{name}_port": ports[name] for name in _PORTS})


def _check_mark(folder: Path, provider: str) -> None:
    mark = folder / "provider"
    if not mark.exists():
        if (folder / "jupyterhub.sqlite").exists():
            raise SettingsError(
                f"the state folder {folder} has lost its file 'provider', which says whom it "
                "served; put it back from a backup, or set ATRIUM_STATE to an empty folder"
            )
        _write_private(mark, provider)
    served = mark.read_text().strip()
    if served != provider:
        raise SettingsError(
            f"the state folder {folder} has served {served} and DESCOPE_PROJECT_ID now names "
            f"{provider}; set DESCOPE_PROJECT_ID back, or ATRIUM_STATE to another folder"
        )


def _ports(path: Path, public_port: int | None) -> dict[str, int]:
    """The ports kept in that file; chosen, and not the proxy's public one, where there is none."""
    kept: dict[str, int] = {}
    if path.exists():
        try:
            ports = json.loads(path.read_text())
            kept = {name: int(ports[name]) for name in _PORTS if name in ports}
        except (ValueError, TypeError):
            raise SettingsError(
                f"{path} cannot be read; remove it to have free ports chosen again"
            ) from None
    if len(kept) == len(_PORTS):  # an earlier version kept fewer
        return kept
    taken = {public_port, *kept.values()}
    free = (port for port in random.sample(_RANGE, len(_RANGE)) if port not in taken)
    ports = kept | {name: next(filter(_is_free, free)) for name in _PORTS if name not in kept}
    _write_private(path, json.dumps(ports))
    return ports


def _is_free(port: int) -> bool:
    """Whether a process could listen on it, on loopback."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def _write_private(path: Path, text: str) -> None:
    """Write a new file of mode 0600 in one step, so that a crash leaves all of it or nothing."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
