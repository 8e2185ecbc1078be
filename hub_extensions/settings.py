"""Every setting of Atrium, typed, from the environment or `.env` beside the configuration.

What is wrong is said in one sentence that names the setting and its mend; nothing starts then.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.sources import DotEnvSettingsSource

from .claims import CUSTOMERS, MEMBERS
from .first_problem import sentence
from .folders import ADMIN, ANALYSTS, LAB
from .setting_forms import (
    DEFAULT_URL,
    AccentColour,
    BrandName,
    Bytes,
    Hours,
    IdleMinutes,
    Key,
    Names,
    Network,
    Networks,
    Origins,
    ProjectId,
    SignInMethods,
    Tenants,
    UnixIds,
    Url,
)

#: Project id of the stand-in; it has the form of a real one and cannot be one.
LOCAL_PROJECT_ID = "PlocalStandInForDescope00000"
#: The stand-in's tenants: who owns the hub, and who is a customer of theirs.
LOCAL_OWNER_TENANT = "acme"
LOCAL_CUSTOMER_TENANTS = frozenset({"globex"})
#: Groups, folders and servers of the hub's own, after which no tenant may be called.
OWN_NAMES = (ADMIN, MEMBERS, ANALYSTS, CUSTOMERS, LAB)

_LOOPBACK = (ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("::1"))
_NEEDED = {
    "DESCOPE_CLIENT_SECRET": "a Descope access key",
    "DESCOPE_TENANT_ID": "the id of the Descope tenant whose people own this hub",
    "DESCOPE_MANAGEMENT_KEY": "a management key, which Descope's console makes under Company",
}


class SettingsError(SystemExit):
    """A setting is missing or wrong: ends the start with one sentence and exit status 1."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"Atrium cannot start: {sentence}")
        self.sentence = sentence


