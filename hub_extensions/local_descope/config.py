"""What the stand-in is told at its start: one frozen record, read from the environment.

What Descope has as a setting of the project is not here but in the project (`records.py`).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..first_problem import sentence


class ConfigError(Exception):
    """A setting is missing or wrong; the message is one sentence that names it."""


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
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in {None, default} else f"{host}:{parts.port}"


def _own(url: str) -> str:
    if not is_loopback(urlsplit(url).hostname):
        raise ValueError("is not an address of this machine")
    return url.rstrip("/")


def _secret(path: Any) -> str:
    try:
        secret = Path(str(path)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError("names a file that cannot be read") from error
    if not secret:
        raise ValueError("names an empty file")
    return secret


def _from_json(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text


Address = Annotated[str, AfterValidator(_own)]
Secret = Annotated[str, BeforeValidator(_secret), Field(repr=False)]
Count = Annotated[int, Field(gt=0)]


class Brand(BaseModel):
    """As `hub_extensions.brands.Brand.page`."""

    model_config = ConfigDict(frozen=True)

    name: str = "Atrium"
    logo: str = ""
    is_letters: bool = False
    icon: str = ""
    css: str = ""


class Config(BaseModel):
    """The stand-in's settings. Addresses have no slash at their end, the prefix has two."""

    model_config = ConfigDict(frozen=True)

    listen: Address = Field(alias="JUPYTERHUB_SERVICE_URL")
    prefix: str = Field(alias="JUPYTERHUB_SERVICE_PREFIX")
    hub_path: str = Field("/", alias="JUPYTERHUB_BASE_URL")
    url: Address = Field(alias="LOCAL_DESCOPE_URL")
    state: Path = Field(alias="LOCAL_DESCOPE_STATE")
    flow: Path = Field(alias="LOCAL_DESCOPE_FLOW")
    project_id: str = Field(alias="LOCAL_DESCOPE_PROJECT_ID", pattern="^P[A-Za-z0-9]{1,63}$")
    client_secret: Secret = Field(alias="LOCAL_DESCOPE_SECRET_FILE")
    management_key: Secret = Field(alias="LOCAL_DESCOPE_MANAGEMENT_KEY_FILE")
    redirects: Annotated[tuple[Address, ...], BeforeValidator(str.split), Field(min_length=1)] = (
        Field(alias="LOCAL_DESCOPE_REDIRECTS")
    )
    #: Where the hub wants to hear of sessions that end.
    logout_url: Address | None = Field(None, alias="LOCAL_DESCOPE_LOGOUT_URL")
    #: A script for its pages, that has the browser fetch what comes after the sign-in.
    ahead: str = Field("", alias="LOCAL_DESCOPE_AHEAD")
    #: How its pages name themselves, and what they show for it.
    brand: Annotated[Brand, BeforeValidator(_from_json)] = Field(
        Brand(), alias="LOCAL_DESCOPE_BRAND"
    )
    #: Start without tenants, roles, flows and accounts, as a new project does.
    empty: bool = Field(False, alias="LOCAL_DESCOPE_EMPTY")
    #: Mails to one address in ten minutes, and calls of the API in a minute.
    mail_limit: Count = Field(20, alias="LOCAL_DESCOPE_MAIL_LIMIT")
    call_limit: Count = Field(1000, alias="LOCAL_DESCOPE_CALL_LIMIT")

    @property
    def issuer(self) -> str:
        return f"{self.url}/{self.project_id}"

    @property
    def start_url(self) -> str:
        """Where somebody whose link is spent starts again: the page of what they signed in to."""
        first = urlsplit(self.redirects[0])
        return f"{first.scheme}://{first.netloc}{self.hub_path}"

    @property
    def upstream_callback(self) -> str:
        """Where the providers behind it send people back, as Descope names it."""
        return f"{self.url}/v1/oauth/callback"

    @property
    def own_hosts(self) -> frozenset[str]:
        """The Host values that mean this service: its public address and where it listens."""
        return frozenset({host_of(self.url), host_of(self.listen)})


def config_from_environment(environ: Mapping[str, str]) -> Config:
    """Read the settings.

    Raises:
        ConfigError: names the variable and what is wrong with it.
    """
    try:
        config = Config.model_validate({k: v.strip() for k, v in environ.items() if v.strip()})
    except ValidationError as error:
        raise ConfigError(f"{sentence(error)}.") from None
    if not urlsplit(config.listen).port:
        raise ConfigError("JUPYTERHUB_SERVICE_URL has no port.")
    if f"{urlsplit(config.url).path}/" != config.prefix:
        raise ConfigError(
            f"LOCAL_DESCOPE_URL does not end as the service's prefix {config.prefix} does."
        )
    return config
