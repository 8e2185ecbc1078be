"""What the hub tells a dashboard server when it starts it."""

from __future__ import annotations

import ctypes
import hmac
import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

ADMIN = "admin"
"""The group, the folder and the named server that are for admins."""

ANALYSTS = "analysts"
"""The group of those who write dashboards."""

_SECRETS = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "CONFIGPROXY_AUTH_TOKEN", "ATRIUM_PUSH_KEY")
_UNBRANDED: Mapping[str, Any] = {"name": "Atrium"}
_ONCE = ("ATRIUM_EXPECTED",)  # no secret of the hub; told for one request


class SettingsError(Exception):
    """A setting is missing or makes no sense; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The environment of one dashboard server (JupyterHub's names, and ours).

    Addresses and prefixes are as JupyterHub gives them: percent-encoded, prefixes ending in "/".
    """

    host: str
    port: int
    prefix: str
    api_url: str
    api_token: str = field(repr=False)
    client_id: str
    access_scopes: frozenset[str]
    callback_url: str
    activity_url: str
    #: Seconds between two reports of use.
    activity_seconds: float
    server_name: str
    user: str
    base_url: str
    hub_host: str
    public_url: str
    cookie_options: Mapping[str, Any]
    cookie_host_prefix: bool
    notebooks: Path
    #: Where scripts and styles are, the same for everybody; without it the server's own prefix.
    files_url: str
    #: Other origins whose pages may show dashboards, with spaces between.
    embed_origins: str = ""
    #: How pages name themselves: `name`, `logo` (an address), `is_letters`, `icon`, `css`; to
    #: everybody, and to the owner, whom it may name as one of a customer's people.
    brand: Mapping[str, Any] = field(default_factory=lambda: _UNBRANDED)
    owner_brand: Mapping[str, Any] = field(default_factory=lambda: _UNBRANDED)
    #: With it the hub says which groups the owner has now; without it nobody can.
    push_key: str = field(default="", repr=False)
    #: In it a folder for each of the notebooks' folders, of what its viewers share.
    shared: Path | None = None
    #: Whether those who write dashboards can have a lab here.
    lab: bool = False
    #: The request for which this server is started, see `dashboards.web.expected`.
    expected: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def hub_prefix(self) -> str:
        """Where the hub's own pages are, for links in a browser."""
        return f"{self.hub_host}{self.base_url}hub/"

    @property
    def cookie_secret(self) -> bytes:
        """Signs cookies, b"" without a key that the hub has too: it gives a browser that signs in
        there the cookie that this server would give it."""
        if not self.push_key:
            return b""
        return hmac.digest(self.push_key.encode(), b"cookies", "sha256")

    @property
    def serves_admin(self) -> bool:
        """Whether this is the server of the admin folder, which may read hub data."""
        return self.server_name == ADMIN

    @property
    def own_prefix(self) -> str:
        """The prefix of this person's default server."""
        if not self.server_name:
            return self.prefix
        return self.prefix.rstrip("/").rpartition("/")[0] + "/"


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingsError, naming what is missing."""

    def required(name: str) -> str:
        value = environ.get(name, "")
        if not value:
            raise SettingsError(f"{name} is not set: start this server from the hub.")
        return value

    address = urlparse(required("JUPYTERHUB_SERVICE_URL"))
    if not address.port:
        raise SettingsError("JUPYTERHUB_SERVICE_URL has no port.")
    notebooks = Path(required("ATRIUM_NOTEBOOKS"))
    if not notebooks.is_dir():
        raise SettingsError(f"ATRIUM_NOTEBOOKS: there is no folder {notebooks}.")
    return Settings(
        # A hub that names all interfaces still gets a server that only it and its proxy reach.
        host=address.hostname if address.hostname in {"127.0.0.1", "::1"} else "127.0.0.1",
        port=address.port,
        prefix=_slashed(required("JUPYTERHUB_SERVICE_PREFIX")),
        api_url=required("JUPYTERHUB_API_URL").rstrip("/"),
        api_token=required("JUPYTERHUB_API_TOKEN"),
        client_id=required("JUPYTERHUB_CLIENT_ID"),
        access_scopes=_scopes(environ.get("JUPYTERHUB_OAUTH_ACCESS_SCOPES", "")),
        callback_url=required("JUPYTERHUB_OAUTH_CALLBACK_URL"),
        activity_url=environ.get("JUPYTERHUB_ACTIVITY_URL", ""),
        activity_seconds=float(environ.get("JUPYTERHUB_ACTIVITY_INTERVAL", "") or 300),
        server_name=environ.get("JUPYTERHUB_SERVER_NAME", ""),
        user=required("JUPYTERHUB_USER"),
        base_url=_slashed(environ.get("JUPYTERHUB_BASE_URL", "/")),
        hub_host=environ.get("JUPYTERHUB_HOST", ""),
        public_url=environ.get("JUPYTERHUB_PUBLIC_URL", ""),
        cookie_options=json.loads(environ.get("JUPYTERHUB_COOKIE_OPTIONS", "") or "{}"),
        cookie_host_prefix=environ.get("JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", "0") == "1",
        notebooks=notebooks.resolve(),
        files_url=environ.get("ATRIUM_FILES_URL", "")
        or _slashed(required("JUPYTERHUB_SERVICE_PREFIX")),
        embed_origins=environ.get("ATRIUM_EMBED_ORIGINS", ""),
        brand=_brand(environ.get("ATRIUM_BRAND", "")),
        owner_brand=_brand(environ.get("ATRIUM_OWNER_BRAND", "")),
        shared=Path(environ["ATRIUM_SHARED"]) if environ.get("ATRIUM_SHARED") else None,
        push_key=environ.get("ATRIUM_PUSH_KEY", ""),
        lab=environ.get("ATRIUM_LAB", "") == "yes",
        expected=json.loads(environ.get("ATRIUM_EXPECTED", "") or "null"),
    )


def drop_secrets(environ: MutableMapping[str, str]) -> None:
    """Take out of the environment, and out of what /proc shows of it, what no notebook is to know:
    the processes of notebooks get it."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    libc.getenv.argtypes = [ctypes.c_char_p]
    for name in (*_SECRETS, *_ONCE):
        value = environ.get(name)
        if value is None:
            continue
        place = libc.getenv(name.encode())
        if place:
            ctypes.memset(place, ord("x"), len(value.encode()))
        del environ[name]


def _brand(told: str) -> Mapping[str, Any]:
    return json.loads(told) if told else _UNBRANDED


def _slashed(path: str) -> str:
    return path if path.endswith("/") else path + "/"


def _scopes(text: str) -> frozenset[str]:
    try:
        scopes = json.loads(text or "[]")
    except ValueError:
        scopes = None
    # To HubOAuth an empty set means "everybody may come in".
    if not isinstance(scopes, list) or not all(isinstance(s, str) and s for s in scopes):
        raise SettingsError("JUPYTERHUB_OAUTH_ACCESS_SCOPES is not a list of scopes.")
    if not scopes:
        raise SettingsError("JUPYTERHUB_OAUTH_ACCESS_SCOPES is empty: nobody would be kept out.")
    return frozenset(scopes)