class Settings(BaseSettings):
    """The operator's settings. Three make a real hub; none start it with the local stand-in."""

    model_config = SettingsConfigDict(
        frozen=True, populate_by_name=True, extra="ignore", env_ignore_empty=True
    )

    project_id: ProjectId | None = Field(None, alias="DESCOPE_PROJECT_ID")
    client_secret: Key | None = Field(None, alias="DESCOPE_CLIENT_SECRET", repr=False)
    owner_tenant: str | None = Field(None, alias="DESCOPE_TENANT_ID")
    management_key: Key | None = Field(None, alias="DESCOPE_MANAGEMENT_KEY", repr=False)
    client_id: str | None = Field(None, alias="DESCOPE_CLIENT_ID")
    base_uri: Url | None = Field(None, alias="DESCOPE_BASE_URI")
    issuer: Url | None = Field(None, alias="DESCOPE_ISSUER")

    public_url: Url | None = Field(None, alias="ATRIUM_PUBLIC_URL")
    bind_url: Url | None = Field(None, alias="ATRIUM_BIND_URL")
    subdomain_host: Url | None = Field(None, alias="ATRIUM_SUBDOMAIN_HOST")
    trusted: Networks = Field((), alias="ATRIUM_TRUSTED_PROXIES")

    embed_origins: Origins = Field(frozenset(), alias="ATRIUM_EMBED_ORIGINS")

    hub_admins: Names = Field(frozenset(), alias="ATRIUM_HUB_ADMINS")
    customer_tenants: Tenants | None = Field(None, alias="ATRIUM_CUSTOMER_TENANTS")
    trust_authors: bool = Field(False, alias="ATRIUM_TRUST_AUTHORS")
    required_amr: SignInMethods = Field(frozenset(), alias="ATRIUM_REQUIRED_AMR")
    revoke_seconds: float = Field(30, alias="ATRIUM_REVOKE_SECONDS", ge=5, le=600)
    session_hours: Hours = Field({"": 12.0}, alias="ATRIUM_SESSION_HOURS")
    sign_in_limit: int = Field(300, alias="ATRIUM_SIGN_IN_LIMIT", ge=10, le=100_000)

    name: BrandName = Field("Atrium", alias="ATRIUM_NAME")
    logo: Path | None = Field(None, alias="ATRIUM_LOGO")
    accent: AccentColour | None = Field(None, alias="ATRIUM_ACCENT")
    brands: Path | None = Field(None, alias="ATRIUM_BRANDS")

    notebooks: Path = Field(Path("notebooks"), alias="ATRIUM_NOTEBOOKS")
    data: Path | None = Field(None, alias="ATRIUM_DATA")
    state: Path = Field(Path(".atrium"), alias="ATRIUM_STATE")
    db_url: str | None = Field(None, alias="ATRIUM_DB_URL", repr=False)
    unix_uids: UnixIds = Field((70_000, 99_999), alias="ATRIUM_UNIX_UIDS")
    unisolated: bool = Field(False, alias="ATRIUM_UNISOLATED")
    template: bool = Field(True, alias="ATRIUM_TEMPLATE")
    starts_at_once: int = Field(
        default_factory=lambda: 2 * (os.cpu_count() or 1),
        alias="ATRIUM_STARTS_AT_ONCE",
        ge=1,
        le=1000,
    )
    memory_limit: Bytes = Field(4 * 1024**3, alias="ATRIUM_MEM_LIMIT")
    cpu_limit: float = Field(0.5, alias="ATRIUM_CPU_LIMIT", gt=0, le=1024)
    shared_seconds: float = Field(120, alias="ATRIUM_SHARED_SECONDS", ge=1, le=3600)
    thumbnails: bool = Field(True, alias="ATRIUM_THUMBNAILS")
    idle_minutes: IdleMinutes = Field(60, alias="ATRIUM_IDLE_MINUTES")

    @model_validator(mode="after")
    def _whole(self) -> Settings:
        given = {
            name: value
            for name, value in (
                ("DESCOPE_CLIENT_SECRET", self.client_secret),
                ("DESCOPE_CLIENT_ID", self.client_id),
                ("DESCOPE_TENANT_ID", self.owner_tenant),
                ("DESCOPE_BASE_URI", self.base_uri),
                ("DESCOPE_ISSUER", self.issuer),
                ("DESCOPE_MANAGEMENT_KEY", self.management_key),
            )
            if value
        }
        self._distinct_tenants()
        if self.project_id is None:
            if given:
                names = " and ".join(given)
                raise ValueError(
                    f"DESCOPE_PROJECT_ID is not set although {names} is; set it to your Descope"
                    f" project's id, or unset {names} to try Atrium with its local stand-in"
                )
            self._loopback_only()
            return self
        for name in ("DESCOPE_BASE_URI", "DESCOPE_ISSUER"):
            if given.get(name, "https:").startswith("http:") and not is_loopback(given[name]):
                raise ValueError(
                    f"{name} is not https; only an address of this machine may be http"
                )
        return self

    def _distinct_tenants(self) -> None:
        """A customer's groups are named by its tenant: no two of them may be taken for another."""
        owner = self.owner_tenant or LOCAL_OWNER_TENANT
        taken = {name: f"the group {name}" for name in OWN_NAMES} | {
            owner.casefold(): "the tenant that owns the hub"
        }
        for tenant in sorted(self.customer_tenants or ()):
            if other := taken.get(tenant.casefold()):
                raise ValueError(
                    f"ATRIUM_CUSTOMER_TENANTS has {tenant}, which could be taken for {other};"
                    " take it out, or make that tenant anew with another id"
                )
            taken[tenant.casefold()] = f"the tenant {tenant}"

    def _loopback_only(self) -> None:
        """The stand-in lets everybody be anybody, so it must not be reached from elsewhere."""
        for name, value in (
            ("ATRIUM_PUBLIC_URL", self.public_url),
            ("ATRIUM_BIND_URL", self.bind_url),
            ("ATRIUM_SUBDOMAIN_HOST", self.subdomain_host),
        ):
            if value and not is_loopback(value):
                raise ValueError(
                    f"{name} is not an address of this machine, and no Descope project is"
                    " configured; set DESCOPE_PROJECT_ID, DESCOPE_CLIENT_SECRET and"
                    f" DESCOPE_TENANT_ID, or unset {name}"
                )

    @property
    def is_local(self) -> bool:
        """Whether the local stand-in plays Descope."""
        return self.project_id is None

    @property
    def customers(self) -> frozenset[str]:
        """The tenants that are served beside the owner's."""
        served = LOCAL_CUSTOMER_TENANTS if self.is_local else frozenset()
        return self.customer_tenants or served

    @property
    def address(self) -> str:
        """The public address, without a slash at its end."""
        return self.public_url or DEFAULT_URL

    @property
    def database_url(self) -> str:
        """The hub's database."""
        return self.db_url or f"sqlite:///{self.state}/jupyterhub.sqlite"

    @property
    def listen_url(self) -> str:
        """Where the proxy listens: the public address if it is of this machine, else loopback."""
        if self.bind_url:
            return self.bind_url
        return self.address if is_loopback(self.address) else DEFAULT_URL + self.path

    @property
    def unix_ids(self) -> range | None:
        """The Unix ids that are the hub's to give; None to give none."""
        return range(self.unix_uids[0], self.unix_uids[1] + 1) if self.unix_uids else None

    @property
    def trusted_proxies(self) -> tuple[Network, ...]:
        """Whose word on who asks is taken: the proxy for TLS, known where it must be of this
        machine because nobody else reaches the hub's own."""
        of_this_machine = self.address.startswith("https:") and is_loopback(self.listen_url)
        return self.trusted or (_LOOPBACK if of_this_machine else ())

    @property
    def path(self) -> str:
        """The path of the public address, "" at the root of its host."""
        return urlsplit(self.address).path


