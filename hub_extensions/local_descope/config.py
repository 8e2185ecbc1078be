"""What the stand-in is told at its start: one frozen record, read from the environment."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


class ConfigError(Exception):
    """A setting is missing or wrong; the message is one sentence that names it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The stand-in's settings. Addresses have no slash at their end, the prefix has two."""

    listen_host: str
    listen_port: int
    prefix: str
    url: str
    state: Path
    flow: Path
    project_id: str
    client_secret: str = field(repr=False)
    redirects: tuple[str, ...]
    #: Where somebody whose link is spent starts again: the front page of what they signed in to.
    start_url: str
    link_seconds: int = 600
    #: Mails to one address in ten minutes.
    mail_limit: int = 20
    #: Descope's project switch: each refresh gives a new refresh token and ends the old one.
    rotate_refresh_tokens: bool = False

    @property
    def issuer(self) -> str:
        return f"{self.url}/{self.project_id}"

    @property
    def own_hosts(self) -> frozenset[str]:
        """The Host values that mean this service: its public address and where it listens."""
        listen = f"http://{host_in_url(self.listen_host)}:{self.listen_port}"
        return frozenset({host_of(self.url), host_of(listen)})


def config_from_environment(environ: Mapping[str, str]) -> Config:
    """Read the settings.

    Raises:
        ConfigError: names the variable and what is wrong with it.
    """
    listen = urlsplit(_required(environ, "JUPYTERHUB_SERVICE_URL"))
    if not is_loopback(listen.hostname) or not listen.port:
        raise ConfigError("JUPYTERHUB_SERVICE_URL is not a port of this machine alone.")
    prefix = _required(environ, "JUPYTERHUB_SERVICE_PREFIX")
    url = _required(environ, "LOCAL_DESCOPE_URL").rstrip("/")
    if not is_loopback(urlsplit(url).hostname):
        raise ConfigError("LOCAL_DESCOPE_URL is not an address of this machine.")
    if f"{urlsplit(url).path}/" != prefix:
        raise ConfigError(f"LOCAL_DESCOPE_URL does not end as the service's prefix {prefix} does.")
    redirects = tuple(_required(environ, "LOCAL_DESCOPE_REDIRECTS").split())
    if not all(is_loopback(urlsplit(address).hostname) for address in redirects):
        raise ConfigError("LOCAL_DESCOPE_REDIRECTS names an address that is not of this machine.")
    project_id = _required(environ, "LOCAL_DESCOPE_PROJECT_ID")
    if not re.fullmatch(r"P[A-Za-z0-9]{1,63}", project_id):
        raise ConfigError('LOCAL_DESCOPE_PROJECT_ID is not a "P" and letters and digits.')
    first = urlsplit(redirects[0])
    return Config(
        listen_host=listen.hostname or "",
        listen_port=listen.port,
        prefix=prefix,
        url=url,
        state=Path(_required(environ, "LOCAL_DESCOPE_STATE")),
        flow=Path(_required(environ, "LOCAL_DESCOPE_FLOW")),
        project_id=project_id,
        client_secret=_secret(Path(_required(environ, "LOCAL_DESCOPE_SECRET_FILE"))),
        redirects=redirects,
        start_url=f"{first.scheme}://{first.netloc}{environ.get('JUPYTERHUB_BASE_URL', '/')}",
        link_seconds=_number(environ, "LOCAL_DESCOPE_LINK_SECONDS", Config.link_seconds),
        mail_limit=_number(environ, "LOCAL_DESCOPE_MAIL_LIMIT", Config.mail_limit),
        rotate_refresh_tokens=environ.get("LOCAL_DESCOPE_ROTATE_REFRESH_TOKENS") == "yes",
    )


def is_loopback(host: str | None) -> bool:
    """Whether a host name means this machine and no other; names are not looked up."""
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    # A dual-stack proxy writes 127.0.0.1 as ::ffff:127.0.0.1, which Python 3.11 calls not loopback.
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def host_of(url: str) -> str:
    """The Host header a browser sends for an address: lower case, no default port."""
    parts = urlsplit(url.lower())
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = host_in_url(parts.hostname or "")
    return host if parts.port in {None, default} else f"{host}:{parts.port}"


def host_in_url(host: str) -> str:
    """A host as it is written in an address: an IPv6 number in brackets."""
    return f"[{host}]" if ":" in host else host


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise ConfigError(f"{name} is not set.")
    return value


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "").strip() or str(default)
    if not value.isdecimal() or int(value) < 1:
        raise ConfigError(f"{name} is not a whole number above 0.")
    return int(value)


def _secret(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("LOCAL_DESCOPE_SECRET_FILE names a file that cannot be read.") from error
    if not secret:
        raise ConfigError("LOCAL_DESCOPE_SECRET_FILE names an empty file.")
    return secret
