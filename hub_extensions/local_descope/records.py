"""What a project has, as records in Descope's own field names: kept, told and asked for alike.

Names and defaults are those of its management API and its snapshots (sources in docs/descope.md);
what the stand-in does not know of a record is kept with it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from authlib.common.security import generate_token
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def now() -> int:
    return int(time.time())


def new_id(prefix: str) -> str:
    """An id in the form of Descope's: 28 characters, of which the first tell what it is."""
    return prefix + generate_token(28 - len(prefix))


class Record(BaseModel):
    """A record. Types are taken as they are; a null is as if the name were not there."""

    model_config = ConfigDict(strict=True, extra="allow")
    #: The field that tells records of a kind apart, "" where there is one alone.
    key: ClassVar[str] = "id"
    #: Descope's errors where there is none of an id or name, and where there is one already.
    missing: ClassVar[str] = "E011004"
    taken: ClassVar[str] = "E011004"

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, told: Any) -> Any:
        if not isinstance(told, Mapping):
            return told
        return {name: value for name, value in told.items() if value is not None}

    def changed(self, **fields: Any) -> Self:
        """The record with other values, checked."""
        return type(self).model_validate(self.model_dump() | fields)


class Place(Record):
    """A user's place in a tenant. `ssoRoleNames` follow the company's groups at each sign-in."""

    tenantId: str
    roleNames: list[str] = []
    ssoRoleNames: list[str] = []


class User(Record):
    """A person. An unverified address says nothing of who it is; the login ids do."""

    missing = "E112102"
    key = "userId"
    userId: str = Field(default_factory=lambda: new_id("U2"))
    loginIds: list[str]
    email: str = ""
    verifiedEmail: bool = False
    name: str = ""
    status: Literal["enabled", "disabled", "invited"] = "enabled"
    roleNames: list[str] = []
    userTenants: list[Place] = []
    phone: str = ""
    verifiedPhone: bool = False
    customAttributes: dict[str, Any] = {}
    createdTime: int = Field(default_factory=now)

    @property
    def places(self) -> list[Place]:
        return self.userTenants

    def place(self, tenant_id: str) -> Place | None:
        return next((each for each in self.userTenants if each.tenantId == tenant_id), None)


Name = Annotated[str, Field(min_length=1, max_length=254, pattern=r"\S")]


class Tenant(Record):
    missing, taken = "E112202", "E073307"
    id: Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")] = Field(
        default_factory=lambda: new_id("T")
    )
    name: Name
    selfProvisioningDomains: list[str] = []
    enforceSSO: bool = False
    customAttributes: dict[str, Any] = {}
    createdTime: int = Field(default_factory=now)
    #: Single sign-on: "none", or "oidc" with the settings and the domains that they answer for.
    authType: str = "none"
    domains: list[str] = []


class RoleMapping(Record):
    roleName: str
    groups: list[str] = []


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if value and not (parts.scheme in {"http", "https"} and parts.hostname and value.isprintable()):
        raise ValueError("it is no address")
    return value


WebAddress = Annotated[str, AfterValidator(_web_address)]


class Provider(Record):
    """A provider behind Descope. Without an address the stand-in plays it."""

    name: str = ""
    clientId: str = ""
    clientSecret: str = ""
    issuer: str = ""
    authUrl: WebAddress = ""
    tokenUrl: WebAddress = ""
    userDataUrl: WebAddress = ""


class OidcSettings(Provider):
    """A tenant's provider for single sign-on."""

    key = "tenantId"
    tenantId: str = ""
    JWKsUrl: WebAddress = ""
    scope: list[str] = []
    userAttrMapping: dict[str, str | None] = {}
    groupsMapping: list[RoleMapping] = []
    defaultSSORoles: list[str] = []


class Permission(Record):
    missing, taken = "E111303", "E024104"
    id: str = Field(default_factory=lambda: new_id("PER"))
    name: Name
    description: str = ""


class Role(Record):
    """A role; without a tenant it is the project's, and every tenant can give it."""

    missing, taken = "E111403", "E024209"
    id: str = Field(default_factory=lambda: new_id("ROL"))
    name: Name
    description: str = ""
    permissionNames: list[str] = []
    tenantId: str = ""
    createdTime: int = Field(default_factory=now)


class AccessKey(Record):
    """A key of a program, such as a hub's client secret; `expireTime` 0 means never."""

    missing = "E111502"
    id: str = Field(default_factory=lambda: new_id("K"))
    name: Name
    digest: str = ""
    roleNames: list[str] = []
    keyTenants: list[Place] = []
    status: Literal["active", "inactive"] = "active"
    expireTime: Annotated[int, Field(ge=0)] = 0
    createdTime: int = Field(default_factory=now)

    @property
    def places(self) -> list[Place]:
        return self.keyTenants


class OidcApplication(Record):
    claims: list[str] = []
    approvedRedirectUrls: list[str] = []
    forcePkce: bool = False
    backChannelLogoutUrl: WebAddress = ""


DEFAULT_APP = "descope-default-oidc"


class Application(Record):
    """An OpenID Connect application; the default one is the project itself."""

    missing = "E112302"
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,30}$")] = Field(
        default_factory=lambda: new_id("SA")
    )
    name: Name
    enabled: bool = True
    oidc: OidcApplication = OidcApplication()


class Flow(Record):
    """A flow as the console exports it; see `flow.py`."""

    missing = "E103003"
    key = "flowId"
    flowId: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    metadata: dict[str, Any] = {}
    contents: dict[str, Any]
    screens: list[dict[str, Any]]
    references: dict[str, Any] = {}


class SigningKey(Record):
    key = "kid"
    kid: str
    private: dict[str, Any]
    createdTime: int = Field(default_factory=now)


class Secret(Record):
    """A secret or a mark of the stand-in's own."""

    id: str
    value: str = ""


# -- settings of the project: one record a kind -------------------------------------------------

UNITS: Mapping[str, int] = {
    "seconds": 1,
    "minutes": 60,
    "hours": 3600,
    "days": 86400,
    "weeks": 604800,
}
Unit = Literal["seconds", "minutes", "hours", "days", "weeks"]
Amount = Annotated[int, Field(gt=0, le=10_000)]


class Settings(Record):
    key = ""


class ProjectSettings(Settings):
    rotateJwt: bool = False
    sessionTokenExpiration: Amount = 10
    sessionTokenExpirationUnit: Unit = "minutes"
    refreshTokenExpiration: Amount = 4
    refreshTokenExpirationUnit: Unit = "weeks"

    @property
    def session_seconds(self) -> int:
        return self.sessionTokenExpiration * UNITS[self.sessionTokenExpirationUnit]

    @property
    def refresh_seconds(self) -> int:
        return self.refreshTokenExpiration * UNITS[self.refreshTokenExpirationUnit]


class MagicLinkSettings(Settings):
    expirationTime: Amount = 3
    expirationTimeUnit: Unit = "minutes"

    @property
    def link_seconds(self) -> int:
        return self.expirationTime * UNITS[self.expirationTimeUnit]


class SocialProvider(Provider):
    enabled: bool = True
    trustProvidedEmails: bool = True
    jwksUrl: WebAddress = ""
    scopes: list[str] = []
    userDataClaimsMapping: dict[str, str] = {}


class SocialSettings(Settings):
    enabled: bool = True
    providerSettings: dict[str, SocialProvider] = {}


class SsoSettings(Settings):
    enabled: bool = True
    mergeUsers: bool = False
    allowOverrideRoles: bool = False
    blockIfEmailDomainMismatch: bool = False
    markEmailAsUnverified: bool = False