def is_loopback(url: str) -> bool:
    """Whether an address names this machine only. Names other than localhost are not looked up."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(folder: Path) -> Settings:
    """The settings of a hub; all that it needs is there.

    Raises:
        SettingsError: names the setting and what mends it.
    """
    settings = read(folder)
    if settings.project_id:
        require("DESCOPE_CLIENT_SECRET", settings.client_secret)
        require("DESCOPE_TENANT_ID", settings.owner_tenant)
        _check_wall_between_tenants(settings)
    _check_readable("ATRIUM_NOTEBOOKS", settings.notebooks, "folder", Path.is_dir)
    if settings.data:
        _check_readable("ATRIUM_DATA", settings.data, "file", Path.is_file)
    return settings


def _check_wall_between_tenants(settings: Settings) -> None:
    """One origin is no wall: a dashboard's script could use the hub as whoever looks at it."""
    if settings.customers and not settings.subdomain_host and not settings.trust_authors:
        raise SettingsError(
            "ATRIUM_CUSTOMER_TENANTS is set and ATRIUM_SUBDOMAIN_HOST is not; set it to the hub's"
            " address with a wildcard name below it, or set ATRIUM_TRUST_AUTHORS=yes if you trust"
            " every author of a dashboard with every tenant"
        )


def require(name: str, value: str | None) -> str:
    """The value of a setting that a Descope project cannot do without.

    Raises:
        SettingsError: it is not set.
    """
    if not value:
        raise SettingsError(
            f"DESCOPE_PROJECT_ID is set and {name} is not; set it to {_NEEDED[name]}"
        )
    return value


def read(folder: Path) -> Settings:
    """Read the settings; relative paths are taken from `folder`, where the configuration lies.

    Takes every `DESCOPE_` name out of the environment, so that no child process inherits one.

    Raises:
        SettingsError: names the setting that is wrong, and what mends it.
    """
    dotenv = _dotenv(folder / ".env")
    environment = {n: v for n, v in os.environ.items() if n.startswith(("DESCOPE_", "ATRIUM_"))}
    values = dotenv | {n: v for n, v in environment.items() if v.strip()}  # empty: not set
    _refuse_unknown(values)
    for name in environment:
        if name.startswith("DESCOPE_"):
            del os.environ[name]
    values = {name: value.strip() for name, value in values.items() if value.strip()}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(sentence(error)) from None
    paths = {
        "notebooks": folder / settings.notebooks,
        "state": folder / settings.state,
        **{
            name: folder / value
            for name in ("data", "logo", "brands")
            if (value := getattr(settings, name))
        },
    }
    return settings.model_copy(update=paths)


def _check_readable(name: str, path: Path, kind: str, is_kind: Callable[[Path], bool]) -> None:
    entry = os.R_OK | (os.X_OK if kind == "folder" else 0)
    if not is_kind(path) or not os.access(path, entry):
        raise SettingsError(
            f"there is no readable {kind} at {path}; make one there or set {name} to another"
        )


def _dotenv(path: Path) -> dict[str, str]:
    """The names in `.env`; refused when another account can read or write the file."""
    if not path.exists():
        return {}
    if not path.is_file():
        raise SettingsError("the file .env cannot be read; it is no file")
    status = path.stat()
    if status.st_uid not in {os.getuid(), 0} or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            "other accounts of this machine can read or change the file .env; "
            'make it yours alone with "chmod 600 .env"'
        )
    try:
        source = DotEnvSettingsSource(Settings, env_file=path, case_sensitive=True)
    except (UnicodeDecodeError, OSError):
        raise SettingsError("the file .env cannot be read; it has to be a text in UTF-8") from None
    return {name: value or "" for name, value in source.env_vars.items()}


def _refuse_unknown(values: dict[str, str]) -> None:
    known = {str(field.alias) for field in Settings.model_fields.values()}
    for name in sorted(values.keys() - known):
        if not name.startswith(("DESCOPE_", "ATRIUM_")):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"; did you mean {near[0]}?" if near else "; unset it"
        raise SettingsError(f"{name} is not a setting of Atrium{meant}")
